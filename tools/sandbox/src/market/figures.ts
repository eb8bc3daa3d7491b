import type { Calendar } from './calendar.ts'
import { addDays, type MarketDate, toEpochDay } from './dates.ts'
import { bellCurve, fraction, hash32 } from './random.ts'
import type { Stock } from './securities.ts'

/** The quarters the market knows: 2014Q4 is number 0; 2027Q3 is the last reported before its calendar ends. */
export const firstFiscalYear = 2014
export const quarterCount = (2027 - firstFiscalYear) * 4

/**
 * The few numbers from which a company's statements are spelt out, per quarter, year to date, in fen.
 * Kept for every stock, so that ratios of a whole market day need no statement.
 */
export type Figures = {
  /** The first quarter with a report. */
  first: number
  revenue: Float64Array
  /** Net profit of the parent's shareholders, after any restatement. */
  profit: Float64Array
  /** The parent's shareholders' equity at the quarter's end. */
  equity: Float64Array
  /** When the report first came out. */
  announced: Int32Array
  /** When a corrected version came out; 0 when there is none. */
  restated: Int32Array
  /** Profit as first reported. */
  originalProfit: Float64Array
  /** The net profit of each fiscal year, by year - firstFiscalYear. */
  annualProfit: Float64Array
}

export const periodEnd = (quarter: number): MarketDate => {
  const year = firstFiscalYear + Math.floor((quarter + 3) / 4)
  return year * 10_000 + ([1231, 331, 630, 930][quarter % 4] ?? 0)
}

/** The quarter that ends on a date; undefined for any other date. */
export function quarterEnding(date: MarketDate): number | undefined {
  const part = [331, 630, 930, 1231].indexOf(date % 10_000)
  const quarter = (Math.floor(date / 10_000) - firstFiscalYear) * 4 + part - 3
  return part < 0 || quarter < 0 || quarter >= quarterCount ? undefined : quarter
}

export function inventFigures(stock: Stock, calendar: Calendar): Figures {
  const annual = inventAnnual(stock)
  const figures: Figures = {
    first: firstReport(stock),
    revenue: new Float64Array(quarterCount),
    profit: new Float64Array(quarterCount),
    equity: new Float64Array(quarterCount),
    announced: new Int32Array(quarterCount),
    restated: new Int32Array(quarterCount),
    originalProfit: new Float64Array(quarterCount),
    annualProfit: annual.profit,
  }
  for (let quarter = 0; quarter < quarterCount; quarter += 1) {
    const year = Math.floor((quarter + 3) / 4)
    const part = quarter % 4 === 0 ? 4 : quarter % 4
    figures.revenue[quarter] = Math.round(
      (annual.revenue[year] ?? 0) * yearToDate(stock.seed, year, part, 1),
    )
    figures.profit[quarter] = Math.round(
      (annual.profit[year] ?? 0) * yearToDate(stock.seed, year, part, 2),
    )
    figures.announced[quarter] = announce(stock, quarter, part, figures, calendar)
    restate(stock, quarter, figures)
  }
  accumulateEquity(stock, figures)
  return figures
}

/** What was known of a quarter's profit on a day: a restatement counts from the day it came out. */
export function profitKnownOn(figures: Figures, quarter: number, date: MarketDate): number {
  const restated = figures.restated[quarter] ?? 0
  return (
    (restated !== 0 && date < restated
      ? figures.originalProfit[quarter]
      : figures.profit[quarter]) ?? 0
  )
}

/** The share of profit paid out as cash, out of a year's profit. */
export function payoutRatio(stock: Stock): number {
  if (stock.known) return 0.35 + 0.35 * fraction(stock.seed, 81)
  return fraction(stock.seed, 80) < 0.2 ? 0 : 0.12 + 0.4 * fraction(stock.seed, 81)
}

function inventAnnual(stock: Stock): { profit: Float64Array; revenue: Float64Array } {
  const { seed, anchor, priceScale } = stock
  const years = 2027 - firstFiscalYear + 1
  const profit = new Float64Array(years)
  const revenue = new Float64Array(years)
  const anchorYear = 2025 - firstFiscalYear
  const anchorProfit = (anchor.price * (100 / priceScale) * anchor.shares) / anchor.pe
  const margin = usualMargin(stock)
  const swing = stock.known ? 0.12 : 0.1 + 0.25 * fraction(seed, 69)
  const size = Math.abs(anchorProfit)
  let level = size
  let sales = size / (anchorProfit < 0 ? margin + 0.1 : margin)
  const write = (year: number, forcedSign?: number): void => {
    const losing =
      forcedSign === undefined ? !stock.known && fraction(seed, 71, year) < 0.05 : forcedSign < 0
    const result =
      forcedSign === undefined && losing
        ? -level * (0.2 + fraction(seed, 72, year))
        : losing
          ? -level
          : level
    profit[year] = Math.round(Math.max(-0.9 * sales, Math.min(result, 0.7 * sales)))
    revenue[year] = Math.round(sales)
  }
  write(anchorYear, anchorProfit)
  for (let year = anchorYear - 1; year >= 0; year -= 1) {
    const growth = Math.max(-0.6, Math.min(0.9, 0.08 + swing * bellCurve(hash32(seed, 73, year))))
    level /= 1 + growth
    sales /= 1 + 0.04 + growth * 0.5
    write(year)
  }
  level = size
  sales = revenue[anchorYear] ?? 0
  for (let year = anchorYear + 1; year < years; year += 1) {
    const growth = Math.max(-0.6, Math.min(0.6, 0.06 + swing * bellCurve(hash32(seed, 73, year))))
    level *= 1 + growth
    sales *= 1 + 0.04 + growth * 0.5
    write(year, anchorProfit < 0 && fraction(seed, 74, year) < 0.6 ? -1 : undefined)
  }
  return { profit, revenue }
}

