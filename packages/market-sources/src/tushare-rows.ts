import { z } from 'zod'
import {
  date,
  dateOrNull,
  digits,
  digitsOrNull,
  flag,
  text,
  textOrNull,
  tsCode,
} from './tushare-columns.ts'
import { defineTable } from './tushare-table.ts'

/** Ratios of the day. pe and pe_ttm are null for a loss; shares and values are in units of 10,000. */
export const dailyBasicTable = defineTable({
  api: 'daily_basic',
  rowLimit: 6000,
  codeColumn: 'ts_code',
  dateColumn: 'trade_date',
  row: z.object({
    ts_code: tsCode,
    trade_date: date,
    close: digits,
    turnover_rate: digitsOrNull,
    turnover_rate_f: digitsOrNull,
    volume_ratio: digitsOrNull,
    pe: digitsOrNull,
    pe_ttm: digitsOrNull,
    pb: digitsOrNull,
    ps: digitsOrNull,
    ps_ttm: digitsOrNull,
    dv_ratio: digitsOrNull,
    dv_ttm: digitsOrNull,
    total_share: digitsOrNull,
    float_share: digitsOrNull,
    free_share: digitsOrNull,
    total_mv: digitsOrNull,
    circ_mv: digitsOrNull,
  }),
  impossible: (row) => {
    if (Number(row.close) <= 0) return 'close is not above zero'
    if (row.total_mv !== null && Number(row.total_mv) <= 0) return 'total_mv is not above zero'
    if (row.total_share === null || row.total_mv === null) return undefined
    // B shares state their value in another currency than their price on some days: only gross errors count.
    const ratio = Number(row.total_mv) / (Number(row.total_share) * Number(row.close))
    return ratio > 50 || ratio < 0.02 ? 'total_mv does not fit close and total_share' : undefined
  },
})
export type DailyBasicRow = z.infer<typeof dailyBasicTable.row>

export const adjFactorTable = defineTable({
  api: 'adj_factor',
  rowLimit: 6000,
  codeColumn: 'ts_code',
  dateColumn: 'trade_date',
  row: z.object({ ts_code: tsCode, trade_date: date, adj_factor: digits }),
  impossible: (row) => (Number(row.adj_factor) > 0 ? undefined : 'adj_factor is not above zero'),
})
export type AdjFactorRow = z.infer<typeof adjFactorTable.row>

export const tradeCalTable = defineTable({
  api: 'trade_cal',
  rowLimit: 20_000,
  dateColumn: 'cal_date',
  row: z.object({ exchange: text, cal_date: date, is_open: flag, pretrade_date: dateOrNull }),
  impossible: ({ cal_date, pretrade_date }) =>
    pretrade_date !== null && pretrade_date >= cal_date
      ? 'pretrade_date is not before cal_date'
      : undefined,
})
export type TradeCalRow = z.infer<typeof tradeCalTable.row>

/** Ask for list_status L, D and P, or the delisted vanish. */
export const stockBasicTable = defineTable({
  api: 'stock_basic',
  rowLimit: 10_000,
  codeColumn: 'ts_code',
  row: z.object({
    ts_code: tsCode,
    symbol: text,
    name: text,
    area: textOrNull,
    industry: textOrNull,
    fullname: textOrNull,
    cnspell: textOrNull,
    market: textOrNull,
    exchange: textOrNull,
    curr_type: textOrNull,
    list_status: z.enum(['L', 'D', 'P', 'G']),
    list_date: dateOrNull,
    delist_date: dateOrNull,
  }),
})
export type StockBasicRow = z.infer<typeof stockBasicTable.row>

/** suspend_timing null is the whole day, `09:30-10:00` a part of it. */
export const suspendTable = defineTable({
  api: 'suspend_d',
  rowLimit: 5000,
  codeColumn: 'ts_code',
  dateColumn: 'trade_date',
  row: z.object({
    ts_code: tsCode,
    trade_date: date,
    suspend_timing: textOrNull,
    suspend_type: z.enum(['S', 'R']),
  }),
})
export type SuspendRow = z.infer<typeof suspendTable.row>

/** end_date null is the present name. Dates of a range are those of the announcement. */
export const nameChangeTable = defineTable({
  api: 'namechange',
  rowLimit: 10_000,
  codeColumn: 'ts_code',
  row: z.object({
    ts_code: tsCode,
    name: text,
    start_date: dateOrNull,
    end_date: dateOrNull,
    ann_date: dateOrNull,
    change_reason: textOrNull,
  }),
})
export type NameChangeRow = z.infer<typeof nameChangeTable.row>

/** Beijing's renumbering: o_code 838163.BJ became n_code 920163.BJ. */
export const bseMappingTable = defineTable({
  api: 'bse_mapping',
  rowLimit: 1000,
  row: z.object({ name: text, o_code: tsCode, n_code: tsCode, list_date: dateOrNull }),
  impossible: ({ n_code }) =>
    /^920\d{3}\.BJ$/.test(n_code) ? undefined : 'n_code is not a new Beijing code',
})
export type BseMappingRow = z.infer<typeof bseMappingTable.row>
