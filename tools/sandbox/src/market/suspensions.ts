import type { Calendar } from './calendar.ts'
import type { MarketDate } from './dates.ts'
import { fraction, hash32 } from './random.ts'
import type { Stock } from './securities.ts'

/** Trading days by number, both ends included. */
export type Suspension = { from: number; to: number }

/**
 * Whole-day suspensions, in order and apart from each other. Until 2018 companies stopped trading for
 * months around a merger; the rules of that year made it days.
 */
export function inventSuspensions(
  stock: Stock,
  calendar: Calendar,
  firstDay: number,
  lastDay: number,
): Suspension[] {
  const spans: Suspension[] = []
  const rulesChanged = calendar.indexFrom(20_181_107)
  let day = firstDay + 20 + (hash32(stock.seed, 60) % 900)
  for (let n = 0; n < 12 && day < lastDay - 5; n += 1) {
    const longest = day < rulesChanged ? 60 : 10
    const length = 1 + Math.floor(fraction(stock.seed, 61, n) ** 2 * longest)
    if (!stock.known || fraction(stock.seed, 62, n) < 0.25)
      spans.push({ from: day, to: Math.min(day + length - 1, lastDay - 3) })
    day += length + 120 + (hash32(stock.seed, 63, n) % (day < rulesChanged ? 500 : 1400))
  }
  if (stock.listingHaltedFrom !== undefined && stock.delistDate !== undefined) {
    const halted = calendar.indexFrom(stock.listingHaltedFrom)
    return [...spans.filter((span) => span.to < halted - 1), { from: halted, to: lastDay }]
  }
  return spans
}

/** A pause of half an hour on a day that has a bar all the same; about one stock in two thousand a day. */
export function partSuspension(stock: Stock, date: MarketDate): string | undefined {
  if (hash32(stock.seed, 64, date) % 2_000 !== 0) return undefined
  return ['09:30-10:00', '13:00-13:30', '10:15-10:45'][hash32(stock.seed, 65, date) % 3]
}
