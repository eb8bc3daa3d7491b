import { addDays } from '../market/dates.ts'
import type { Page } from './answer-rows.ts'
import type { Cell } from './interface.ts'

/** Plausible lies: well-formed answers that are wrong. Which one is told depends on `turn`. */
export function tellLie(page: Page, turn: number): Page {
  const lie = [multiplyPrices, shiftDates, swapCodes, emptyTable][turn % 4] ?? emptyTable
  return { ...page, items: lie(page) }
}

const prices = new Set([
  'open',
  'high',
  'low',
  'close',
  'pre_close',
  'adj_factor',
  'up_limit',
  'down_limit',
  'eps',
  'total_mv',
])
const dates = new Set(['trade_date', 'end_date', 'cal_date'])

const multiplyPrices = (page: Page): Cell[][] =>
  mapCells(page, prices, (value) =>
    typeof value === 'number' ? Math.round(value * 10_000) / 100 : value,
  )

const shiftDates = (page: Page): Cell[][] =>
  mapCells(page, dates, (value) => (value === null ? value : String(addDays(Number(value), -1))))

const swapCodes = (page: Page): Cell[][] =>
  mapCells(page, new Set(['ts_code']), (value) =>
    value === '000001.SZ' ? '600000.SH' : '000001.SZ',
  )

const emptyTable = (): Cell[][] => []

function mapCells(
  { fields, items }: Page,
  names: ReadonlySet<string>,
  change: (value: Cell) => Cell,
): Cell[][] {
  return items.map((item) =>
    item.map((value, i) => (names.has(fields[i] ?? '') ? change(value) : value)),
  )
}

/** Numbers that JSON.parse takes without a word: too large, too precise, twice, or not a number at all. */
export function spoilNumbers(json: string, turn: number): string {
  const replacement = ['1e400', '12345678901234567890', 'NaN', '-0'][turn % 4] ?? 'NaN'
  const spoilt = json.replace(/(?<=[[,])-?\d+\.\d+(?=[,\]])/, replacement)
  return turn % 5 === 0 ? spoilt.replace('"code":0', '"code":0,"code":0') : spoilt
}
