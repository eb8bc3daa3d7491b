import { z } from 'zod'
import { date, dateOrNull, optionalDigits, textOrNull, tsCode } from './tushare-columns.ts'
import { defineTable } from './tushare-table.ts'

// Money is yuan, year to date. Several rows may share code, period and report_type: see statement-versions.ts.
const head = {
  ts_code: tsCode,
  ann_date: dateOrNull,
  f_ann_date: dateOrNull,
  end_date: date,
  report_type: textOrNull,
  comp_type: textOrNull,
  update_flag: textOrNull,
}
const keys = { codeColumn: 'ts_code', periodColumn: 'end_date' } as const

export const incomeTable = defineTable({
  ...keys,
  api: 'income',
  rowLimit: 5000,
  row: z.object({
    ...head,
    ...optionalDigits([
      'basic_eps',
      'diluted_eps',
      'total_revenue',
      'revenue',
      'int_income',
      'prem_earned',
      'comm_income',
      'n_commis_income',
      'total_cogs',
      'oper_cost',
      'int_exp',
      'biz_tax_surchg',
      'sell_exp',
      'admin_exp',
      'fin_exp',
      'rd_exp',
      'assets_impair_loss',
      'credit_impa_loss',
      'fv_value_chg_gain',
      'invest_income',
      'operate_profit',
      'non_oper_income',
      'non_oper_exp',
      'total_profit',
      'income_tax',
      'n_income',
      'n_income_attr_p',
      'minority_gain',
      'oth_compr_income',
      't_compr_income',
      'ebit',
      'ebitda',
      'undist_profit',
    ]),
  }),
})
export type IncomeRow = z.infer<typeof incomeTable.row>

export const balanceSheetTable = defineTable({
  ...keys,
  api: 'balancesheet',
  rowLimit: 5000,
  row: z.object({
    ...head,
    ...optionalDigits([
      'total_share',
      'money_cap',
      'trad_asset',
      'notes_receiv',
      'accounts_receiv',
      'oth_receiv',
      'prepayment',
      'inventories',
      'total_cur_assets',
      'lt_eqt_invest',
      'fix_assets',
      'cip',
      'intan_assets',
      'goodwill',
      'total_nca',
      'total_assets',
      'st_borr',
      'lt_borr',
      'notes_payable',
      'acct_payable',
      'contract_liab',
      'total_cur_liab',
      'bond_payable',
      'total_ncl',
      'total_liab',
      'cap_rese',
      'surplus_rese',
      // Spelt so by the source.
      'undistr_porfit',
      'treasury_share',
      'minority_int',
      'total_hldr_eqy_exc_min_int',
      'total_hldr_eqy_inc_min_int',
      'total_liab_hldr_eqy',
      'depos',
      'loan_oth_bank',
      'decr_in_disbur',
      'use_right_assets',
      'lease_liab',
    ]),
  }),
  impossible: ({ total_assets, total_liab_hldr_eqy }) => {
    if (!total_assets || !total_liab_hldr_eqy) return undefined
    const assets = Number(total_assets)
    const difference = Math.abs(assets - Number(total_liab_hldr_eqy))
    return difference > Math.max(1, Math.abs(assets) * 0.001)
      ? 'assets do not equal liabilities and equity'
      : undefined
  },
})
export type BalanceSheetRow = z.infer<typeof balanceSheetTable.row>

export const cashFlowTable = defineTable({
  ...keys,
  api: 'cashflow',
  rowLimit: 5000,
  row: z.object({
    ...head,
    ...optionalDigits([
      'net_profit',
      'c_fr_sale_sg',
      'c_inf_fr_operate_a',
      'c_paid_goods_s',
      'c_paid_to_for_empl',
      'c_paid_for_taxes',
      'st_cash_out_act',
      'n_cashflow_act',
      'c_pay_acq_const_fiolta',
      'n_cashflow_inv_act',
      'c_recp_borrow',
      'c_prepay_amt_borr',
      'c_pay_dist_dpcp_int_exp',
      'n_cash_flows_fnc_act',
      'eff_fx_flu_cash',
      'n_incr_cash_cash_equ',
      'c_cash_equ_beg_period',
      'c_cash_equ_end_period',
      'free_cashflow',
      'depr_fa_coga_dpba',
      'amort_intang_assets',
    ]),
  }),
})
export type CashFlowRow = z.infer<typeof cashFlowTable.row>

/** gross_margin is gross profit in yuan; the ratio in per cent is grossprofit_margin. Banks lack many. */
export const finaIndicatorTable = defineTable({
  ...keys,
  api: 'fina_indicator',
  rowLimit: 100,
  row: z.object({
    ts_code: tsCode,
    ann_date: dateOrNull,
    end_date: date,
    update_flag: textOrNull,
    ...optionalDigits([
      'eps',
      'dt_eps',
      'bps',
      'ocfps',
      'cfps',
      'revenue_ps',
      'total_revenue_ps',
      'profit_dedt',
      'gross_margin',
      'grossprofit_margin',
      'netprofit_margin',
      'roe',
      'roe_waa',
      'roe_dt',
      'roe_yearly',
      'roa',
      'roic',
      'debt_to_assets',
      'assets_to_eqt',
      'current_ratio',
      'quick_ratio',
      'cash_ratio',
      'ar_turn',
      'inv_turn',
      'assets_turn',
      'turn_days',
      'ebit',
      'ebitda',
      'fcff',
      'fcfe',
      'interestdebt',
      'netdebt',
      'working_capital',
      'basic_eps_yoy',
      'netprofit_yoy',
      'dt_netprofit_yoy',
      'tr_yoy',
      'or_yoy',
      'op_yoy',
      'ocf_yoy',
      'equity_yoy',
      'q_sales_yoy',
      'q_op_qoq',
      'q_roe',
      'q_netprofit_yoy',
    ]),
  }),
})
export type FinaIndicatorRow = z.infer<typeof finaIndicatorTable.row>

/** Amounts per share. Only rows with div_proc 实施 were paid; the others are plans. */
export const dividendTable = defineTable({
  api: 'dividend',
  rowLimit: 5000,
  codeColumn: 'ts_code',
  row: z.object({
    ts_code: tsCode,
    end_date: dateOrNull,
    ann_date: dateOrNull,
    div_proc: textOrNull,
    ...optionalDigits(['stk_div', 'stk_bo_rate', 'stk_co_rate', 'cash_div', 'cash_div_tax']),
    record_date: dateOrNull,
    ex_date: dateOrNull,
    pay_date: dateOrNull,
    div_listdate: dateOrNull,
    imp_ann_date: dateOrNull,
  }),
  impossible: ({ cash_div_tax, stk_div }) =>
    Number(cash_div_tax ?? 0) < 0 || Number(stk_div ?? 0) < 0
      ? 'a dividend is below zero'
      : undefined,
})
export type DividendRow = z.infer<typeof dividendTable.row>
