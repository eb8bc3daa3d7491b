import type { Report } from '../market/statements.ts'
import type { Cell, Interface, Row, RowRequest } from './interface.ts'
import { eachReport, type FlaggedReport, oneStockOnly } from './report-periods.ts'
import { roundTo, yuan } from './round.ts'

const head = 'ts_code ann_date f_ann_date end_date report_type comp_type end_type'
const incomeColumns =
  `${head} basic_eps diluted_eps total_revenue revenue int_income prem_earned comm_income n_commis_income total_cogs oper_cost int_exp biz_tax_surchg sell_exp admin_exp fin_exp rd_exp assets_impair_loss fv_value_chg_gain invest_income operate_profit non_oper_income non_oper_exp total_profit income_tax n_income n_income_attr_p minority_gain oth_compr_income t_compr_income ebit ebitda undist_profit -credit_impa_loss -oth_income -asset_disp_income -continued_net_profit -total_opcost -net_after_nr_lp_correct update_flag`.split(
    ' ',
  )
const balanceColumns =
  `${head} total_share cap_rese undistr_porfit surplus_rese money_cap trad_asset notes_receiv accounts_receiv oth_receiv prepayment inventories total_cur_assets lt_eqt_invest fix_assets cip intan_assets goodwill total_nca total_assets st_borr lt_borr notes_payable acct_payable contract_liab total_cur_liab bond_payable total_ncl total_liab treasury_share minority_int total_hldr_eqy_exc_min_int total_hldr_eqy_inc_min_int total_liab_hldr_eqy depos loan_oth_bank decr_in_disbur -use_right_assets -lease_liab -oth_eq_invest -receiv_financing update_flag`.split(
    ' ',
  )
const cashColumns =
  `${head} net_profit c_fr_sale_sg c_inf_fr_operate_a c_paid_goods_s c_paid_to_for_empl c_paid_for_taxes st_cash_out_act n_cashflow_act c_pay_acq_const_fiolta n_cashflow_inv_act c_recp_borrow c_prepay_amt_borr c_pay_dist_dpcp_int_exp n_cash_flows_fnc_act eff_fx_flu_cash n_incr_cash_cash_equ c_cash_equ_beg_period c_cash_equ_end_period free_cashflow depr_fa_coga_dpba amort_intang_assets update_flag`.split(
    ' ',
  )

type Spell = (report: Report) => Row

export const statementInterfaces: readonly Interface[] = [
  ...pair('income', incomeColumns, (report) => spellIncome(report)),
  ...pair('balancesheet', balanceColumns, (report) => spellBalance(report)),
  ...pair('cashflow', cashColumns, (report) => spellCash(report)),
]

function pair(name: string, columns: string[], spell: Spell): Interface[] {
  return [
    {
      name,
      columns,
      points: 2_000,
      rowLimit: 1_000,
      needsOneOf: ['ts_code'],
      rows: (request) => statementRows(oneStockOnly(request), spell),
    },
    {
      name: `${name}_vip`,
      columns,
      points: 5_000,
      rowLimit: 6_000,
      needsOneOf: ['ts_code', 'period'],
      rows: (request) => statementRows(request, spell),
    },
  ]
}

const businessTypes = { general: '1', bank: '2', insurer: '3', broker: '4' } as const

function* statementRows(request: RowRequest, spell: Spell): Generator<Row> {
  const { market, params } = request
  const wanted = params.text('report_type') ?? '1'
  const businessType = params.text('comp_type')
  const { from, to } = params.range('ann_date')
  const actualDate = params.date('f_ann_date')
  for (const flagged of eachReport(request)) {
    const { book, report } = flagged
    if (!hasVersion(wanted, flagged)) continue
    if (report.firstAnnounced < from || report.firstAnnounced > to) continue
    if (actualDate !== undefined && report.announced !== actualDate) continue
    const ownType = businessTypes[book.stock.business]
    if (businessType !== undefined && businessType !== ownType) continue
    const before =
      wanted === '2' && report.part > 1
        ? market.getStatements(book.stock.code, report.quarter - 1, report.announced).at(-1)
        : undefined
    const row = spell(report)
    yield {
      ...(before ? subtract(row, spell(before), spell === spellBalance) : row),
      ts_code: book.stock.code,
      ann_date: String(report.firstAnnounced),
      f_ann_date: String(report.announced),
      end_date: String(report.period),
      report_type: wanted,
      comp_type: ownType,
      end_type: String(report.part),
      update_flag: flagged.updateFlag,
    }
  }
}

