import type { Bar } from '../market/bars.ts'
import type { MarketDate } from '../market/dates.ts'
import { isTraded, preCloseOn, priceLimits } from '../market/price-path.ts'
import type { SimpleSecurity } from '../market/simple-securities.ts'
import type { StockBook } from '../market/stock-book.ts'
import type { Interface, Row, RowRequest } from './interface.ts'
import { orNull, roundTo } from './round.ts'

const barColumns = [
  'ts_code',
  'trade_date',
  'open',
  'high',
  'low',
  'close',
  'pre_close',
  'change',
  'pct_chg',
  'vol',
  'amount',
]
const basicColumns =
  'ts_code trade_date close turnover_rate turnover_rate_f volume_ratio pe pe_ttm pb ps ps_ttm dv_ratio dv_ttm total_share float_share free_share total_mv circ_mv'.split(
    ' ',
  )

export const quoteInterfaces: readonly Interface[] = [
  {
    name: 'daily',
    columns: barColumns,
    points: 120,
    rowLimit: 6_000,
    needsOneOf: ['ts_code', 'trade_date', 'start_date', 'end_date'],
    rows: dailyRows,
  },
  {
    name: 'daily_basic',
    columns: basicColumns,
    points: 2_000,
    rowLimit: 6_000,
    needsOneOf: ['ts_code', 'trade_date'],
    rows: basicRows,
  },
  {
    name: 'adj_factor',
    columns: ['ts_code', 'trade_date', 'adj_factor'],
    points: 2_000,
    rowLimit: 6_000,
    needsOneOf: ['ts_code', 'trade_date'],
    rows: factorRows,
  },
  {
    name: 'stk_limit',
    columns: ['trade_date', 'ts_code', '-pre_close', 'up_limit', 'down_limit'],
    points: 2_000,
    rowLimit: 5_800,
    needsOneOf: ['ts_code', 'trade_date', 'start_date'],
    rows: limitRows,
  },
  {
    name: 'index_daily',
    columns: [
      'ts_code',
      'trade_date',
      'close',
      'open',
      'high',
      'low',
      'pre_close',
      'change',
      'pct_chg',
      'vol',
      'amount',
    ],
    points: 2_000,
    rowLimit: 8_000,
    needsOneOf: ['ts_code'],
    rows: (request) => simpleRows(request, 'index'),
  },
  {
    name: 'fund_daily',
    columns: barColumns,
    points: 5_000,
    rowLimit: 2_000,
    needsOneOf: ['ts_code', 'trade_date'],
    rows: (request) => simpleRows(request, 'fund'),
  },
]

function* dailyRows(request: RowRequest): Generator<Row> {
  const { market, published } = request
  for (const { book, date } of eachStockDay(request)) {
    if (!published.bar(book.seed, date)) continue
    const bar = market.getBar(book.stock.code, date)
    if (!bar) continue
    const row = toRow(book.stock.code, bar, book.priceScale)
    // A few rows of the day are corrected in the evening.
    if (published.isProvisional(book.seed, date))
      row['vol'] = roundTo(Number(row['vol']) * 0.995, 2)
    yield row
  }
}

/** The stocks asked for on each day asked for, newest day first; `only` leaves out those that cannot have a row. */
export function* eachStockDay(
  { market, params, published }: RowRequest,
  only: (book: StockBook) => boolean = () => true,
): Generator<{ book: StockBook; date: MarketDate; day: number }> {
  const codes = params.codes() ?? market.listStocks().map((stock) => stock.code)
  const books = codes.map((code) => market.openBook(code)).filter((book) => book !== undefined)
  const candidates = books.filter(only)
  const { from, to } = params.range()
  const { mainland } = market.calendars
  const first = Math.max(0, mainland.indexFrom(from))
  for (let day = mainland.indexUpTo(Math.min(to, published.today)); day >= first; day -= 1) {
    const date = mainland.dateAt(day)
    for (const book of candidates) {
      if (day >= book.firstDay && day <= book.lastDay) yield { book, date, day }
    }
  }
}

function toRow(code: string, bar: Bar, scale: number): Row {
  const change = bar.close - bar.preClose
  return {
    ts_code: code,
    trade_date: String(bar.date),
    open: bar.open / scale,
    high: bar.high / scale,
    low: bar.low / scale,
    close: bar.close / scale,
    pre_close: bar.preClose / scale,
    change: change / scale,
    pct_chg: roundTo((change / bar.preClose) * 100, 4),
    // Lots of a hundred shares, and thousands of yuan.
    vol: bar.volume / 100,
    amount: Math.round(bar.amount / 100) / 1_000,
  }
}

function* basicRows(request: RowRequest): Generator<Row> {
  const { market, published } = request
  for (const { book, date } of eachStockDay(request)) {
    if (book.stock.board === 'b' || !published.basic(book.seed, date)) continue
    const basic = market.getDailyBasic(book.stock.code, date)
    if (!basic) continue
    yield {
      ts_code: book.stock.code,
      trade_date: String(date),
      close: basic.close / book.priceScale,
      turnover_rate: roundTo(basic.turnoverPct, 4),
      turnover_rate_f: roundTo(basic.freeTurnoverPct, 4),
      volume_ratio: orNull(basic.volumeRatio, 2),
      pe: orNull(basic.pe, 4),
      pe_ttm: orNull(basic.peTtm, 4),
      pb: orNull(basic.pb, 4),
      ps: orNull(basic.ps, 4),
      ps_ttm: orNull(basic.psTtm, 4),
      dv_ratio: orNull(basic.dividendYieldPct, 4),
      dv_ttm: orNull(basic.dividendYieldTtmPct, 4),
      // Ten thousands of shares and of yuan.
      total_share: basic.totalShares / 10_000,
      float_share: basic.floatShares / 10_000,
      free_share: basic.freeShares / 10_000,
      total_mv: roundTo(basic.totalValue / 1_000_000, 4),
      circ_mv: roundTo(basic.floatValue / 1_000_000, 4),
    }
  }
}

function* factorRows(request: RowRequest): Generator<Row> {
  const { market, published } = request
  const isOut = published.from(9, 20)
  for (const { book, date } of eachStockDay(request)) {
    const factor = isOut(date) ? market.getFactor(book.stock.code, date) : undefined
    if (factor !== undefined)
      yield { ts_code: book.stock.code, trade_date: String(date), adj_factor: roundTo(factor, 4) }
  }
}

function* limitRows(request: RowRequest): Generator<Row> {
  const { published } = request
  const isOut = published.from(8, 40)
  for (const { book, date, day } of eachStockDay(request)) {
    if (!isOut(date) || !isTraded(book.path, day)) continue
    const preClose = preCloseOn(book.path, day)
    const limits = priceLimits(preClose, book.limitPct(day))
    if (!limits) continue
    yield {
      trade_date: String(date),
      ts_code: book.stock.code,
      pre_close: preClose / book.priceScale,
      up_limit: limits.up / book.priceScale,
      down_limit: limits.down / book.priceScale,
    }
  }
}

function* simpleRows(
  { market, params, published }: RowRequest,
  kind: SimpleSecurity['kind'],
): Generator<Row> {
  const codes = params.codes() ?? market.listSimple(kind).map((security) => security.code)
  const { from, to } = params.range()
  for (const security of market
    .listSimple(kind)
    .filter((candidate) => codes.includes(candidate.code))) {
    const bars = market.getSimpleBars(kind, security.code, from, Math.min(to, published.today))
    for (const bar of bars.toReversed()) {
      if (published.bar(security.seed, bar.date))
        yield toRow(security.code, bar, security.priceScale)
    }
  }
}
