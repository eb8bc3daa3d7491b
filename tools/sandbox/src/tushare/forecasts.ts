import { addDays } from '../market/dates.ts'
import { quarterCount } from '../market/figures.ts'
import { fraction } from '../market/random.ts'
import { type Report, yearBefore } from '../market/statements.ts'
import type { StockBook } from '../market/stock-book.ts'
import { eachBook } from './disclosures.ts'
import type { Interface, Row, RowRequest } from './interface.ts'
import { roundTo, yuan } from './round.ts'

const forecastColumns =
  'ts_code ann_date end_date type p_change_min p_change_max net_profit_min net_profit_max last_parent_net first_ann_date summary change_reason'.split(
    ' ',
  )
const expressColumns =
  'ts_code ann_date end_date revenue operate_profit total_profit n_income total_assets total_hldr_eqy_exc_min_int diluted_eps diluted_roe yoy_net_profit bps yoy_sales yoy_op yoy_tp yoy_dedu_np yoy_eps yoy_roe growth_assets yoy_equity growth_bps or_last_year op_last_year tp_last_year np_last_year eps_last_year open_net_assets open_bps perf_summary is_audit remark'.split(
    ' ',
  )
const whenOrWho = ['ts_code', 'ann_date', 'period', 'start_date']

export const forecastInterfaces: readonly Interface[] = [
  ...['forecast', 'forecast_vip'].map((name) => ({
    name,
    columns: forecastColumns,
    points: name.endsWith('vip') ? 5_000 : 2_000,
    rowLimit: 3_000,
    needsOneOf: whenOrWho,
    rows: forecastRows,
  })),
  ...['express', 'express_vip'].map((name) => ({
    name,
    columns: expressColumns,
    points: name.endsWith('vip') ? 5_000 : 2_000,
    rowLimit: 3_000,
    needsOneOf: whenOrWho,
    rows: expressRows,
  })),
]

type Early = {
  book: StockBook
  report: Report
  announced: number
  lastProfit: number
  lastRevenue: number
}

/** Reports that were announced early, by a forecast or an express report, newest first. */
function* eachEarly(
  request: RowRequest,
  daysBefore: number,
  isChosen: (book: StockBook, quarter: number) => boolean,
): Generator<Early> {
  const { market, params, published } = request
  const { from, to } = params.range('ann_date')
  const period = params.date('period')
  for (const book of eachBook(request)) {
    if (book.stock.board === 'b') continue
    for (let quarter = quarterCount - 1; quarter >= book.figures.first + 4; quarter -= 1) {
      if (!isChosen(book, quarter)) continue
      const final = book.figures.announced[quarter] ?? 0
      const announced = addDays(final, -daysBefore)
      if (announced > published.today || announced < from || announced > to) continue
      const report = market.getStatements(book.stock.code, quarter, final)[0]
      const before = yearBefore(book, quarter)
      if (
        !report ||
        !before ||
        announced <= report.period ||
        (period !== undefined && report.period !== period)
      )
        continue
      yield { book, report, announced, lastProfit: before.profit, lastRevenue: before.revenue }
    }
  }
}

function* forecastRows(request: RowRequest): Generator<Row> {
  const wanted = request.params.text('type')
  for (const { book, report, announced, lastProfit } of eachEarly(
    request,
    25,
    (_, quarter) => quarter % 4 === 0,
  )) {
    const profit = report.income.parentProfit
    const changePct = ((profit - lastProfit) / Math.abs(lastProfit || 1)) * 100
    const type = forecastType(profit, lastProfit, changePct)
    // Small changes need no forecast.
    if (type === undefined || (wanted !== undefined && wanted !== type)) continue
    const low = roundTo(changePct - 8, 2)
    const high = roundTo(changePct + 8, 2)
    yield {
      ts_code: book.stock.code,
      ann_date: String(announced),
      end_date: String(report.period),
      type,
      p_change_min: low,
      p_change_max: high,
      net_profit_min: inTenThousands(profit - Math.abs(lastProfit) * 0.08),
      net_profit_max: inTenThousands(profit + Math.abs(lastProfit) * 0.08),
      last_parent_net: inTenThousands(lastProfit),
      first_ann_date: String(announced),
      summary: `预计净利润同比变动${low}%至${high}%`,
      change_reason: null,
    }
  }
}

function forecastType(profit: number, before: number, changePct: number): string | undefined {
  if (profit < 0) return before < 0 ? '续亏' : '首亏'
  if (before < 0) return '扭亏'
  if (Math.abs(changePct) < 20) return undefined
  if (changePct >= 50) return '预增'
  if (changePct <= -50) return '预减'
  return changePct > 0 ? '略增' : '略减'
}

function* expressRows(request: RowRequest): Generator<Row> {
  for (const { book, report, announced, lastProfit, lastRevenue } of eachEarly(
    request,
    15,
    hasExpress,
  )) {
    const { income, balance, shares } = report
    const before = yearBefore(book, report.quarter)
    yield {
      ts_code: book.stock.code,
      ann_date: String(announced),
      end_date: String(report.period),
      revenue: yuan(income.revenue),
      operate_profit: yuan(income.operatingProfit),
      total_profit: yuan(income.beforeTax),
      n_income: yuan(income.parentProfit),
      total_assets: yuan(balance.assets),
      total_hldr_eqy_exc_min_int: yuan(balance.parentEquity),
      diluted_eps: roundTo(income.parentProfit / 100 / shares, 2),
      diluted_roe:
        balance.parentEquity > 0
          ? roundTo((income.parentProfit / balance.parentEquity) * 100, 2)
          : null,
      // Yuan, in spite of the name: last year's profit.
      yoy_net_profit: yuan(lastProfit),
      bps: roundTo(balance.parentEquity / 100 / shares, 4),
      yoy_sales: growth(income.revenue, lastRevenue),
      yoy_dedu_np: growth(income.parentProfit, lastProfit),
      or_last_year: yuan(lastRevenue),
      np_last_year: yuan(lastProfit),
      open_net_assets: yuan(before?.equity),
      perf_summary: null,
      is_audit: 0,
      remark: null,
    }
  }
}

/** One company in five does not wait for its annual report. */
function hasExpress(book: StockBook, quarter: number): boolean {
  return quarter % 4 === 0 && fraction(book.seed, 231, quarter) < 0.2
}

function growth(now: number, then: number): number | null {
  return then === 0 ? null : roundTo(((now - then) / Math.abs(then)) * 100, 2)
}

/** Forecasts are in ten thousands of yuan, where the statements have yuan. */
function inTenThousands(fen: number): number {
  return roundTo(fen / 1_000_000, 2)
}
