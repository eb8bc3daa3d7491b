import type { MarketDate } from './market-date.ts'

/** What all statements and indicators have; indicators lack f_ann_date and report_type. */
export type VersionedRow = {
  ts_code: string
  end_date: MarketDate
  ann_date: MarketDate | null
  f_ann_date?: MarketDate | null
  report_type?: string | null
  update_flag: string | null
}

export type VersionChoice = {
  /** only what was announced by that day; without it today's view */
  asKnown?: MarketDate
  /** default '1', consolidated; indicators have none and always pass */
  reportType?: string
}

/**
 * One row per code and period, newest period first: today's view, or what was known on a day. A
 * restatement never overwrites: the caller keeps all rows and chooses when it reads.
 *
 *     chooseVersions(rows, { asKnown: '2026-04-30' })
 */
export function chooseVersions<Row extends VersionedRow>(
  rows: readonly Row[],
  { asKnown, reportType = '1' }: VersionChoice = {},
): Row[] {
  const eligible = rows.filter(
    (row) =>
      (row.report_type ?? reportType) === reportType &&
      (asKnown === undefined || (announcedOn(row) ?? '9999') <= asKnown),
  )
  const better = asKnown === undefined ? preferCurrent : preferLatest
  return [...Map.groupBy(eligible, (row) => `${row.ts_code} ${row.end_date}`).values()]
    .flatMap((versions) => versions.toSorted(better).slice(0, 1))
    .toSorted((a, b) => descending(a.end_date, b.end_date) || descending(b.ts_code, a.ts_code))
}

/** The day this version became public. ann_date can be much older: it is the first announcement's. */
export function announcedOn(row: VersionedRow): MarketDate | undefined {
  return row.f_ann_date ?? row.ann_date ?? undefined
}

/** What tells one version from another: the key to store it under. */
export function versionKey(row: VersionedRow): string {
  const { ts_code, end_date, report_type, update_flag } = row
  return [ts_code, end_date, report_type ?? '', announcedOn(row) ?? '', update_flag ?? ''].join('|')
}

function preferCurrent(a: VersionedRow, b: VersionedRow): number {
  return byFlag(a, b) || byAnnouncement(a, b)
}

// The flag is set on a row long after its announcement, so it must not outweigh the date in a past view.
function preferLatest(a: VersionedRow, b: VersionedRow): number {
  return byAnnouncement(a, b) || byFlag(a, b)
}

const byFlag = (a: VersionedRow, b: VersionedRow) =>
  descending(a.update_flag ?? '0', b.update_flag ?? '0')
const byAnnouncement = (a: VersionedRow, b: VersionedRow) =>
  descending(announcedOn(a) ?? '', announcedOn(b) ?? '')

function descending(a: string, b: string): number {
  return a === b ? 0 : a < b ? 1 : -1
}
