import type { z } from 'zod'
import { toCompactDate } from './market-date.ts'
import type { MarketDate } from './market-date.ts'
import { SourceFailure } from './source.ts'
import type { Cell, TushareTable } from './tushare-answer.ts'

/** One interface of Tushare: which columns we ask for, what a row must be, what it cannot be. */
export type TableSpec<Schema extends z.ZodObject = z.ZodObject> = {
  api: string
  /** rows of one answer at most; a full answer means there may be more */
  rowLimit: number
  row: Schema
  codeColumn?: keyof z.infer<Schema> & string
  /** the day of a row; `date`, `from` and `to` of a question are about it */
  dateColumn?: keyof z.infer<Schema> & string
  periodColumn?: keyof z.infer<Schema> & string
  /** why this row cannot be true */
  impossible?: (row: z.infer<Schema>) => string | undefined
}

export function defineTable<Schema extends z.ZodObject>(
  spec: TableSpec<Schema>,
): TableSpec<Schema> {
  return spec
}

/** What is asked for. The answer is held against it: another code or day is a lie, not data. */
export type TableQuestion = {
  codes?: readonly string[]
  date?: MarketDate
  from?: MarketDate
  to?: MarketDate
  /** the last day of a report's quarter */
  period?: MarketDate
  /** further parameters of the interface, such as list_status */
  params?: Readonly<Record<string, string>>
}

export type RefusedRow = { row: Record<string, Cell>; reason: string }

/** The `params` member of the request. */
export function toParams(
  question: TableQuestion,
  { dateColumn = 'trade_date' }: { dateColumn?: string } = {},
): Record<string, string> {
  const { codes, date, from, to, period, params } = question
  return {
    ...params,
    ...(codes && { ts_code: codes.join(',') }),
    // trade_cal is the one table that has no parameter for a single day.
    ...(date !== undefined &&
      dateColumn === 'cal_date' && {
        start_date: toCompactDate(date),
        end_date: toCompactDate(date),
      }),
    ...(date !== undefined && dateColumn !== 'cal_date' && { [dateColumn]: toCompactDate(date) }),
    ...(from !== undefined && { start_date: toCompactDate(from) }),
    ...(to !== undefined && { end_date: toCompactDate(to) }),
    ...(period !== undefined && { period: toCompactDate(period) }),
  }
}

/**
 * The rows of an answer, checked against their schema and against what was asked; exact duplicates once.
 * A row that fails makes the whole answer a SourceFailure; with `quarantine` an impossible row is set
 * aside instead, for answers about the whole market.
 *
 *     readRows(dailyTable, table, { codes: ['600519.SH'], date: '2026-11-19' })
 */
export function readRows<Schema extends z.ZodObject>(
  spec: TableSpec<Schema>,
  table: Pick<TushareTable, 'fields' | 'rows'>,
  question: TableQuestion,
  quarantine?: (refused: RefusedRow) => void,
): z.infer<Schema>[] {
  const fail = (kind: 'bad_answer' | 'upstream_lie', message: string) =>
    new SourceFailure(kind, message, { source: 'tushare', api: spec.api })
  const missing = requiredColumns(spec.row).filter((name) => !table.fields.includes(name))
  if (missing.length > 0)
    throw fail('bad_answer', `the answer lacks the column ${missing.slice(0, 5).join(', ')}`)

  const rows: z.infer<Schema>[] = []
  let refused = 0
  for (const cells of dropDuplicates(table.rows)) {
    const parsed = spec.row.safeParse(cells)
    if (!parsed.success) {
      const [issue] = parsed.error.issues
      throw fail('bad_answer', `${issue?.path.join('.')} ${issue?.message}`)
    }
    const foreign = notAsked(spec, parsed.data, question)
    if (foreign !== undefined) throw fail('upstream_lie', foreign)
    const impossible = spec.impossible?.(parsed.data)
    if (impossible === undefined) {
      rows.push(parsed.data)
      continue
    }
    if (!quarantine) throw fail('upstream_lie', impossible)
    refused += 1
    quarantine({ row: cells, reason: impossible })
  }
  // Some bad rows are bad rows; many mean that the answer as a whole is in other units.
  if (refused > 10 && refused * 20 > rows.length)
    throw fail('upstream_lie', `${refused} impossible rows among ${table.rows.length}`)
  return rows
}

const required = new WeakMap<z.ZodObject, string[]>()

/** Columns that must be in the answer; a nullable one may be null but not missing. Found once: it tries each. */
function requiredColumns(schema: z.ZodObject): string[] {
  const known = required.get(schema)
  if (known) return known
  const names = Object.entries<z.ZodType>(schema.shape).flatMap(([name, column]) =>
    column.safeParse(undefined).success ? [] : [name],
  )
  required.set(schema, names)
  return names
}

function dropDuplicates(rows: readonly Record<string, Cell>[]): Record<string, Cell>[] {
  const seen = new Set<string>()
  return rows.filter((row) => {
    const key = JSON.stringify(Object.values(row))
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}

function notAsked<Schema extends z.ZodObject>(
  { codeColumn, dateColumn, periodColumn }: TableSpec<Schema>,
  row: z.infer<Schema>,
  { codes, date, from, to, period }: TableQuestion,
): string | undefined {
  const read = (column: string | undefined) =>
    column === undefined ? undefined : String(row[column as keyof typeof row])
  const code = read(codeColumn)
  if (codes && code !== undefined && !codes.includes(code))
    return `asked for ${codes.slice(0, 3).join(',')}, answered ${code}`
  const day = read(dateColumn)
  if (day !== undefined) {
    if (date !== undefined && day !== date) return `asked for ${date}, answered ${day}`
    if ((from !== undefined && day < from) || (to !== undefined && day > to)) {
      return `asked for ${from ?? ''}..${to ?? ''}, answered ${day}`
    }
  }
  const end = read(periodColumn)
  return period !== undefined && end !== undefined && end !== period
    ? `asked for the period ${period}, answered ${end}`
    : undefined
}
