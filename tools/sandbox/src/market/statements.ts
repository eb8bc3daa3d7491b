import { sharesOn } from './corporate-actions.ts'
import type { MarketDate } from './dates.ts'
import { firstFiscalYear, periodEnd } from './figures.ts'
import { fraction } from './random.ts'
import type { StockBook } from './stock-book.ts'

/**
 * One version of one report: everything in fen, year to date, from which Tushare's tables and later the
 * other sources take their columns. The books close: assets = liabilities + equity, and every sum is the
 * sum of its parts. null where a bank or insurer has no such line.
 */
export type Report = {
  period: MarketDate
  quarter: number
  /** 1 to 4: how many quarters it covers. */
  part: number
  firstAnnounced: MarketDate
  /** When this version came out. */
  announced: MarketDate
  /** Whether a later version replaced it. */
  superseded: boolean
  shares: number
  income: IncomeLines
  balance: BalanceLines
  cash: CashLines
}

export type IncomeLines = ReturnType<typeof spellOutIncome>
export type BalanceLines = ReturnType<typeof spellOutBalance>
export type CashLines = ReturnType<typeof spellOutCash>

/** The versions of one quarter's report that were out on a day, oldest first; empty while there is none. */
export function spellOutReports(book: StockBook, quarter: number, date: MarketDate): Report[] {
  const { figures } = book
  const announced = figures.announced[quarter] ?? 0
  if (quarter < figures.first || announced > date) return []
  const restated = figures.restated[quarter] ?? 0
  if (restated === 0) return [spellOut(book, quarter, announced, false, 0)]
  const difference = (figures.originalProfit[quarter] ?? 0) - (figures.profit[quarter] ?? 0)
  const original = spellOut(book, quarter, announced, restated <= date, difference)
  return restated <= date ? [original, spellOut(book, quarter, restated, false, 0)] : [original]
}

function spellOut(
  book: StockBook,
  quarter: number,
  announced: MarketDate,
  superseded: boolean,
  difference: number,
): Report {
  const shares = sharesOn(book.shares, dayOf(book, quarter))
  const balance = spellOutBalance(book, quarter, shares, difference)
  const income = spellOutIncome(book, quarter, difference)
  return {
    period: periodEnd(quarter),
    quarter,
    part: quarter % 4 === 0 ? 4 : quarter % 4,
    firstAnnounced: book.figures.announced[quarter] ?? 0,
    announced,
    superseded,
    shares,
    income,
    balance,
    cash: spellOutCash(book, quarter, income.netProfit, shares),
  }
}

/** The number of trading days is close enough to date the share count of a quarter's end. */
function dayOf(book: StockBook, quarter: number): number {
  const end = periodEnd(quarter)
  return book.shares.actions.findLast((action) => action.exDate <= end)?.exIndex ?? book.firstDay
}

function spellOutIncome({ stock, figures, seed }: StockBook, quarter: number, difference: number) {
  const revenue = figures.revenue[quarter] ?? 0
  const parentProfit = (figures.profit[quarter] ?? 0) + difference
  const minority = Math.round(parentProfit * 0.06 * fraction(seed, 130))
  const netProfit = parentProfit + minority
  const taxRate = [0.15, 0.15, 0.25][seed % 3] ?? 0
  const beforeTax = netProfit > 0 ? Math.round(netProfit / (1 - taxRate)) : netProfit
  const otherIncome = Math.round(Math.abs(netProfit) * 0.02 * fraction(seed, 131, quarter))
  const otherExpense = Math.round(Math.abs(netProfit) * 0.02 * fraction(seed, 132, quarter))
  const operatingProfit = beforeTax - otherIncome + otherExpense
  const investIncome = Math.round(Math.abs(netProfit) * 0.1 * fraction(seed, 133, quarter))
  const totalCost = revenue - operatingProfit + investIncome
  const general = stock.business === 'general'
  // Overheads take a habitual part of sales, but never more than three quarters of all cost.
  const cut = Math.min(1, (0.75 * totalCost) / (revenue * 0.28))
  const part = (salt: number, most: number): number =>
    Math.round(revenue * most * fraction(seed, salt) * cut)
  const [taxes, selling, admin, research] = [
    part(134, 0.03),
    part(135, 0.1),
    part(136, 0.06),
    part(137, 0.09),
  ]
  const finance = Math.round(revenue * 0.012 * (fraction(seed, 138) - 0.3) * cut)
  return {
    revenue,
    interestIncome: general ? null : Math.round(revenue * 0.7),
    commissionIncome: general ? null : revenue - Math.round(revenue * 0.7),
    totalCost,
    operatingCost: general ? totalCost - taxes - selling - admin - research - finance : null,
    taxes,
    selling: general ? selling : null,
    admin: general ? admin : totalCost - taxes,
    research: general ? research : null,
    finance: general ? finance : null,
    investIncome,
    operatingProfit,
    otherIncome,
    otherExpense,
    beforeTax,
    incomeTax: beforeTax - netProfit,
    netProfit,
    parentProfit,
    minority,
    ebit: general ? beforeTax + finance : null,
  }
}

