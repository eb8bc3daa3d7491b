import { type Calendar, calendarFirst } from '../market/calendar.ts'
import { type MarketDate } from '../market/dates.ts'
import { nameOn } from '../market/name-history.ts'
import { type Stock, statusOn } from '../market/securities.ts'
import type { StockBook } from '../market/stock-book.ts'
import { partSuspension } from '../market/suspensions.ts'
import type { Interface, Row, RowRequest } from './interface.ts'
import { eachStockDay } from './quotes.ts'

export const listingInterfaces: readonly Interface[] = [
  {
    name: 'trade_cal',
    columns: ['exchange', 'cal_date', 'is_open', 'pretrade_date'],
    points: 2_000,
    rowLimit: 10_000,
    rows: calendarRows,
  },
  {
    name: 'stock_basic',
    columns:
      'ts_code symbol name area industry -fullname -enname cnspell market -exchange -curr_type -list_status list_date -delist_date -is_hs act_name act_ent_type'.split(
        ' ',
      ),
    points: 2_000,
    rowLimit: 6_000,
    // The free level may look once an hour.
    trial: { perHour: 1 },
    rows: stockRows,
  },
  {
    name: 'suspend_d',
    columns: ['ts_code', 'trade_date', 'suspend_timing', 'suspend_type'],
    points: 120,
    rowLimit: 5_000,
    needsOneOf: ['ts_code', 'trade_date', 'start_date'],
    rows: suspensionRows,
  },
  {
    name: 'namechange',
    columns: ['ts_code', 'name', 'start_date', 'end_date', 'ann_date', 'change_reason'],
    points: 120,
    rowLimit: 10_000,
    rows: nameRows,
  },
  {
    name: 'stock_st',
    columns: ['ts_code', 'name', 'trade_date', 'type', 'type_name'],
    points: 3_000,
    rowLimit: 1_000,
    needsOneOf: ['ts_code', 'trade_date', 'start_date'],
    rows: specialTreatmentRows,
  },
  {
    name: 'bse_mapping',
    columns: ['name', 'o_code', 'n_code', 'list_date'],
    points: 120,
    rowLimit: 1_000,
    rows: renumberingRows,
  },
]

function* calendarRows({ market, params, published }: RowRequest): Generator<Row> {
  const exchange = params.text('exchange') ?? 'SSE'
  const wanted = params.text('is_open')
  const { from, to } = params.range()
  const calendar = market.calendars.mainland
  for (const date of datesBackward(calendar, from, Math.min(to, published.calendarUntil))) {
    const isOpen = calendar.isTradingDay(date) ? 1 : 0
    if (wanted !== undefined && String(isOpen) !== wanted) continue
    yield {
      exchange,
      cal_date: String(date),
      is_open: isOpen,
      pretrade_date: previousTradingDay(calendar, date),
    }
  }
}

/** Calendar days, newest first; before 2015 this market has no calendar. */
export function* datesBackward(
  calendar: Calendar,
  from: MarketDate,
  to: MarketDate,
): Generator<MarketDate> {
  const last = Math.min(to, 20_271_231)
  for (let year = Math.floor(last / 10_000); year >= 2015; year -= 1) {
    for (let month = 12; month >= 1; month -= 1) {
      for (let day = new Date(Date.UTC(year, month, 0)).getUTCDate(); day >= 1; day -= 1) {
        const date = year * 10_000 + month * 100 + day
        if (date < from) return
        if (date <= last && date >= calendarFirst && calendar.days.length > 0) yield date
      }
    }
  }
}

export function previousTradingDay(calendar: Calendar, date: MarketDate): string | null {
  const before = calendar.isTradingDay(date)
    ? calendar.indexUpTo(date) - 1
    : calendar.indexUpTo(date)
  return before < 0 ? null : String(calendar.dateAt(before))
}

const marketNames = {
  main: '主板',
  b: '主板',
  chinext: '创业板',
  star: '科创板',
  bse: '北交所',
} as const
const exchangeNames = { SH: 'SSE', SZ: 'SZSE', BJ: 'BSE' } as const

function* stockRows({ market, params, published }: RowRequest): Generator<Row> {
  const codes = params.codes()
  // Delisted codes vanish for those who forget to ask for them: the default is L alone.
  const statuses = params.codes('list_status') ?? ['L']
  for (const stock of market.listStocks()) {
    const status = statusOn(stock, published.today)
    if (status === undefined || !statuses.includes(status)) continue
    if (codes && !codes.includes(stock.code)) continue
    const row = describeStock(
      stock,
      status,
      currentName(market, stock.code, published.today) ?? stock.name,
    )
    const matches = (['name', 'market', 'exchange', 'is_hs'] as const).every((key) => {
      const wanted = params.text(key)
      return wanted === undefined || row[key] === wanted
    })
    if (matches) yield row
  }
}

