import { addDays, inBeijing, type MarketDate } from '../market/dates.ts'
import { hash32 } from '../market/random.ts'

/** What Tushare shows already: a day fills up row by row, each kind of table at its own hour in Beijing. */
export type Publication = {
  today: MarketDate
  /** Day bars come between 15:10 and 15:50, each stock at its own minute. */
  bar: (seed: number, date: MarketDate) => boolean
  /** Ratios follow between 15:45 and 16:45. */
  basic: (seed: number, date: MarketDate) => boolean
  /** From this minute of the day on. */
  from: (hour: number, minute: number) => (date: MarketDate) => boolean
  /** A US day is over when Beijing wakes up. */
  nextMorning: (date: MarketDate) => boolean
  /** Volumes of the day are provisional until 17:00: a few rows change once more. */
  isProvisional: (seed: number, date: MarketDate) => boolean
  /** The exchanges publish a year's calendar in the middle of the December before. */
  calendarUntil: MarketDate
}

export function createPublication(now: number): Publication {
  const { date: today, minute } = inBeijing(now)
  const reached = (date: MarketDate, wanted: number): boolean =>
    date < today || (date === today && minute >= wanted)
  const year = Math.floor(today / 10_000)
  return {
    today,
    bar: (seed, date) => reached(date, 15 * 60 + 10 + (hash32(seed, 200, date) % 41)),
    basic: (seed, date) => reached(date, 15 * 60 + 45 + (hash32(seed, 201, date) % 61)),
    from: (hour, minutes) => (date) => reached(date, hour * 60 + minutes),
    nextMorning: (date) => reached(addDays(date, 1), 8 * 60),
    isProvisional: (seed, date) =>
      date === today && minute < 17 * 60 && hash32(seed, 202, date) % 400 === 0,
    calendarUntil: (today % 10_000 >= 1_215 ? year + 1 : year) * 10_000 + 1_231,
  }
}