function spellOutBalance(
  { stock, figures, seed }: StockBook,
  quarter: number,
  shares: number,
  difference: number,
) {
  const general = stock.business === 'general'
  const parentEquity = (figures.equity[quarter] ?? 0) + difference
  const minorityEquity = Math.round(parentEquity * 0.05 * fraction(seed, 130))
  const equity = parentEquity + minorityEquity
  const debtRatio =
    (general ? 0.18 + 0.5 * fraction(seed, 140) : stock.business === 'bank' ? 0.915 : 0.78) +
    0.03 * (fraction(seed, 141, quarter) - 0.5)
  const assets = Math.round(equity / (1 - debtRatio))
  const liabilities = assets - equity
  const currentAssets = Math.round(assets * (0.35 + 0.35 * fraction(seed, 142)))
  const currentLiabilities = Math.round(liabilities * (0.55 + 0.35 * fraction(seed, 143)))
  const money = cashAt(figures.equity[quarter] ?? 0, seed, quarter)
  const receivable = Math.round((currentAssets - money) * (0.15 + 0.3 * fraction(seed, 144)))
  const inventories = Math.round((currentAssets - money) * (0.1 + 0.35 * fraction(seed, 145)))
  const shortLoans = Math.round(currentLiabilities * 0.3 * fraction(seed, 146))
  const longLoans = Math.round((liabilities - currentLiabilities) * 0.6 * fraction(seed, 147))
  const goodwill = Math.round((assets - currentAssets) * 0.08 * fraction(seed, 148) ** 3)
  const fixedAssets = Math.round((assets - currentAssets) * (0.3 + 0.4 * fraction(seed, 149)))
  const shareCapital = shares * 100
  const surplusReserve = Math.min(
    Math.round(shareCapital / 2),
    Math.round(Math.abs(parentEquity) * 0.08),
  )
  const capitalReserve = Math.round(Math.abs(parentEquity) * (0.15 + 0.3 * fraction(seed, 150)))
  return {
    shares,
    money,
    receivable: general ? receivable : null,
    inventories: general ? inventories : null,
    currentAssets: general ? currentAssets : null,
    otherCurrentAssets: general ? currentAssets - money - receivable - inventories : null,
    fixedAssets,
    goodwill,
    otherAssets: assets - currentAssets - fixedAssets - goodwill,
    nonCurrentAssets: general ? assets - currentAssets : null,
    assets,
    shortLoans,
    payable: general ? Math.round((currentLiabilities - shortLoans) * 0.45) : null,
    currentLiabilities: general ? currentLiabilities : null,
    longLoans,
    nonCurrentLiabilities: general ? liabilities - currentLiabilities : null,
    deposits: stock.business === 'bank' ? Math.round(liabilities * 0.75) : null,
    liabilities,
    capitalReserve,
    surplusReserve,
    // What is left after the named parts: the parts of the parent's equity add up by construction.
    undistributed: parentEquity - shareCapital - surplusReserve - capitalReserve,
    parentEquity,
    minorityEquity,
    equity,
  }
}

function spellOutCash(
  { figures, seed }: StockBook,
  quarter: number,
  netProfit: number,
  shares: number,
) {
  const yearStart = quarter % 4 === 0 ? quarter - 4 : quarter - (quarter % 4)
  const begin = cashAt(figures.equity[Math.max(0, yearStart)] ?? 0, seed, Math.max(0, yearStart))
  const end = cashAt(figures.equity[quarter] ?? 0, seed, quarter)
  const operating = Math.round(netProfit * (0.6 + 0.8 * fraction(seed, 160, quarter)) + shares * 4)
  const capex = Math.round(Math.abs(netProfit) * (0.2 + 0.6 * fraction(seed, 161, quarter)))
  const investing = -capex + Math.round(capex * 0.3 * fraction(seed, 162, quarter))
  const depreciation = Math.round(capex * (0.4 + 0.4 * fraction(seed, 163)))
  return {
    operating,
    capex,
    investing,
    // Financing closes the gap between the two balance sheets.
    financing: end - begin - operating - investing,
    increase: end - begin,
    begin,
    end,
    free: operating - capex,
    depreciation,
  }
}

/** Cash on the balance sheet: a function of the quarter alone, so that one year's end is the next one's beginning. */
function cashAt(equity: number, seed: number, quarter: number): number {
  return Math.round(
    Math.abs(equity) * (0.1 + 0.15 * fraction(seed, 170) + 0.03 * fraction(seed, 171, quarter)),
  )
}

/** Net profit, revenue and parent equity of the same quarter a year before, for growth figures. */
export function yearBefore(
  { figures }: StockBook,
  quarter: number,
): { profit: number; revenue: number; equity: number } | undefined {
  const before = quarter - 4
  if (before < figures.first || periodEnd(before) < firstFiscalYear * 10_000) return undefined
  return {
    profit: figures.profit[before] ?? 0,
    revenue: figures.revenue[before] ?? 0,
    equity: figures.equity[before] ?? 0,
  }
}
