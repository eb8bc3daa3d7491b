import type { Calendar } from './calendar.ts'
import type { MarketDate } from './dates.ts'
import { type Figures, firstFiscalYear, payoutRatio } from './figures.ts'
import { fraction, hash32 } from './random.ts'
import type { Stock } from './securities.ts'

/** A distribution for one fiscal year, as China states it: per ten shares. */
export type CorporateAction = {
  fiscalYear: number
  proposed: MarketDate
  approved: MarketDate
  /** The day the dates were announced. */
  implemented: MarketDate
  recordDate: MarketDate
  exDate: MarketDate
  exIndex: number
  /** Cash before tax, in fen per ten shares. */
  cashFenPer10: number
  /** New shares per ten held, from profit. */
  bonusPer10: number
  /** New shares per ten held, from capital reserve. */
  conversionPer10: number
  /** Shares outstanding from the ex date on. */
  sharesAfter: number
}

export type ShareCount = {
  actions: CorporateAction[]
  /** Shares before the first action. */
  initial: number
}

/** Distributions of the years the company was listed, oldest first. B shares pay nothing in this market. */
export function inventCorporateActions(
  stock: Stock,
  figures: Figures,
  calendar: Calendar,
  firstDay: number,
  lastDay: number,
): ShareCount {
  const drafts = stock.board === 'b' ? [] : draft(stock, figures, calendar, firstDay, lastDay)
  const growth = drafts.reduce(
    (product, action) => product * (1 + (action.bonusPer10 + action.conversionPer10) / 10),
    1,
  )
  const initial = Math.round(stock.anchor.shares / growth)
  let shares = initial
  const payout = payoutRatio(stock)
  const actions = drafts.flatMap((action) => {
    const profit = figures.annualProfit[action.fiscalYear - firstFiscalYear] ?? 0
    const cashFenPer10 = profit > 0 ? Math.floor((profit * payout * 10) / shares) : 0
    shares += Math.floor((shares * (action.bonusPer10 + action.conversionPer10)) / 10)
    return cashFenPer10 + action.bonusPer10 + action.conversionPer10 === 0
      ? []
      : [{ ...action, cashFenPer10, sharesAfter: shares }]
  })
  return { actions, initial }
}

export function sharesOn(count: ShareCount, day: number): number {
  return count.actions.findLast((action) => action.exIndex <= day)?.sharesAfter ?? count.initial
}

type Draft = Omit<CorporateAction, 'cashFenPer10' | 'sharesAfter'>

function draft(
  stock: Stock,
  figures: Figures,
  calendar: Calendar,
  firstDay: number,
  lastDay: number,
): Draft[] {
  const drafts: Draft[] = []
  for (let fiscalYear = 2015; fiscalYear <= 2026; fiscalYear += 1) {
    const proposed = figures.announced[(fiscalYear - firstFiscalYear) * 4] ?? 0
    const exIndex =
      calendar.indexFrom((fiscalYear + 1) * 10_000 + 525) +
      (hash32(stock.seed, 90, fiscalYear) % 42)
    if (exIndex < firstDay + 30 || exIndex > lastDay - 5) continue
    const profit = figures.annualProfit[fiscalYear - firstFiscalYear] ?? 0
    // Only a company that earned something hands out shares; the well-known ones keep their count.
    const shares = profit > 0 && !stock.known ? inventShareBonus(stock.seed, fiscalYear) : 0
    const fromReserve = fraction(stock.seed, 91, fiscalYear) < 0.7
    drafts.push({
      fiscalYear,
      proposed,
      approved: calendar.dateAt(exIndex - 14),
      implemented: calendar.dateAt(exIndex - 6),
      recordDate: calendar.dateAt(exIndex - 1),
      exDate: calendar.dateAt(exIndex),
      exIndex,
      bonusPer10: fromReserve ? 0 : shares,
      conversionPer10: fromReserve ? shares : 0,
    })
  }
  return drafts
}

function inventShareBonus(seed: number, fiscalYear: number): number {
  if (fraction(seed, 92, fiscalYear) > 0.09) return 0
  return [2, 3, 4, 4, 5, 8, 10][hash32(seed, 93, fiscalYear) % 7] ?? 0
}
