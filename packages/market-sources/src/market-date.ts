/** A calendar day as the whole system writes it: `2026-11-19`. Sorts as text. */
export type MarketDate = string

export type MarketZone = 'Asia/Shanghai' | 'America/New_York'

/**
 * A real day between 1990 and 2099 from `20260430` or `2026-04-30`; anything else is undefined.
 *
 *     parseMarketDate('20260430') // '2026-04-30'
 *     parseMarketDate('20260230') // undefined
 */
export function parseMarketDate(text: unknown): MarketDate | undefined {
  if (typeof text !== 'string') return undefined
  const match = /^(\d{4})(-?)(\d{2})\2(\d{2})$/.exec(text)
  if (!match) return undefined
  const [, year = '', , month = '', day = ''] = match
  if (year < '1990' || year > '2099') return undefined
  const date = `${year}-${month}-${day}`
  const time = Date.parse(`${date}T00:00:00Z`)
  // Date.parse rolls 30 February over into March on some engines: the round trip catches it.
  return !Number.isNaN(time) && toIsoDate(time) === date ? date : undefined
}

/** `2026-04-30` as Tushare wants it: `20260430`. */
export function toCompactDate(date: MarketDate): string {
  return date.replaceAll('-', '')
}

/** The day it is in a market at an instant. */
export function marketDateAt(now: Date, zone: MarketZone = 'Asia/Shanghai'): MarketDate {
  if (zone === 'Asia/Shanghai') return toIsoDate(now.getTime() + shanghaiOffsetMs)
  return newYork.format(now)
}

/** When a clock in Shanghai shows `15:00` on a day, or on a day some days later. */
export function shanghaiInstant(date: MarketDate, clock: string, daysLater = 0): Date {
  return new Date(Date.parse(`${date}T${clock}:00+08:00`) + daysLater * dayMs)
}

export function addDays(date: MarketDate, days: number): MarketDate {
  return toIsoDate(Date.parse(`${date}T00:00:00Z`) + days * dayMs)
}

const dayMs = 86_400_000
// No daylight saving since 1991.
const shanghaiOffsetMs = 8 * 3_600_000
// The Swedish form of a date is the ISO one.
const newYork = new Intl.DateTimeFormat('sv-SE', {
  timeZone: 'America/New_York',
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
})

function toIsoDate(time: number): MarketDate {
  return new Date(time).toISOString().slice(0, 10)
}
