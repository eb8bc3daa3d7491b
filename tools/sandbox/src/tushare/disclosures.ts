import type { CorporateAction } from '../market/corporate-actions.ts'
import { addDays } from '../market/dates.ts'
import { quarterCount } from '../market/figures.ts'
import { hash32 } from '../market/random.ts'
import type { StockBook } from '../market/stock-book.ts'
import type { Interface, Row, RowRequest } from './interface.ts'
import { roundTo } from './round.ts'

export const disclosureInterfaces: readonly Interface[] = [
  {
    name: 'dividend',
    columns:
      'ts_code end_date ann_date div_proc stk_div stk_bo_rate stk_co_rate cash_div cash_div_tax record_date ex_date pay_date div_listdate imp_ann_date -base_date -base_share'.split(
        ' ',
      ),
    points: 2_000,
    rowLimit: 2_000,
    needsOneOf: ['ts_code', 'ann_date', 'record_date', 'ex_date', 'imp_ann_date'],
    rows: dividendRows,
  },
  {
    name: 'disclosure_date',
    columns: ['ts_code', 'ann_date', 'end_date', 'pre_date', 'actual_date', '-modify_date'],
    points: 500,
    rowLimit: 3_000,
    rows: disclosureDateRows,
  },
]

export function* eachBook({ market, params }: RowRequest): Generator<StockBook> {
  for (const code of params.codes() ?? market.listStocks().map((stock) => stock.code)) {
    const book = market.openBook(code)
    if (book) yield book
  }
}

/** Two rows a distribution: the proposal, and what was carried out. Only the second has dates. */
function* dividendRows(request: RowRequest): Generator<Row> {
  const { params, published } = request
  const dates = ['ann_date', 'record_date', 'ex_date', 'imp_ann_date'] as const
  const wanted = dates.flatMap((name) =>
    params.text(name) === undefined ? [] : [{ name, date: String(params.date(name)) }],
  )
  for (const book of eachBook(request)) {
    for (const action of book.shares.actions.toReversed()) {
      const rows = [
        ...(action.implemented <= published.today ? [distribution(book, action, '实施')] : []),
        ...(action.proposed <= published.today ? [distribution(book, action, '预案')] : []),
      ]
      for (const row of rows) {
        if (wanted.every(({ name, date }) => row[name] === date)) yield row
      }
    }
  }
}

function distribution(book: StockBook, action: CorporateAction, stage: '预案' | '实施'): Row {
  const done = stage === '实施'
  const cash = action.cashFenPer10 / 1_000
  return {
    ts_code: book.stock.code,
    end_date: `${action.fiscalYear}1231`,
    ann_date: String(action.proposed),
    div_proc: stage,
    // Per share here; TDX states the same per ten shares.
    stk_div: (action.bonusPer10 + action.conversionPer10) / 10,
    stk_bo_rate: action.bonusPer10 === 0 ? null : action.bonusPer10 / 10,
    stk_co_rate: action.conversionPer10 === 0 ? null : action.conversionPer10 / 10,
    cash_div: roundTo(cash * 0.9, 5),
    cash_div_tax: cash,
    record_date: done ? String(action.recordDate) : null,
    ex_date: done ? String(action.exDate) : null,
    pay_date: done && cash > 0 ? String(action.exDate) : null,
    div_listdate:
      done && action.bonusPer10 + action.conversionPer10 > 0 ? String(action.exDate) : null,
    imp_ann_date: done ? String(action.implemented) : null,
    base_date: done ? `${action.fiscalYear}1231` : null,
    base_share: roundTo(
      action.sharesAfter / (1 + (action.bonusPer10 + action.conversionPer10) / 10) / 10_000,
      4,
    ),
  }
}

function* disclosureDateRows(request: RowRequest): Generator<Row> {
  const { market, params, published } = request
  const period = params.date('end_date')
  const actual = params.date('actual_date')
  for (const book of eachBook(request)) {
    for (let quarter = quarterCount - 1; quarter >= Math.max(book.figures.first, 0); quarter -= 1) {
      const announced = book.figures.announced[quarter] ?? 0
      const end = market.getStatements(book.stock.code, quarter, announced)[0]?.period ?? 0
      // The exchanges publish the plan when the quarter is over.
      if (end === 0 || end > published.today || (period !== undefined && end !== period)) continue
      const done = announced <= published.today
      if (actual !== undefined && !(done && announced === actual)) continue
      const moved = hash32(book.seed, 230, quarter) % 12 === 0
      yield {
        ts_code: book.stock.code,
        ann_date: String(addDays(end, 1)),
        end_date: String(end),
        pre_date: String(moved ? addDays(announced, -5) : announced),
        actual_date: done ? String(announced) : null,
        modify_date: moved ? String(announced) : null,
      }
    }
  }
}
