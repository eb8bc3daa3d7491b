import { type Calendar, calendarFirst } from './calendar.ts'
import { addDays, type MarketDate, toEpochDay, weekday } from './dates.ts'
import { type KnownStock, readKnownStocks } from './known-stocks.ts'
import { fraction, hash32, hashText, pick } from './random.ts'
import { type Board, codeRanges, type CodeRange } from './code-ranges.ts'
import { areas, inventName } from './stock-names.ts'

export type Business = 'general' | 'bank' | 'insurer' | 'broker'

export type Stock = {
  code: string
  symbol: string
  exchange: 'SH' | 'SZ' | 'BJ'
  board: Board
  name: string
  spell: string
  area: string
  industry: string
  business: Business
  listDate: MarketDate
  delistDate: MarketDate | undefined
  /** From this day until its delisting the listing itself is suspended (Tushare's status P). */
  listingHaltedFrom: MarketDate | undefined
  /** Beijing codes from before the renumbering of 2025: what the stock was called then. */
  oldCode: string | undefined
  currency: 'CNY' | 'USD' | 'HKD'
  /** Prices are integers in 1/priceScale of the currency: 100, or 1000 for Shanghai's B shares. */
  priceScale: 100 | 1000
  /** A name and a code that exist; only the numbers are invented. */
  known: boolean
  seed: number
  /** Where the price path passes on the anchor day, and the company behind it that day. */
  anchor: { price: number; shares: number; pe: number }
}

export type ListingStatus = 'L' | 'D' | 'P' | 'G'

/** Every stock there ever is in this market, ordered by code. Listings and delistings fall on trading days. */
export function createStocks(marketSeed: number, calendar: Calendar): Stock[] {
  const known = new Map(readKnownStocks().map((stock) => [stock.symbol, stock]))
  const taken = new Set([...known.values()].map((stock) => stock.name))
  const stocks: Stock[] = []
  for (const range of codeRanges) {
    for (let number = range.from; number <= range.to; number += 1) {
      const symbol = String(number).padStart(6, '0')
      const seed = hash32(hashText(symbol), marketSeed)
      const real = known.get(symbol)
      if (real) stocks.push(describeKnown(real, range, seed))
      else if (fraction(seed, 10) < range.density) stocks.push(invent(symbol, range, seed, taken))
    }
  }
  for (const stock of stocks) {
    stock.listDate = toTradingDay(stock.listDate, calendar)
    if (stock.delistDate !== undefined) stock.delistDate = toTradingDay(stock.delistDate, calendar)
  }
  return stocks.toSorted((a, b) => (a.code < b.code ? -1 : 1))
}

/** What the exchange says about a stock on a day; undefined while nobody has heard of it. */
export function statusOn(stock: Stock, date: MarketDate): ListingStatus | undefined {
  if (date < stock.listDate) return addDays(date, 21) >= stock.listDate ? 'G' : undefined
  if (stock.delistDate !== undefined && date >= stock.delistDate) return 'D'
  if (stock.listingHaltedFrom !== undefined && date >= stock.listingHaltedFrom) return 'P'
  return 'L'
}

function describeKnown(real: KnownStock, range: CodeRange, seed: number): Stock {
  return {
    ...place(real.symbol, range),
    name: real.name,
    spell: real.spell,
    area: real.area,
    industry: real.industry,
    business: businessOf(real.industry),
    listDate: real.listDate,
    delistDate: undefined,
    listingHaltedFrom: undefined,
    oldCode:
      real.symbol === '920163'
        ? '838163.BJ'
        : oldBeijingCode(real.symbol, range, real.listDate, seed),
    known: true,
    seed,
    anchor: { price: Math.round(real.price * 100), shares: real.shares, pe: real.pe },
  }
}

