import { type Report, yearBefore } from '../market/statements.ts'
import type { StockBook } from '../market/stock-book.ts'
import type { Interface, Row, RowRequest } from './interface.ts'
import { eachReport, oneStockOnly } from './report-periods.ts'
import { orNull, yuan } from './round.ts'

const columns =
  'ts_code ann_date end_date eps dt_eps total_revenue_ps revenue_ps bps ocfps cfps profit_dedt gross_margin current_ratio quick_ratio cash_ratio ar_turn assets_turn turn_days ebit ebitda fcff fcfe interestdebt netdebt working_capital netprofit_margin grossprofit_margin roe roe_waa roe_dt roe_yearly roa roic debt_to_assets assets_to_eqt basic_eps_yoy netprofit_yoy dt_netprofit_yoy tr_yoy or_yoy op_yoy ocf_yoy equity_yoy q_sales_yoy q_op_qoq q_roe -inv_turn -invturn_days -arturn_days -daa -rd_exp -q_eps -q_profit_yoy -q_netprofit_yoy -update_flag'.split(
    ' ',
  )

export const indicatorInterfaces: readonly Interface[] = [
  {
    name: 'fina_indicator',
    columns,
    points: 2_000,
    rowLimit: 100,
    needsOneOf: ['ts_code'],
    rows: (request) => indicatorRows(oneStockOnly(request)),
  },
  {
    name: 'fina_indicator_vip',
    columns,
    points: 5_000,
    rowLimit: 6_000,
    needsOneOf: ['ts_code', 'period'],
    rows: indicatorRows,
  },
]

function* indicatorRows(request: RowRequest): Generator<Row> {
  const { params } = request
  const announced = params.date('ann_date')
  // Here start_date and end_date are report periods; in the statements they are announcement dates.
  const { from, to } = params.range('period')
  for (const { book, report, updateFlag } of eachReport(request)) {
    if (report.period < from || report.period > to) continue
    if (announced !== undefined && report.announced !== announced) continue
    yield {
      ts_code: book.stock.code,
      ann_date: String(report.announced),
      end_date: String(report.period),
      update_flag: updateFlag,
      ...spellOut(book, report),
    }
  }
}

function spellOut(book: StockBook, { income, balance, cash, shares, part, quarter }: Report): Row {
  const before = yearBefore(book, quarter)
  const general = book.stock.business === 'general'
  const perShare = (fen: number, decimals = 4) => orNull(fen / 100 / shares, decimals)
  const positive = balance.parentEquity > 0 ? balance.parentEquity : null
  const roe = pct(income.parentProfit, positive)
  const recurring = Math.round(income.parentProfit * 0.96)
  const quick =
    balance.currentAssets === null ? null : balance.currentAssets - (balance.inventories ?? 0)
  return {
    eps: perShare(income.parentProfit, 2),
    dt_eps: perShare(income.parentProfit, 2),
    total_revenue_ps: perShare(income.revenue),
    revenue_ps: perShare(income.revenue),
    bps: perShare(balance.parentEquity),
    ocfps: perShare(cash.operating),
    cfps: perShare(cash.increase),
    profit_dedt: yuan(recurring),
    // Yuan, in spite of the name; the ratio is grossprofit_margin.
    gross_margin:
      income.operatingCost === null ? null : yuan(income.revenue - income.operatingCost),
    current_ratio: ratio(balance.currentAssets, balance.currentLiabilities),
    quick_ratio: ratio(quick, balance.currentLiabilities),
    cash_ratio: general ? ratio(balance.money, balance.currentLiabilities) : null,
    ar_turn: ratio(income.revenue, balance.receivable),
    assets_turn: general ? ratio(income.revenue, balance.assets) : null,
    ebit: yuan(income.ebit),
    ebitda: income.ebit === null ? null : yuan(income.ebit + cash.depreciation),
    interestdebt: general ? yuan(balance.shortLoans + balance.longLoans) : null,
    netdebt: general ? yuan(balance.shortLoans + balance.longLoans - balance.money) : null,
    working_capital:
      balance.currentAssets === null || balance.currentLiabilities === null
        ? null
        : yuan(balance.currentAssets - balance.currentLiabilities),
    netprofit_margin: pct(income.netProfit, income.revenue),
    grossprofit_margin:
      income.operatingCost === null
        ? null
        : pct(income.revenue - income.operatingCost, income.revenue),
    roe,
    roe_waa: roe,
    roe_dt: pct(recurring, positive),
    roe_yearly: roe === null ? null : orNull((roe * 4) / part, 4),
    roa: pct(income.netProfit, balance.assets),
    debt_to_assets: pct(balance.liabilities, balance.assets),
    assets_to_eqt: ratio(balance.assets, positive),
    basic_eps_yoy: growth(income.parentProfit, before?.profit),
    netprofit_yoy: growth(income.parentProfit, before?.profit),
    dt_netprofit_yoy: growth(recurring, before && before.profit * 0.96),
    tr_yoy: growth(income.revenue, before?.revenue),
    or_yoy: growth(income.revenue, before?.revenue),
    equity_yoy: growth(balance.parentEquity, before?.equity),
    inv_turn: ratio(income.operatingCost, balance.inventories),
    rd_exp: yuan(income.research),
  }
}

function growth(now: number, then: number | undefined): number | null {
  return then === undefined || then === 0 ? null : orNull(((now - then) / Math.abs(then)) * 100, 4)
}

function ratio(a: number | null, b: number | null): number | null {
  return a === null || b === null || b === 0 ? null : orNull(a / b, 4)
}

function pct(a: number | null, b: number | null): number | null {
  return a === null || b === null || b === 0 ? null : orNull((a / b) * 100, 4)
}
