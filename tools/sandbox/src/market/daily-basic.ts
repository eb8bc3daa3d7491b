import { isTraded } from './price-path.ts'
import { sharesOn } from './corporate-actions.ts'
import { addDays, type MarketDate } from './dates.ts'
import { type Figures, firstFiscalYear, profitKnownOn, quarterCount } from './figures.ts'
import { spellOutBar } from './bars.ts'
import { fraction } from './random.ts'
import type { StockBook } from './stock-book.ts'

/** The ratios of one stock on one day, from what was published by then. null is "does not apply", a loss for example. */
export type DailyBasic = {
  date: MarketDate
  /** In 1/priceScale. */
  close: number
  turnoverPct: number
  freeTurnoverPct: number
  volumeRatio: number | null
  pe: number | null
  peTtm: number | null
  pb: number | null
  ps: number | null
  psTtm: number | null
  dividendYieldPct: number | null
  dividendYieldTtmPct: number | null
  totalShares: number
  floatShares: number
  freeShares: number
  /** Fen. */
  totalValue: number
  floatValue: number
}

export function spellOutDailyBasic(
  book: StockBook,
  day: number,
  date: MarketDate,
): DailyBasic | undefined {
  const bar = spellOutBar(book, day, date)
  if (!bar) return undefined
  const totalShares = sharesOn(book.shares, day)
  const floatShares = Math.min(totalShares, book.floatShares(day))
  const freeShares = Math.round(floatShares * (0.35 + 0.6 * fraction(book.seed, 120)))
  const fenPerTick = 100 / book.priceScale
  const totalValue = totalShares * bar.close * fenPerTick
  const known = publishedOn(book.figures, date)
  const paid = dividendsOn(book, date)
  const perShareFen = bar.close * fenPerTick
  return {
    date,
    close: bar.close,
    turnoverPct: (bar.volume / floatShares) * 100,
    freeTurnoverPct: (bar.volume / freeShares) * 100,
    volumeRatio: volumeRatio(book, day, bar.volume),
    pe: positiveRatio(totalValue, known.annualProfit),
    peTtm: positiveRatio(totalValue, known.ttmProfit),
    pb: positiveRatio(totalValue, known.equity),
    ps: positiveRatio(totalValue, known.annualRevenue),
    psTtm: positiveRatio(totalValue, known.ttmRevenue),
    dividendYieldPct: paid.lastYear > 0 ? (paid.lastYear / 10 / perShareFen) * 100 : null,
    dividendYieldTtmPct: paid.ttm > 0 ? (paid.ttm / 10 / perShareFen) * 100 : null,
    totalShares,
    floatShares,
    freeShares,
    totalValue,
    floatValue: floatShares * bar.close * fenPerTick,
  }
}

/** A ratio over a loss means nothing and is null, which is not the same as missing. */
function positiveRatio(value: number, per: number | undefined): number | null {
  return per !== undefined && per > 0 ? value / per : null
}

type Published = {
  annualProfit?: number
  annualRevenue?: number
  ttmProfit?: number
  ttmRevenue?: number
  equity?: number
}

function publishedOn(figures: Figures, date: MarketDate): Published {
  const latest = lastPublished(figures, date, 1)
  const annual = lastPublished(figures, date, 4)
  if (latest === undefined || annual === undefined) return {}
  const annualProfit = profitKnownOn(figures, annual, date)
  const annualRevenue = figures.revenue[annual] ?? 0
  const sameLastYear = latest - 4
  const isAnnual = latest === annual
  return {
    annualProfit,
    annualRevenue,
    equity: figures.equity[latest] ?? 0,
    ...(isAnnual || sameLastYear < figures.first
      ? { ttmProfit: annualProfit, ttmRevenue: annualRevenue }
      : {
          ttmProfit:
            profitKnownOn(figures, latest, date) +
            annualProfit -
            profitKnownOn(figures, sameLastYear, date),
          ttmRevenue:
            (figures.revenue[latest] ?? 0) + annualRevenue - (figures.revenue[sameLastYear] ?? 0),
        }),
  }
}

/** The newest quarter (or, with step 4, full year) whose report was out. */
function lastPublished(figures: Figures, date: MarketDate, step: 1 | 4): number | undefined {
  const year = Math.floor(date / 10_000) - firstFiscalYear
  // The newest report on any day is at most the one of this year's third quarter.
  for (
    let quarter = Math.min(quarterCount - 1, year * 4 + (step === 4 ? 0 : 3));
    quarter >= figures.first;
    quarter -= step
  ) {
    if ((figures.announced[quarter] ?? 0) <= date) return quarter
  }
  return undefined
}

function dividendsOn(book: StockBook, date: MarketDate): { lastYear: number; ttm: number } {
  const yearAgo = addDays(date, -365)
  let [lastYear, ttm] = [0, 0]
  for (const action of book.shares.actions) {
    if (action.exDate > date) break
    lastYear = action.cashFenPer10
    if (action.exDate > yearAgo) ttm += action.cashFenPer10
  }
  return { lastYear, ttm }
}

function volumeRatio(book: StockBook, day: number, volume: number): number | null {
  let [sum, days] = [0, 0]
  for (
    let before = day - 1;
    before >= book.firstDay && before > day - 10 && days < 5;
    before -= 1
  ) {
    if (!isTraded(book.path, before)) continue
    sum += spellOutBar(book, before, 0)?.volume ?? 0
    days += 1
  }
  return days === 0 ? null : volume / (sum / days)
}
