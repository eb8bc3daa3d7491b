import { addDays, marketDateAt, shanghaiInstant } from './market-date.ts'
import type { MarketDate } from './market-date.ts'
import { clockOf } from './publication-clocks.ts'
import type { ClockedTable } from './publication-clocks.ts'

export type CalendarDay = {
  cal_date: MarketDate
  is_open: boolean
  pretrade_date: MarketDate | null
}

export type TradingCalendar = {
  /** the days it covers; undefined when it was built from nothing */
  covers: { from: MarketDate; to: MarketDate } | undefined
  /** undefined outside of what it covers: weekends that are working days make guessing wrong */
  isOpen(date: MarketDate): boolean | undefined
  /** the nearest open day before `date`; undefined when the calendar cannot know */
  previousOpenDay(date: MarketDate): MarketDate | undefined
  nextOpenDay(date: MarketDate): MarketDate | undefined
  /** `date` itself when it is open, else the nearest before it */
  latestOpenDay(date: MarketDate): MarketDate | undefined
}

/**
 * The days of one exchange, from its trade_cal (hk_tradecal, us_tradecal) rows in any order.
 *
 *     const calendar = createTradingCalendar(rows)
 *     calendar.isOpen('2026-10-01') // false
 *     calendar.previousOpenDay('2026-10-01') // '2026-09-30'
 */
export function createTradingCalendar(rows: readonly CalendarDay[]): TradingCalendar {
  const days = new Map(rows.map((row) => [row.cal_date, row]))
  const dates = [...days.keys()].toSorted()
  const from = dates[0]
  const to = dates.at(-1)
  const open = dates.filter((date) => days.get(date)?.is_open)
  // A calendar with a hole would answer with a day too early: only what is whole may be asked.
  if (from !== undefined && to !== undefined) refuseHoles(dates, from)
  const beforeFirst = (from !== undefined && days.get(from)?.pretrade_date) || undefined

  const previousOpenDay = (date: MarketDate): MarketDate | undefined => {
    if (from === undefined || to === undefined || date < from || date > addDays(to, 1))
      return undefined
    return open[countBefore(open, date) - 1] ?? beforeFirst
  }

  return {
    covers: from === undefined || to === undefined ? undefined : { from, to },
    isOpen: (date) => days.get(date)?.is_open,
    previousOpenDay,
    nextOpenDay: (date) => {
      if (from === undefined || to === undefined || date < addDays(from, -1) || date > to)
        return undefined
      return open[countBefore(open, addDays(date, 1))]
    },
    latestOpenDay: (date) => {
      const isOpen = days.get(date)?.is_open
      return isOpen ? date : isOpen === false ? previousOpenDay(date) : undefined
    },
  }
}

/**
 * The newest day a table may have a row for (`possible`) and the newest it must have (`expected`).
 * Ask for `possible`; when it has no row and differs, answer with `expected` and say `pending`.
 * Undefined when the calendar does not reach that far: then nothing may be called fresh.
 *
 *     latestDays(calendar, 'daily', new Date('2026-11-20T07:30:00Z'))
 *     // { possible: '2026-11-20', expected: '2026-11-19', pending: { zh: '今日收盘数据尚未入库', en: … } }
 */
export function latestDays(
  calendar: TradingCalendar,
  table: ClockedTable,
  now: Date,
):
  | { possible: MarketDate; expected: MarketDate; pending?: { zh: string; en: string } }
  | undefined {
  const possible = newestPast(calendar, table, now, 'opens')
  const expected = newestPast(calendar, table, now, 'due')
  if (possible === undefined || expected === undefined) return undefined
  return possible === expected
    ? { possible, expected }
    : { possible, expected, pending: pendingNote(table) }
}

/** What `expected_as_of` of a claim says: the newest day whose row is due by now. */
export function expectedAsOf(
  calendar: TradingCalendar,
  table: ClockedTable,
  now: Date,
): MarketDate | undefined {
  return newestPast(calendar, table, now, 'due')
}

function newestPast(
  calendar: TradingCalendar,
  table: ClockedTable,
  now: Date,
  moment: 'opens' | 'due',
): MarketDate | undefined {
  const clock = clockOf(table)
  let day = calendar.latestOpenDay(marketDateAt(now, clock.zone))
  // At most two steps back: today's row and, for tables of the next morning, yesterday's.
  for (let step = 0; step < 3 && day !== undefined; step += 1) {
    if (now >= shanghaiInstant(day, clock[moment], clock.daysLater)) return day
    day = calendar.previousOpenDay(day)
  }
  return undefined
}

function pendingNote(table: ClockedTable): { zh: string; en: string } {
  return table === 'adj_factor' || table === 'stk_limit' || table === 'stock_st'
    ? { zh: '今日数据尚未入库', en: "Today's data is not published yet" }
    : { zh: '今日收盘数据尚未入库', en: "Today's closing data is not published yet" }
}

function refuseHoles(dates: readonly MarketDate[], from: MarketDate): void {
  const missing = dates.findIndex((date, index) => date !== addDays(from, index))
  if (missing !== -1) {
    throw new Error(
      `The trading calendar lacks ${addDays(from, missing)}: fetch trade_cal for the whole range again.`,
    )
  }
}

function countBefore(sorted: readonly MarketDate[], date: MarketDate): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? '') < date) low = middle + 1
    else high = middle
  }
  return low
}
