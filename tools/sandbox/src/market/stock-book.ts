import type { BarSubject } from './bars.ts'
import type { Calendar } from './calendar.ts'
import { inventCorporateActions, type ShareCount, sharesOn } from './corporate-actions.ts'
import type { MarketDate } from './dates.ts'
import { type Figures, inventFigures } from './figures.ts'
import { inventNameHistory, type NamePeriod } from './name-history.ts'
import { type Distribution, type PricePath, walkPrices } from './price-path.ts'
import { bellCurve, fraction, hash32 } from './random.ts'
import type { Stock } from './securities.ts'
import { inventSuspensions, type Suspension } from './suspensions.ts'

/** Prices begin here, or at the listing when that was later. */
export const firstBarDate: MarketDate = 20_161_101
/** On this day the paths pass through the prices of the tables of known securities. */
export const anchorDate: MarketDate = 20_261_119

/** Everything about one stock that is kept: about 12 kB, most of it the closes. */
export type StockBook = BarSubject & {
  stock: Stock
  figures: Figures
  shares: ShareCount
  names: NamePeriod[]
  suspensions: Suspension[]
  path: PricePath
  /** The first and last day with a price, by number. */
  firstDay: number
  lastDay: number
}

export function openStockBook(stock: Stock, calendar: Calendar, market: Float64Array): StockBook {
  const firstDay = calendar.indexFrom(Math.max(firstBarDate, stock.listDate))
  const lastDay =
    stock.delistDate === undefined
      ? calendar.days.length - 1
      : calendar.indexFrom(stock.delistDate) - 1
  const figures = inventFigures(stock, calendar)
  const shares = inventCorporateActions(stock, figures, calendar, firstDay, lastDay)
  const names = inventNameHistory(stock, calendar)
  const suspensions = inventSuspensions(stock, calendar, firstDay, lastDay)
  const limits = inventLimits(stock, names, calendar, firstDay)
  const isNew = stock.listDate >= firstBarDate
  const path = walkPrices({
    seed: stock.seed,
    firstDay,
    lastDay,
    startPrice: inventStartPrice(stock, shares),
    startFactor: isNew ? 1 : Math.round((1 + 9 * fraction(stock.seed, 110) ** 2) * 1000) / 1000,
    anchor: {
      day: Math.min(lastDay, calendar.indexUpTo(anchorDate)),
      price: stock.anchor.price,
      exact: stock.known,
    },
    market,
    beta: 0.5 + 0.8 * fraction(stock.seed, 111),
    sigma: (stock.known ? 0.011 : 0.015) + 0.009 * fraction(stock.seed, 112),
    limits,
    suspensions,
    distributions: shares.actions,
    distribute: priceAfterDistribution,
  })
  return {
    stock,
    seed: stock.seed,
    priceScale: stock.priceScale,
    figures,
    shares,
    names,
    suspensions,
    path,
    firstDay,
    lastDay,
    limitPct: (day) => limits.findLast((limit) => limit.from <= day)?.pct ?? 0,
    floatShares: (day) =>
      Math.round(sharesOn(shares, day) * floatRatio(stock, day - firstDay, isNew)),
  }
}

/** The share of the company that is not locked: a quarter at the listing, more after one and three years. */
function floatRatio(stock: Stock, daysListed: number, isNew: boolean): number {
  const final = 0.55 + 0.45 * fraction(stock.seed, 113)
  if (!isNew || daysListed > 735) return final
  return daysListed > 245 ? Math.min(final, 0.5) : 0.25
}

/** The returns of the market as a whole, by day: what makes stocks fall together. */
export function inventMarketReturns(marketSeed: number, days: number): Float64Array {
  return Float64Array.from({ length: days }, (_, day) => {
    const calm = 0.006 + 0.006 * fraction(marketSeed, 114, day >> 6)
    return bellCurve(hash32(marketSeed, 115, day)) * calm
  })
}

function inventStartPrice(stock: Stock, shares: ShareCount): number {
  const distributed = shares.actions.reduce(
    (product, action) => product * (1 + (action.bonusPer10 + action.conversionPer10) / 10),
    1,
  )
  const journey = Math.exp((fraction(stock.seed, 116) - 0.62) * 1.5)
  const dying = stock.delistDate === undefined ? 1 : 8
  return Math.max(stock.priceScale, Math.round(stock.anchor.price * distributed * journey * dying))
}

/**
 * (close − cash) ÷ (1 + new shares per share), rounded to the tick: the exchanges' formula. What a company
 * pays is settled here, because nobody pays out more than a tenth of the price.
 */
function priceAfterDistribution(close: number, given: Distribution): number {
  given.cashFenPer10 = Math.min(given.cashFenPer10, close)
  return Math.round(
    (close * 10 - given.cashFenPer10) / (10 + given.bonusPer10 + given.conversionPer10),
  )
}

type LimitStep = { from: number; pct: number }

function inventLimits(
  stock: Stock,
  names: NamePeriod[],
  calendar: Calendar,
  firstDay: number,
): LimitStep[] {
  const reform = calendar.indexFrom(20_200_824)
  const registration = calendar.indexFrom(20_230_410)
  const isNew = stock.listDate >= firstBarDate
  const steps: LimitStep[] = []
  const freeDays = isNew ? unlimitedDays(stock, firstDay, reform, registration) : 0
  if (freeDays > 0) steps.push({ from: firstDay, pct: 0 })
  const start = firstDay + freeDays
  switch (stock.board) {
    case 'star':
      steps.push({ from: start, pct: 20 })
      break
    case 'bse':
      steps.push({ from: start, pct: 30 })
      break
    case 'chinext':
      if (start < reform) steps.push({ from: start, pct: 10 })
      steps.push({ from: Math.max(start, reform), pct: 20 })
      break
    case 'main':
    case 'b':
      steps.push({ from: start, pct: 10 })
      for (const period of names.slice(1)) {
        const from = Math.max(start, calendar.indexFrom(period.start))
        steps.push({ from, pct: period.specialTreatment ? 5 : 10 })
      }
      break
    default:
      stock.board satisfies never
  }
  return steps
}

/** The first days of a listing have no limit: five under registration, one before and in Beijing. */
function unlimitedDays(
  stock: Stock,
  firstDay: number,
  reform: number,
  registration: number,
): number {
  if (stock.board === 'star') return 5
  if (stock.board === 'chinext') return firstDay >= reform ? 5 : 1
  if (stock.board === 'main') return firstDay >= registration ? 5 : 1
  return 1
}