/** Which rows a report_type has: 1 all versions, 2 single quarters, 4 what a correction made, 5 what it replaced. */
function hasVersion(reportType: string, { report, updateFlag }: FlaggedReport): boolean {
  switch (reportType) {
    case '1':
      return true
    case '2':
      return updateFlag === '1'
    case '4':
      return report.announced !== report.firstAnnounced
    case '5':
      return report.superseded
    default:
      // Parent-company statements are not modelled: an empty table, as for a company that has none.
      return false
  }
}

/** Year to date less year to date a quarter earlier; a balance sheet is a moment and has no quarter. */
function subtract(row: Row, before: Row, isMoment: boolean): Row {
  if (isMoment) return row
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      const earlier = before[name]
      return [
        name,
        typeof value === 'number' && typeof earlier === 'number'
          ? roundTo(value - earlier, 2)
          : value,
      ]
    }),
  )
}

function spellIncome({ income, balance, shares }: Report): Row {
  const eps = roundTo(income.parentProfit / 100 / shares, 2)
  return {
    basic_eps: eps,
    diluted_eps: eps,
    total_revenue: yuan(income.revenue),
    revenue: yuan(income.revenue),
    int_income: yuan(income.interestIncome),
    n_commis_income: yuan(income.commissionIncome),
    total_cogs: yuan(income.totalCost),
    total_opcost: yuan(income.totalCost),
    oper_cost: yuan(income.operatingCost),
    biz_tax_surchg: yuan(income.taxes),
    sell_exp: yuan(income.selling),
    admin_exp: yuan(income.admin),
    fin_exp: yuan(income.finance),
    rd_exp: yuan(income.research),
    invest_income: yuan(income.investIncome),
    operate_profit: yuan(income.operatingProfit),
    non_oper_income: yuan(income.otherIncome),
    non_oper_exp: yuan(income.otherExpense),
    total_profit: yuan(income.beforeTax),
    income_tax: yuan(income.incomeTax),
    n_income: yuan(income.netProfit),
    continued_net_profit: yuan(income.netProfit),
    n_income_attr_p: yuan(income.parentProfit),
    minority_gain: yuan(income.minority),
    t_compr_income: yuan(income.netProfit),
    oth_compr_income: 0,
    ebit: yuan(income.ebit),
    undist_profit: yuan(balance.undistributed),
  }
}

function spellBalance({ balance }: Report): Row {
  return {
    total_share: balance.shares,
    cap_rese: yuan(balance.capitalReserve),
    undistr_porfit: yuan(balance.undistributed),
    surplus_rese: yuan(balance.surplusReserve),
    money_cap: yuan(balance.money),
    accounts_receiv: yuan(balance.receivable),
    inventories: yuan(balance.inventories),
    total_cur_assets: yuan(balance.currentAssets),
    fix_assets: yuan(balance.fixedAssets),
    goodwill: yuan(balance.goodwill),
    total_nca: yuan(balance.nonCurrentAssets),
    total_assets: yuan(balance.assets),
    st_borr: yuan(balance.shortLoans),
    lt_borr: yuan(balance.longLoans),
    acct_payable: yuan(balance.payable),
    total_cur_liab: yuan(balance.currentLiabilities),
    total_ncl: yuan(balance.nonCurrentLiabilities),
    total_liab: yuan(balance.liabilities),
    minority_int: yuan(balance.minorityEquity),
    total_hldr_eqy_exc_min_int: yuan(balance.parentEquity),
    total_hldr_eqy_inc_min_int: yuan(balance.equity),
    total_liab_hldr_eqy: yuan(balance.assets),
    depos: yuan(balance.deposits),
  }
}

function spellCash({ cash, income }: Report): Row {
  const inflow: Cell = yuan(Math.round(income.revenue * 1.08))
  return {
    net_profit: yuan(income.netProfit),
    c_fr_sale_sg: inflow,
    c_inf_fr_operate_a: inflow,
    st_cash_out_act: yuan(Math.round(income.revenue * 1.08) - cash.operating),
    n_cashflow_act: yuan(cash.operating),
    c_pay_acq_const_fiolta: yuan(cash.capex),
    n_cashflow_inv_act: yuan(cash.investing),
    n_cash_flows_fnc_act: yuan(cash.financing),
    eff_fx_flu_cash: 0,
    n_incr_cash_cash_equ: yuan(cash.increase),
    c_cash_equ_beg_period: yuan(cash.begin),
    c_cash_equ_end_period: yuan(cash.end),
    free_cashflow: yuan(cash.free),
    depr_fa_coga_dpba: yuan(cash.depreciation),
  }
}
