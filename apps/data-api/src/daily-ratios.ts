import { marketDateAt, type MarketDate } from '@twilight/market-sources/market-date'
import { latestDays } from '@twilight/market-sources/trading-calendar'
import type { DailyBasicRow } from '@twilight/market-sources/tushare-rows'
import { absent, isOutage } from './absence.ts'
import { dailyRatioMetrics } from './fundamental-metrics.ts'
import type { Known } from './instruments.ts'
import type { Answer, LookUp } from './look-up.ts'
import { newestHeld } from './newest-held.ts'
import { keepBeside, type PreparedClaim } from './prepared-claim.ts'
import { claimsOfRow, type TableClaims } from './statement-claims.ts'
import type { TradingDays } from './trading-days.ts'
import { ratiosOfDay, ratiosUpTo, suspensionsOfDay } from './upstream-questions.ts'

type Deps = { lookUp: LookUp; tradingDays: TradingDays }
type Found = {
  row: DailyBasicRow
  answer: Answer<DailyBasicRow>
  expected: MarketDate
  stale: boolean
}

/**
 * The ratios of the newest trading day, or of the newest one on a past day: P/E, P/B, yields, values.
 *
 *     const { prepared } = await readDailyRatios(deps)(known, { asKnown: undefined })
 */
export function readDailyRatios(
  deps: Deps,
): (known: Known, question: { asKnown: MarketDate | undefined }) => Promise<TableClaims> {
  const beside = keepBeside<PreparedClaim[]>()
  return async (known, { asKnown }) => {
    const { row, answer, expected, stale } = await findRow(deps, known, asKnown)
    const { instrument, name } = known
    const prepared = beside(answer.rows, `${row.trade_date} ${expected} ${stale}`, () =>
      claimsOfRow(answer, row, dailyRatioMetrics, {
        code: instrument.code,
        ...(name !== undefined && { name }),
        asOf: row.trade_date,
        expectedAsOf: expected,
        stale,
        table: 'daily_basic',
      }),
    )
    return { prepared, answer }
  }
}

async function findRow(deps: Deps, known: Known, asKnown: MarketDate | undefined): Promise<Found> {
  const { lookUp } = deps
  const { instrument, listing } = known
  const { code } = instrument
  const { possible, expected, calendar } = await daysOf(deps, asKnown)
  if (listing?.delist_date && listing.delist_date <= expected) {
    throw absent('delisted', {
      zh: `${code} 已于 ${listing.delist_date} 退市`,
      en: `${code} was delisted on ${listing.delist_date}`,
    })
  }
  for (const day of new Set([possible, expected])) {
    try {
      const answer = await lookUp(ratiosOfDay(code, day))
      const [row] = answer.rows
      if (row) return { row, answer, expected: day, stale: answer.stale }
    } catch (error) {
      if (!isOutage(error)) throw error
      const look = (earlier: MarketDate) => lookUp(ratiosOfDay(code, earlier))
      const held = await newestHeld({ calendar, before: day, look })
      if (!held) throw error
      return { ...held, expected, stale: true }
    }
  }
  const answer = await lookUp(ratiosUpTo(code, expected, 400))
  const [row] = answer.rows.toSorted((a, b) => (a.trade_date < b.trade_date ? 1 : -1))
  if (!row) {
    throw absent('no_data', {
      zh: `${code} 没有每日指标`,
      en: `There are no daily ratios of ${code}`,
    })
  }
  const { rows: suspensions } = await lookUp(suspensionsOfDay(expected))
  const isSuspended = suspensions.some(
    ({ ts_code, suspend_type, suspend_timing }) =>
      ts_code === code && suspend_type === 'S' && suspend_timing === null,
  )
  // Nothing newer can exist of who does not trade.
  return { row, answer, expected: isSuspended ? row.trade_date : expected, stale: answer.stale }
}

async function daysOf({ tradingDays }: Deps, asKnown: MarketDate | undefined) {
  const calendar = await tradingDays.get()
  const now = new Date()
  const past = asKnown !== undefined && asKnown < marketDateAt(now) ? asKnown : undefined
  const day = past === undefined ? undefined : calendar.latestOpenDay(past)
  const days = past === undefined ? latestDays(calendar, 'daily_basic', now) : undefined
  if (days) return { ...days, calendar }
  if (day !== undefined) return { possible: day, expected: day, calendar }
  throw absent('no_data', {
    zh: '交易日历未覆盖这一天',
    en: 'The trading calendar does not reach that day',
  })
}
