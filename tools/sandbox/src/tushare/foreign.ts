import type { Bar } from '../market/bars.ts'
import type { Calendar } from '../market/calendar.ts'
import type { SimpleSecurity } from '../market/simple-securities.ts'
import type { Interface, Row, RowRequest } from './interface.ts'
import { datesBackward, previousTradingDay } from './listings.ts'
import { roundTo } from './round.ts'

export const foreignInterfaces: readonly Interface[] = [
  {
    name: 'hk_daily',
    columns: [
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
    ],
    points: 0,
    rowLimit: 5_000,
    soldSeparately: true,
    needsOneOf: ['ts_code', 'trade_date'],
    rows: hongKongRows,
  },
  {
    name: 'hk_basic',
    columns:
      'ts_code name fullname enname cn_spell market list_status list_date delist_date trade_unit isin curr_type'.split(
        ' ',
      ),
    points: 2_000,
    rowLimit: 6_000,
    rows: hongKongListRows,
  },
  {
    name: 'hk_tradecal',
    columns: ['cal_date', 'is_open', 'pretrade_date'],
    points: 2_000,
    rowLimit: 2_000,
    rows: (request) => calendarRows(request, request.market.calendars.hongKong),
  },
  {
    name: 'us_tradecal',
    columns: ['cal_date', 'is_open', 'pretrade_date'],
    points: 2_000,
    rowLimit: 6_000,
    rows: (request) => calendarRows(request, request.market.calendars.newYork),
  },
  {
    name: 'us_daily',
    columns:
      'ts_code trade_date close open high low pre_close -change pct_change vol amount vwap -turnover_ratio -total_mv -pe -pb'.split(
        ' ',
      ),
    points: 0,
    rowLimit: 6_000,
    soldSeparately: true,
    trial: { perDay: 10 },
    needsOneOf: ['ts_code', 'trade_date'],
    rows: americanRows,
  },
  {
    name: 'us_basic',
    columns: ['ts_code', 'name', 'enname', 'classify', 'list_date', 'delist_date'],
    points: 5_000,
    rowLimit: 6_000,
    trial: { perDay: 10 },
    rows: americanListRows,
  },
  {
    name: 'index_basic',
    columns: [
      'ts_code',
      'name',
      'market',
      'publisher',
      'category',
      'base_date',
      'base_point',
      'list_date',
    ],
    points: 2_000,
    rowLimit: 8_000,
    rows: indexListRows,
  },
]

function* hongKongRows(request: RowRequest): Generator<Row> {
  for (const { security, bar } of eachBar(request, 'hk', request.published.from(18, 0))) {
    const { change, pct, ...prices } = toPrices(security, bar)
    // Shares and dollars here, where the mainland table has lots and thousands.
    yield { ...prices, change, pct_chg: pct, vol: bar.volume, amount: bar.amount / 100 }
  }
}

function* americanRows(request: RowRequest): Generator<Row> {
  for (const { security, bar } of eachBar(request, 'us', request.published.nextMorning)) {
    const { change, pct, ...prices } = toPrices(security, bar)
    yield {
      ...prices,
      change,
      pct_change: pct,
      vol: bar.volume,
      amount: bar.amount / 100,
      vwap: roundTo(bar.amount / 100 / bar.volume, 2),
      turnover_ratio: roundTo((bar.volume / security.shares) * 100, 2),
      total_mv: (security.shares * bar.close) / security.priceScale,
      pe: null,
      pb: null,
    }
  }
}

function* eachBar(
  { market, params }: RowRequest,
  kind: SimpleSecurity['kind'],
  isOut: (date: number) => boolean,
): Generator<{ security: SimpleSecurity; bar: Bar }> {
  const codes = params.codes()
  const { from, to } = params.range()
  for (const security of market.listSimple(kind)) {
    if (codes && !codes.includes(security.code)) continue
    for (const bar of market.getSimpleBars(kind, security.code, from, to).toReversed()) {
      if (isOut(bar.date)) yield { security, bar }
    }
  }
}

function toPrices(security: SimpleSecurity, bar: Bar) {
  const scale = security.priceScale
  return {
    ts_code: security.code,
    trade_date: String(bar.date),
    open: bar.open / scale,
    high: bar.high / scale,
    low: bar.low / scale,
    close: bar.close / scale,
    pre_close: bar.preClose / scale,
    change: (bar.close - bar.preClose) / scale,
    pct: roundTo(((bar.close - bar.preClose) / bar.preClose) * 100, 2),
  }
}

function* calendarRows({ params, published }: RowRequest, calendar: Calendar): Generator<Row> {
  const wanted = params.text('is_open')
  const { from, to } = params.range()
  for (const date of datesBackward(calendar, from, Math.min(to, published.calendarUntil))) {
    const isOpen = calendar.isTradingDay(date) ? 1 : 0
    if (wanted !== undefined && String(isOpen) !== wanted) continue
    yield {
      cal_date: String(date),
      is_open: isOpen,
      pretrade_date: previousTradingDay(calendar, date),
    }
  }
}

function* hongKongListRows({ market, params }: RowRequest): Generator<Row> {
  const codes = params.codes()
  if (!(params.codes('list_status') ?? ['L']).includes('L')) return
  for (const security of market.listSimple('hk')) {
    if (codes && !codes.includes(security.code)) continue
    yield {
      ts_code: security.code,
      name: security.name,
      fullname: security.name,
      enname: security.englishName,
      cn_spell: null,
      market: '主板',
      list_status: 'L',
      list_date: String(security.listDate),
      delist_date: null,
      trade_unit: security.lot,
      isin: null,
      curr_type: security.code === '80700.HK' ? 'CNY' : 'HKD',
    }
  }
}

function* americanListRows({ market, params }: RowRequest): Generator<Row> {
  const codes = params.codes()
  for (const security of market.listSimple('us')) {
    if (codes && !codes.includes(security.code)) continue
    const classify = ['BABA', 'PDD', 'JD'].includes(security.code) ? 'ADR' : 'EQT'
    yield {
      ts_code: security.code,
      name: security.name,
      enname: security.englishName,
      classify,
      list_date: String(security.listDate),
      delist_date: null,
    }
  }
}

function* indexListRows({ market, params }: RowRequest): Generator<Row> {
  const codes = params.codes()
  const wantedMarket = params.text('market')
  for (const security of market.listSimple('index')) {
    const marketName = security.name.startsWith('上证')
      ? 'SSE'
      : security.code.startsWith('399')
        ? 'SZSE'
        : 'CSI'
    if (
      (codes && !codes.includes(security.code)) ||
      (wantedMarket !== undefined && wantedMarket !== marketName)
    )
      continue
    yield {
      ts_code: security.code,
      name: security.name,
      market: marketName,
      publisher:
        { SSE: '上海证券交易所', SZSE: '深圳证券交易所', CSI: '中证公司' }[marketName] ?? null,
      category: '规模指数',
      base_date: null,
      base_point: null,
      list_date: String(security.listDate),
    }
  }
}