function invent(symbol: string, range: CodeRange, seed: number, taken: Set<string>): Stock {
  let invented = inventName(seed, 0)
  for (let attempt = 1; taken.has(invented.name) && attempt < 100; attempt += 1)
    invented = inventName(seed, attempt)
  taken.add(invented.name)
  const located = place(symbol, range)
  const listDate = spread(range.listed, fraction(seed, 11))
  const delistDate = inventDelisting(range, listDate, seed)
  return {
    ...located,
    name: range.board === 'b' ? `${invented.name.slice(0, 2)}B股` : invented.name,
    spell: range.board === 'b' ? `${invented.spell.slice(0, 2)}BG` : invented.spell,
    area: pick(areas, hash32(seed, 12)),
    industry: invented.industry,
    business: businessOf(invented.industry),
    listDate,
    delistDate,
    listingHaltedFrom:
      delistDate !== undefined && fraction(seed, 13) < 0.3 ? addDays(delistDate, -90) : undefined,
    oldCode: oldBeijingCode(symbol, range, listDate, seed),
    known: false,
    seed,
    anchor: inventAnchor(located.priceScale, delistDate !== undefined, range.board, seed),
  }
}

function place(
  symbol: string,
  range: CodeRange,
): Pick<Stock, 'code' | 'symbol' | 'exchange' | 'board' | 'currency' | 'priceScale'> {
  const isB = range.board === 'b'
  return {
    code: `${symbol}.${range.exchange}`,
    symbol,
    exchange: range.exchange,
    board: range.board,
    currency: isB ? (range.exchange === 'SH' ? 'USD' : 'HKD') : 'CNY',
    priceScale: isB && range.exchange === 'SH' ? 1000 : 100,
  }
}

function inventDelisting(
  range: CodeRange,
  listDate: MarketDate,
  seed: number,
): MarketDate | undefined {
  if (range.board === 'bse' || range.board === 'star' || listDate > 20_190_101) return undefined
  // Delistings grew more frequent after the rules of 2020: the square root crowds them towards the end.
  return fraction(seed, 14) < 0.062
    ? spread([20_161_201, 20_271_101], Math.sqrt(fraction(seed, 15)))
    : undefined
}

function inventAnchor(
  priceScale: number,
  dying: boolean,
  board: Board,
  seed: number,
): Stock['anchor'] {
  const spreadOut = Math.exp(
    (fraction(seed, 16) + fraction(seed, 17) + fraction(seed, 18) - 1.5) * 1.9,
  )
  const yuan = dying
    ? 0.4 + fraction(seed, 16)
    : Math.max(1.3, (board === 'star' ? 32 : 13) * spreadOut)
  const price = Math.max(
    10,
    Math.round((board === 'b' && priceScale === 1000 ? yuan / 14 : yuan) * priceScale),
  )
  const size = Math.exp((fraction(seed, 19) + fraction(seed, 20) - 1) * 1.8)
  const shares =
    Math.round((board === 'bse' ? 110 : board === 'star' ? 260 : 520) * size * 10_000) * 100
  const losing = fraction(seed, 21) < (dying ? 0.9 : 0.2)
  const pe = (losing ? -1 : 1) * (8 + 60 * fraction(seed, 22) ** 1.6)
  return { price, shares, pe }
}

/** Beijing renumbered everything listed before mid 2024; the last three digits stayed. */
function oldBeijingCode(
  symbol: string,
  range: CodeRange,
  listDate: MarketDate,
  seed: number,
): string | undefined {
  if (range.board !== 'bse' || listDate > 20_240_422) return undefined
  const prefix = [
    '430',
    '831',
    '832',
    '833',
    '834',
    '835',
    '836',
    '837',
    '838',
    '839',
    '870',
    '871',
    '872',
    '873',
  ]
  return `${prefix[hash32(seed, 23) % prefix.length]}${symbol.slice(3)}.BJ`
}

function businessOf(industry: string): Business {
  if (industry === '银行') return 'bank'
  if (industry === '保险') return 'insurer'
  return industry === '证券' ? 'broker' : 'general'
}

function toTradingDay(date: MarketDate, calendar: Calendar): MarketDate {
  if (date >= calendarFirst) return calendar.dateAt(calendar.indexFrom(date))
  const day = weekday(date)
  return day === 0 || day === 6 ? addDays(date, day === 0 ? 1 : 2) : date
}

function spread([from, to]: [MarketDate, MarketDate], part: number): MarketDate {
  return addDays(from, Math.floor((toEpochDay(to) - toEpochDay(from)) * part))
}
