import type { MarketDate } from './dates.ts'
import { closeOn, isTraded, preCloseOn, priceLimits, type PricePath } from './price-path.ts'
import { fraction, hash32 } from './random.ts'

/** One day of one security. Prices are integers in 1/priceScale of its currency. */
export type Bar = {
  date: MarketDate
  open: number
  high: number
  low: number
  close: number
  /** The previous close as the exchange states it: lowered on ex dates. */
  preClose: number
  /** Shares. */
  volume: number
  /** In 1/100 of the currency. */
  amount: number
}

/** Spells out the bar of a day that traded; undefined for a day that did not. Always the same bar. */
export function spellOutBar(subject: BarSubject, day: number, date: MarketDate): Bar | undefined {
  const { path, seed, priceScale } = subject
  if (!isTraded(path, day)) return undefined
  const close = closeOn(path, day)
  const preClose = preCloseOn(path, day)
  const limits = priceLimits(preClose, subject.limitPct(day))
  const move = close - preClose
  const swing = Math.max(2, Math.abs(move) * 0.6 + close * 0.016)
  const inside = (price: number): number => {
    const whole = Math.max(1, Math.round(price))
    return limits ? Math.max(limits.down, Math.min(whole, limits.up)) : whole
  }
  const h = hash32(seed, 100, day)
  // A stock nailed to its limit all day trades at one price.
  const nailed =
    limits !== undefined && (close === limits.up || close === limits.down) && (h & 7) === 0
  const open = nailed
    ? close
    : inside(
        preClose + move * fraction(seed, 101, day) + swing * (fraction(seed, 102, day) - 0.5) * 0.6,
      )
  const high = nailed
    ? close
    : inside(Math.max(open, close) + swing * fraction(seed, 103, day) ** 2)
  const low = nailed ? close : inside(Math.min(open, close) - swing * fraction(seed, 104, day) ** 2)
  const volume = inventVolume(subject, day, Math.abs(move) / preClose, nailed)
  // Between low and high by construction, and weighted to the close as real averages are.
  const average = (open + high + low + close * 2) / 5
  const amount = Math.round(volume * (subject.fenPerShare ?? (average * 100) / priceScale))
  return { date, open, high, low, close, preClose, volume, amount }
}

export type BarSubject = {
  seed: number
  path: PricePath
  priceScale: number
  limitPct: (day: number) => number
  /** Shares that can change hands on a day; for an index, what its members make together. */
  floatShares: (day: number) => number
  /** What an average share changes hands for, where the price itself is points of an index. */
  fenPerShare?: number
}

function inventVolume(subject: BarSubject, day: number, move: number, nailed: boolean): number {
  const { seed } = subject
  const habit = 0.002 + 0.028 * fraction(seed, 105) ** 2
  // Weeks differ more than days within them.
  const mood = 0.5 + fraction(seed, 106, day >> 3) + 0.5 * fraction(seed, 107, day)
  const turnover = Math.min(0.6, habit * mood * (1 + 18 * move)) * (nailed ? 0.1 : 1)
  return Math.max(100, Math.round(subject.floatShares(day) * turnover))
}
