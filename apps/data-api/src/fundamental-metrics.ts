import type { UnitName } from '@twilight/cite-envelope/unit'
import type {
  BalanceSheetRow,
  CashFlowRow,
  FinaIndicatorRow,
  IncomeRow,
} from '@twilight/market-sources/tushare-statements'
import type { DailyBasicRow } from '@twilight/market-sources/tushare-rows'

/** Which columns of a table are served, and in what unit the source gives them. */
export type Metrics<Row> = readonly (readonly [column: keyof Row & string, unit: UnitName])[]

/** Yuan, from the first day of the year to the last of the period. */
export const incomeMetrics: Metrics<IncomeRow> = [
  ['total_revenue', 'CNY'],
  ['revenue', 'CNY'],
  ['oper_cost', 'CNY'],
  ['total_cogs', 'CNY'],
  ['sell_exp', 'CNY'],
  ['admin_exp', 'CNY'],
  ['fin_exp', 'CNY'],
  ['rd_exp', 'CNY'],
  ['operate_profit', 'CNY'],
  ['total_profit', 'CNY'],
  ['income_tax', 'CNY'],
  ['n_income', 'CNY'],
  ['n_income_attr_p', 'CNY'],
  ['minority_gain', 'CNY'],
  ['basic_eps', 'CNY'],
  ['diluted_eps', 'CNY'],
]

export const balanceSheetMetrics: Metrics<BalanceSheetRow> = [
  ['money_cap', 'CNY'],
  ['accounts_receiv', 'CNY'],
  ['inventories', 'CNY'],
  ['total_cur_assets', 'CNY'],
  ['fix_assets', 'CNY'],
  ['goodwill', 'CNY'],
  ['total_nca', 'CNY'],
  ['total_assets', 'CNY'],
  ['st_borr', 'CNY'],
  ['lt_borr', 'CNY'],
  ['contract_liab', 'CNY'],
  ['total_cur_liab', 'CNY'],
  ['total_ncl', 'CNY'],
  ['total_liab', 'CNY'],
  ['minority_int', 'CNY'],
  ['total_hldr_eqy_exc_min_int', 'CNY'],
  ['total_hldr_eqy_inc_min_int', 'CNY'],
]

export const cashFlowMetrics: Metrics<CashFlowRow> = [
  ['c_fr_sale_sg', 'CNY'],
  ['n_cashflow_act', 'CNY'],
  ['c_pay_acq_const_fiolta', 'CNY'],
  ['n_cashflow_inv_act', 'CNY'],
  ['n_cash_flows_fnc_act', 'CNY'],
  ['n_incr_cash_cash_equ', 'CNY'],
  ['c_cash_equ_end_period', 'CNY'],
  ['free_cashflow', 'CNY'],
]

export const indicatorMetrics: Metrics<FinaIndicatorRow> = [
  ['eps', 'CNY'],
  ['dt_eps', 'CNY'],
  ['bps', 'CNY'],
  ['ocfps', 'CNY'],
  ['revenue_ps', 'CNY'],
  ['profit_dedt', 'CNY'],
  // In yuan, whatever its name says: served under the name of the source, which the unit explains.
  ['gross_margin', 'CNY'],
  ['grossprofit_margin', 'pct'],
  ['netprofit_margin', 'pct'],
  ['roe', 'pct'],
  ['roe_waa', 'pct'],
  ['roe_dt', 'pct'],
  ['roe_yearly', 'pct'],
  ['roa', 'pct'],
  ['roic', 'pct'],
  ['debt_to_assets', 'pct'],
  ['assets_to_eqt', 'x'],
  ['current_ratio', 'x'],
  ['quick_ratio', 'x'],
  ['cash_ratio', 'x'],
  ['ar_turn', 'x'],
  ['inv_turn', 'x'],
  ['assets_turn', 'x'],
  ['ebit', 'CNY'],
  ['ebitda', 'CNY'],
  ['basic_eps_yoy', 'pct'],
  ['netprofit_yoy', 'pct'],
  ['dt_netprofit_yoy', 'pct'],
  ['tr_yoy', 'pct'],
  ['or_yoy', 'pct'],
  ['op_yoy', 'pct'],
  ['ocf_yoy', 'pct'],
  ['equity_yoy', 'pct'],
  ['q_sales_yoy', 'pct'],
  ['q_netprofit_yoy', 'pct'],
  ['q_roe', 'pct'],
]

/** Ratios of a trading day; values and share counts are in units of ten thousand. */
export const dailyRatioMetrics: Metrics<DailyBasicRow> = [
  ['pe', 'x'],
  ['pe_ttm', 'x'],
  ['pb', 'x'],
  ['ps', 'x'],
  ['ps_ttm', 'x'],
  ['dv_ratio', 'pct'],
  ['dv_ttm', 'pct'],
  ['total_mv', 'CNY_10K'],
  ['circ_mv', 'CNY_10K'],
  ['turnover_rate', 'pct'],
  ['turnover_rate_f', 'pct'],
  ['volume_ratio', 'x'],
  ['total_share', 'share_10K'],
  ['float_share', 'share_10K'],
  ['free_share', 'share_10K'],
]

/** Why a cell is empty. Of the price-earnings ratio the source documents it: there were no earnings. */
export function nullReason(column: string): string {
  return column === 'pe' || column === 'pe_ttm' ? 'loss' : 'not_reported'
}
