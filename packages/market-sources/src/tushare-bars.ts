import { z } from 'zod'
import { impossibleBar } from './impossible-bar.ts'
import { date, digits, digitsOrNull, tsCode } from './tushare-columns.ts'
import { defineTable } from './tushare-table.ts'

const prices = {
  ts_code: tsCode,
  trade_date: date,
  open: digits,
  high: digits,
  low: digits,
  close: digits,
  pre_close: digits,
}
const barRow = z.object({
  ...prices,
  change: digitsOrNull,
  pct_chg: digitsOrNull,
  vol: digits,
  amount: digits,
})
const keys = { codeColumn: 'ts_code', dateColumn: 'trade_date', row: barRow } as const
const lotsAndThousands = { sharesPerVol: 100, currencyPerAmount: 1000 }

/** Day bars of A shares, unadjusted. vol is lots of 100 shares, amount thousand yuan. */
export const dailyTable = defineTable({
  ...keys,
  api: 'daily',
  rowLimit: 6000,
  impossible: (row) => impossibleBar(row, lotsAndThousands),
})
export type DailyRow = z.infer<typeof dailyTable.row>

/** As daily. Most instruments of a day do not fit into one answer. */
export const fundDailyTable = defineTable({
  ...keys,
  api: 'fund_daily',
  rowLimit: 2000,
  impossible: (row) => impossibleBar(row, lotsAndThousands),
})

/** Points for prices; vol and amount are those of the members, so their quotient says nothing. */
export const indexDailyTable = defineTable({
  ...keys,
  api: 'index_daily',
  rowLimit: 8000,
  impossible: (row) => impossibleBar(row),
})

/** vol is shares, amount HKD. Sold separately: expect `no_permission`. */
export const hkDailyTable = defineTable({
  ...keys,
  api: 'hk_daily',
  rowLimit: 5000,
  impossible: (row) => impossibleBar(row, { sharesPerVol: 1, currencyPerAmount: 1 }),
})

/** vol is shares, amount USD, and the percentage has another name. Sold separately. */
export const usDailyTable = defineTable({
  api: 'us_daily',
  rowLimit: 6000,
  codeColumn: 'ts_code',
  dateColumn: 'trade_date',
  row: z.object({ ...prices, pct_change: digitsOrNull, vol: digits, amount: digitsOrNull }),
  impossible: (row) => impossibleBar({ ...row, change: null, pct_chg: row.pct_change }),
})
