/** Dates are integers such as 20261120 everywhere in the market: comparable, compact, without a zone. */
export type MarketDate = number

const dayMs = 86_400_000

export function toEpochDay(date: MarketDate): number {
  return Date.UTC(Math.floor(date / 10_000), (Math.floor(date / 100) % 100) - 1, date % 100) / dayMs
}

export function fromEpochDay(epochDay: number): MarketDate {
  const at = new Date(epochDay * dayMs)
  return at.getUTCFullYear() * 10_000 + (at.getUTCMonth() + 1) * 100 + at.getUTCDate()
}

export function addDays(date: MarketDate, days: number): MarketDate {
  return fromEpochDay(toEpochDay(date) + days)
}

/** 0 is Sunday. */
export function weekday(date: MarketDate): number {
  return (toEpochDay(date) + 4) % 7
}

/** 20260230 has eight digits and is not a date. */
export function isRealDate(date: number): boolean {
  return date >= 19_000_101 && date <= 99_991_231 && fromEpochDay(toEpochDay(date)) === date
}

/** Date and minute of the day in Beijing, which has had no daylight saving since 1991. */
export function inBeijing(epochMs: number): { date: MarketDate; minute: number } {
  const shifted = epochMs + 8 * 3_600_000
  return {
    date: fromEpochDay(Math.floor(shifted / dayMs)),
    minute: Math.floor((shifted % dayMs) / 60_000),
  }
}
