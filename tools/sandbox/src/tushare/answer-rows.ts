import { fraction, hash32, hashText } from '../market/random.ts'
import { errors } from './errors.ts'
import type { Cell, Interface, RowRequest } from './interface.ts'

/** Rows are made on the way to the page: an endless offset would occupy the process. */
const deepestOffset = 100_000

export type Page = { fields: string[]; items: Cell[][]; has_more: boolean; count: number }

/** Cuts one page out of an interface's rows, in the columns asked for and in an order that is the server's own. */
export function answerRows(
  api: Interface,
  request: RowRequest,
  options: { fields: string | undefined; maxRows: number; nthCall: number },
): Page {
  const { params } = request
  const rowLimit = options.maxRows > 0 ? Math.min(options.maxRows, api.rowLimit) : api.rowLimit
  const limit = Math.min(params.count('limit') ?? rowLimit, rowLimit)
  const offset = params.count('offset') ?? 0
  if (offset > deepestOffset) throw errors.badParameter('offset')
  const dice = hash32(hashText(api.name), 210, options.nthCall)
  const fields = shuffleSometimes(chooseColumns(api, options.fields), dice)
  const items: Cell[][] = []
  let position = 0
  for (const row of api.rows(request)) {
    position += 1
    if (position <= offset) continue
    // One row beyond the page shows that there is more.
    if (items.length === limit)
      return { fields, items: dressUp(fields, items, dice), has_more: true, count: -1 }
    items.push(fields.map((field) => row[field] ?? null))
  }
  return {
    fields,
    items: dressUp(fields, items, dice),
    has_more: false,
    count: dice % 2 === 0 ? -1 : 0,
  }
}

function chooseColumns(api: Interface, asked: string | undefined): string[] {
  const names = api.columns.map((column) => column.replace('-', ''))
  const wanted = new Set((asked ?? '').split(',').map((name) => name.trim()))
  const chosen = names.filter((name) => wanted.has(name))
  return chosen.length > 0 ? chosen : api.columns.filter((column) => !column.startsWith('-'))
}

/** Clients must map by name: one answer in four comes with its columns in another order. */
function shuffleSometimes(fields: string[], dice: number): string[] {
  if (dice % 4 !== 0) return fields
  return fields
    .map((field) => ({ field, place: fraction(dice, hashText(field)) }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ field }) => field)
}

// Columns that the real server delivers now as a number, now as a text.
const eitherWay = new Set([
  'is_open',
  'is_audit',
  'total_share',
  'net_profit_min',
  'net_profit_max',
  'base_share',
  'trade_unit',
])

/** Every second answer carries these columns as texts. */
function dressUp(fields: string[], items: Cell[][], dice: number): Cell[][] {
  if ((dice >>> 8) % 2 === 0) return items
  const columns = fields.flatMap((field, i) => (eitherWay.has(field) ? [i] : []))
  for (const item of items) {
    for (const column of columns) item[column] = item[column] === null ? null : String(item[column])
  }
  return items
}