/** Net profit per yuan of sales in an ordinary year. */
function usualMargin({ seed, business, industry }: Stock): number {
  if (business !== 'general') return 0.28 + 0.15 * fraction(seed, 70)
  const [base = 0.03, spread = 0.22] =
    { 白酒: [0.36, 0.16], 水力发电: [0.3, 0.1], 软饮料: [0.18, 0.05] }[industry] ?? []
  return base + spread * fraction(seed, 70) ** 1.5
}

/** How much of a year is booked after so many quarters: 1 after four, and each company has its seasons. */
function yearToDate(seed: number, year: number, part: number, salt: number): number {
  if (part === 4) return 1
  const season = (quarter: number): number =>
    ([0.22, 0.25, 0.24, 0.29][quarter] ?? 0) +
    0.06 * (fraction(seed, 75, quarter, salt) - 0.5) +
    0.03 * (fraction(seed, year, quarter, salt) - 0.5)
  let booked = 0
  let whole = 0
  for (let quarter = 0; quarter < 4; quarter += 1) {
    whole += season(quarter)
    if (quarter < part) booked += season(quarter)
  }
  return booked / whole
}

function firstReport(stock: Stock): number {
  const listed = Math.floor(stock.listDate / 10_000)
  return listed < 2017 ? 0 : (listed - 3 - firstFiscalYear) * 4
}

// First and last day (month and day) on which a report of 1, 2, 3 or 4 quarters comes out.
const reportSeasons: readonly (readonly [number, number])[] = [
  [410, 429],
  [715, 830],
  [1014, 1030],
  [215, 429],
]

function announce(
  stock: Stock,
  quarter: number,
  part: number,
  figures: Figures,
  calendar: Calendar,
): MarketDate {
  const year = firstFiscalYear + Math.floor((quarter + 3) / 4) + (part === 4 ? 1 : 0)
  const [from, to] = reportSeasons[part - 1] ?? [410, 429]
  const start = year * 10_000 + from
  const length = toEpochDay(year * 10_000 + to) - toEpochDay(start)
  // Late is the custom: the square root crowds the reports towards the deadline.
  const planned = addDays(start, Math.floor(Math.sqrt(fraction(stock.seed, 76, quarter)) * length))
  // Reports of the years before the listing stand in the prospectus.
  const firstPublic = Math.max(planned, stock.listDate > planned ? addDays(stock.listDate, -10) : 0)
  const day = calendar.dateAt(
    Math.max(0, Math.min(calendar.indexUpTo(firstPublic), calendar.days.length - 1)),
  )
  return part === 1 ? Math.max(day, figures.announced[quarter - 1] ?? 0) : day
}

function restate(stock: Stock, quarter: number, figures: Figures): void {
  const profit = figures.profit[quarter] ?? 0
  figures.originalProfit[quarter] = profit
  if (stock.known || fraction(stock.seed, 77, quarter) > 0.02) return
  const announced = figures.announced[quarter] ?? 0
  figures.restated[quarter] = addDays(announced, 20 + (hash32(stock.seed, 78, quarter) % 280))
  figures.originalProfit[quarter] = Math.round(
    profit + Math.abs(profit) * (0.04 + 0.2 * fraction(stock.seed, 79, quarter)),
  )
}

/** Equity grows with what is earned and not paid out, and is never so small that the books would not close. */
function accumulateEquity(stock: Stock, figures: Figures): void {
  const years = figures.annualProfit
  const kept = new Float64Array(years.length)
  let sum = 0
  let lowest = 0
  let best = 0
  for (let year = 0; year < years.length; year += 1) {
    const profit = years[year] ?? 0
    const before = year > 0 ? Math.max(0, years[year - 1] ?? 0) : 0
    sum += profit - before * payoutRatio(stock)
    kept[year] = sum
    lowest = Math.min(lowest, sum)
    best = Math.max(best, Math.abs(profit))
  }
  const start = Math.round(
    best * (0.5 + 3 * fraction(stock.seed, 82)) - lowest * 1.1 + stock.anchor.shares * 20,
  )
  for (let quarter = 0; quarter < quarterCount; quarter += 1) {
    const year = Math.floor((quarter + 3) / 4)
    const before = year > 0 ? (kept[year - 1] ?? 0) : 0
    const paid =
      quarter % 4 === 1 || year === 0 ? 0 : Math.max(0, years[year - 1] ?? 0) * payoutRatio(stock)
    figures.equity[quarter] = Math.round(start + before + (figures.profit[quarter] ?? 0) - paid)
  }
}
