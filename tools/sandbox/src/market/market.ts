import { type Bar, type BarSubject, spellOutBar } from './bars.ts'
import {
  type Calendar,
  createHongKongCalendar,
  createMainlandCalendar,
  createNewYorkCalendar,
} from './calendar.ts'
import { type DailyBasic, spellOutDailyBasic } from './daily-basic.ts'
import type { MarketDate } from './dates.ts'
import { factorOn, walkPrices } from './price-path.ts'
import { fraction } from './random.ts'
import { createStocks, type Stock } from './securities.ts'
import { createSimpleSecurities, type SimpleSecurity } from './simple-securities.ts'
import { type Report, spellOutReports } from './statements.ts'
import {
  anchorDate,
  firstBarDate,
  inventMarketReturns,
  openStockBook,
  type StockBook,
} from './stock-book.ts'

/**
 * One synthetic market that every simulated source reads, so that they agree to the last fen. It knows all
 * days from 2016-11 to the end of 2027: what may be seen already on a given day is the business of the
 * double that shows it.
 *
 *     const market = createMarket({ seed: 20_161_101 })
 *     market.getBars('600519.SH', 20_261_101, 20_261_119) // integer prices, oldest first
 */
export function createMarket({ seed }: { seed: number }) {
  const mainland = createMainlandCalendar()
  const calendars: Calendars = {
    mainland,
    hongKong: createHongKongCalendar(),
    newYork: createNewYorkCalendar(),
  }
  const stocks = createStocks(seed, mainland)
  const byCode = new Map(stocks.map((stock) => [stock.code, stock]))
  const longest = Math.max(...Object.values(calendars).map((calendar) => calendar.days.length))
  const returns = inventMarketReturns(seed, longest)
  // Bounded by the number of codes: all of them together take about 75 MB.
  const books = new Map<string, StockBook>()
  const simple = new Map(
    createSimpleSecurities(seed).map((security) => [simpleKey(security), security]),
  )
  const simpleBooks = new Map<string, SimpleBook>()

  const openBook = (code: string): StockBook | undefined => {
    const opened = books.get(code)
    if (opened) return opened
    const stock = byCode.get(code)
    if (!stock) return undefined
    const book = openStockBook(stock, mainland, returns)
    books.set(code, book)
    return book
  }

  const openSimple = (kind: SimpleSecurity['kind'], code: string): SimpleBook | undefined => {
    const key = simpleKey({ kind, code })
    const opened = simpleBooks.get(key)
    if (opened) return opened
    const security = simple.get(key)
    if (!security) return undefined
    const book = openSimpleBook(security, calendars, returns)
    simpleBooks.set(key, book)
    return book
  }

  return {
    calendars,
    isTradingDay: mainland.isTradingDay,
    /** Every stock there ever is: past, present and not yet listed. See statusOn. */
    listStocks: (): readonly Stock[] => stocks,
    getStock: (code: string): Stock | undefined => byCode.get(code),
    /** Everything kept about a stock: names, suspensions, actions, figures. */
    openBook,
    getBar: (code: string, date: MarketDate): Bar | undefined => {
      const book = openBook(code)
      const day = mainland.indexUpTo(date)
      return book && mainland.isTradingDay(date) ? spellOutBar(book, day, date) : undefined
    },
    getBars: (code: string, from: MarketDate, to: MarketDate): Bar[] => {
      const book = openBook(code)
      return book ? spellOutBars(book, mainland, from, to) : []
    },
    /** The cumulative adjustment factor; it exists on suspended days too. */
    getFactor: (code: string, date: MarketDate): number | undefined => {
      const book = openBook(code)
      const day = mainland.indexUpTo(date)
      if (!book || !mainland.isTradingDay(date) || day < book.firstDay || day > book.lastDay)
        return undefined
      return factorOn(book.path, day)
    },
    getDailyBasic: (code: string, date: MarketDate): DailyBasic | undefined => {
      const book = openBook(code)
      return book && mainland.isTradingDay(date)
        ? spellOutDailyBasic(book, mainland.indexUpTo(date), date)
        : undefined
    },
    /** The versions of a quarter's report that were out on a day, oldest first. */
    getStatements: (code: string, quarter: number, knownOn: MarketDate): Report[] => {
      const book = openBook(code)
      return book ? spellOutReports(book, quarter, knownOn) : []
    },
    /** Hong Kong and US shares, indices and funds. */
    listSimple: (kind: SimpleSecurity['kind']): SimpleSecurity[] =>
      [...simple.values()].filter((security) => security.kind === kind),
    getSimpleBars: (
      kind: SimpleSecurity['kind'],
      code: string,
      from: MarketDate,
      to: MarketDate,
    ): Bar[] => {
      const book = openSimple(kind, code)
      return book ? spellOutBars(book, book.calendar, from, to) : []
    },
  }
}

export type Market = ReturnType<typeof createMarket>

type Calendars = { mainland: Calendar; hongKong: Calendar; newYork: Calendar }
type SimpleBook = BarSubject & { calendar: Calendar; firstDay: number; lastDay: number }

const simpleKey = ({ kind, code }: { kind: string; code: string }): string => `${kind}:${code}`

function spellOutBars(
  book: BarSubject & { firstDay: number; lastDay: number },
  calendar: Calendar,
  from: MarketDate,
  to: MarketDate,
): Bar[] {
  const bars: Bar[] = []
  const last = Math.min(book.lastDay, calendar.indexUpTo(to))
  for (let day = Math.max(book.firstDay, calendar.indexFrom(from)); day <= last; day += 1) {
    const bar = spellOutBar(book, day, calendar.dateAt(day))
    if (bar) bars.push(bar)
  }
  return bars
}

function openSimpleBook(
  security: SimpleSecurity,
  calendars: Calendars,
  returns: Float64Array,
): SimpleBook {
  const calendar = {
    hk: calendars.hongKong,
    us: calendars.newYork,
    index: calendars.mainland,
    fund: calendars.mainland,
  }[security.kind]
  const firstDay = calendar.indexFrom(Math.max(firstBarDate, security.listDate))
  const lastDay = calendar.days.length - 1
  const { seed } = security
  const path = walkPrices({
    seed,
    firstDay,
    lastDay,
    startPrice: Math.round(security.price * (0.4 + 0.5 * fraction(seed, 190))),
    anchor: { day: calendar.indexUpTo(anchorDate), price: security.price, exact: true },
    market: returns,
    beta: security.kind === 'index' || security.kind === 'fund' ? 1 : 0.3,
    sigma: security.kind === 'index' || security.kind === 'fund' ? 0.003 : 0.015,
  })
  return {
    seed,
    path,
    priceScale: security.priceScale,
    limitPct: () => 0,
    floatShares: () => security.shares,
    ...(security.kind === 'index' ? { fenPerShare: 1_400 } : {}),
    calendar,
    firstDay,
    lastDay,
  }
}
