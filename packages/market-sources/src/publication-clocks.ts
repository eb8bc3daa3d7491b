import type { MarketZone } from './market-date.ts'

/**
 * When a table of a trading day appears, in Shanghai time. Before `opens` no row can be there; after
 * `due` a missing row makes what we hold stale; after `settled` a missing row has another reason than
 * being late.
 */
export type PublicationClock = {
  opens: string
  due: string
  settled: string
  /** the clocks are those of a later day; default 0 */
  daysLater?: number
  /** whose day it is; default Asia/Shanghai */
  zone?: MarketZone
}

/** Tables that hold a row per trading day. Statements have no clock: they follow announcements. */
export const publicationClocks = {
  daily: { opens: '15:00', due: '16:00', settled: '17:30' },
  index_daily: { opens: '15:00', due: '16:00', settled: '17:30' },
  fund_daily: { opens: '15:00', due: '16:00', settled: '17:30' },
  daily_basic: { opens: '15:00', due: '17:00', settled: '17:30' },
  adj_factor: { opens: '09:15', due: '09:20', settled: '09:45' },
  stk_limit: { opens: '08:30', due: '08:40', settled: '09:15' },
  stock_st: { opens: '09:00', due: '09:20', settled: '09:45' },
  hk_daily: { opens: '16:10', due: '18:00', settled: '20:00' },
  // The hour is not documented: New York closes at 04:00 or 05:00 Shanghai time.
  us_daily: {
    opens: '04:00',
    due: '12:00',
    settled: '18:00',
    daysLater: 1,
    zone: 'America/New_York',
  },
  report_rc: { opens: '19:00', due: '22:00', settled: '23:30' },
} as const satisfies Record<string, PublicationClock>

export type ClockedTable = keyof typeof publicationClocks

export function clockOf(table: ClockedTable): PublicationClock {
  return publicationClocks[table]
}