function describeStock(stock: Stock, status: string, name: string): Row {
  return {
    ts_code: stock.code,
    symbol: stock.symbol,
    name,
    area: stock.area,
    industry: stock.industry,
    fullname: `${stock.area}${stock.name.replace(/[A-Z-]/g, '')}股份有限公司`,
    enname: `${stock.spell} Co., Ltd.`,
    cnspell: `${/^\*?ST|^退市/.exec(name)?.[0].replace('退市', 'TS') ?? ''}${stock.spell}`,
    market: stock.symbol === '689009' ? 'CDR' : marketNames[stock.board],
    exchange: exchangeNames[stock.exchange],
    curr_type: stock.currency,
    list_status: status,
    list_date: status === 'G' ? null : String(stock.listDate),
    delist_date: status === 'D' && stock.delistDate !== undefined ? String(stock.delistDate) : null,
    is_hs: stock.known
      ? stock.exchange === 'SH'
        ? 'H'
        : stock.exchange === 'SZ'
          ? 'S'
          : 'N'
      : 'N',
    act_name: null,
    act_ent_type: stock.known ? null : '民营企业',
  }
}

function currentName(
  market: RowRequest['market'],
  code: string,
  date: MarketDate,
): string | undefined {
  const book = market.openBook(code)
  return book && nameOn(book.names, date)?.name
}

function* suspensionRows(request: RowRequest): Generator<Row> {
  const { params, published } = request
  const wanted = params.text('suspend_type')
  const isOut = published.from(8, 30)
  for (const { book, date, day } of eachStockDay(request)) {
    if (!isOut(date)) continue
    const whole = book.suspensions.find((span) => span.from <= day && day <= span.to)
    const resumed = book.suspensions.some((span) => span.to === day - 1)
    const part = partSuspension(book.stock, date)
    const row = (timing: string | null, type: 'S' | 'R'): Row => ({
      ts_code: book.stock.code,
      trade_date: String(date),
      suspend_timing: timing,
      suspend_type: type,
    })
    if (whole && wanted !== 'R') yield row(null, 'S')
    else if (resumed && wanted !== 'S') yield row(null, 'R')
    else if (part !== undefined && !resumed && !whole && wanted !== 'R') yield row(part, 'S')
  }
}

function* nameRows({ market, params, published }: RowRequest): Generator<Row> {
  const { from, to } = params.range('ann_date')
  for (const code of params.codes() ?? market.listStocks().map((stock) => stock.code)) {
    for (const period of market.openBook(code)?.names.toReversed() ?? []) {
      if (period.start > published.today || period.announced < from || period.announced > to)
        continue
      yield {
        ts_code: code,
        name: period.name,
        start_date: String(period.start),
        end_date:
          period.end === undefined || period.end >= published.today ? null : String(period.end),
        ann_date: String(period.announced),
        change_reason: period.reason === '上市' ? '其他' : period.reason,
      }
    }
  }
}

function* specialTreatmentRows(request: RowRequest): Generator<Row> {
  const { published } = request
  const isOut = published.from(9, 20)
  for (const { book, date } of eachStockDay(request, wasTreated)) {
    if (!isOut(date)) continue
    const period = nameOn(book.names, date)
    if (!period?.specialTreatment) continue
    yield {
      ts_code: book.stock.code,
      name: period.name,
      trade_date: String(date),
      type: 'ST',
      type_name: '风险警示板',
    }
  }
}

/** Few stocks ever were: looking at these alone keeps ten years of special treatment cheap. */
function wasTreated(book: StockBook): boolean {
  return book.names.some((period) => period.specialTreatment)
}

function* renumberingRows({ market, params }: RowRequest): Generator<Row> {
  const codes = params.codes('o_code') ?? params.codes('n_code')
  for (const stock of market.listStocks()) {
    if (stock.oldCode === undefined) continue
    if (codes && !codes.includes(stock.oldCode) && !codes.includes(stock.code)) continue
    yield {
      name: stock.name,
      o_code: stock.oldCode,
      n_code: stock.code,
      list_date: String(stock.listDate),
    }
  }
}
