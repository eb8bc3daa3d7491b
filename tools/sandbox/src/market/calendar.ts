import { fromEpochDay, type MarketDate, toEpochDay, weekday } from './dates.ts'
import { hongKongHolidays, mainlandHolidays, newYorkHolidays } from './holidays.ts'

/** The calendars know these days and no others: outside there is no market. */
export const calendarFirst: MarketDate = 20_150_101
export const calendarLast: MarketDate = 20_271_231

/** The trading days of one place, numbered: series are arrays over these numbers. */
export type Calendar = {
  days: Int32Array
  isTradingDay: (date: MarketDate) => boolean
  /** The number of the last trading day on or before a date; -1 before the first. */
  indexUpTo: (date: MarketDate) => number
  /** The number of the first trading day on or after a date; days.length after the last. */
  indexFrom: (date: MarketDate) => number
  dateAt: (index: number) => MarketDate
}

export const createMainlandCalendar = (): Calendar => createCalendar(mainlandHolidays)
export const createHongKongCalendar = (): Calendar => createCalendar(hongKongHolidays)
export const createNewYorkCalendar = (): Calendar => createCalendar(newYorkHolidays)

function createCalendar(holidays: readonly string[]): Calendar {
  const closed = expandHolidays(holidays)
  const first = toEpochDay(calendarFirst)
  const last = toEpochDay(calendarLast)
  const upTo = new Int32Array(last - first + 1)
  const days: MarketDate[] = []
  for (let epochDay = first; epochDay <= last; epochDay += 1) {
    const date = fromEpochDay(epochDay)
    const day = weekday(date)
    if (day !== 0 && day !== 6 && !closed.has(date)) days.push(date)
    upTo[epochDay - first] = days.length - 1
  }
  const indexUpTo = (date: MarketDate): number => {
    const offset = toEpochDay(date) - first
    return offset < 0 ? -1 : (upTo[Math.min(offset, upTo.length - 1)] ?? 0)
  }
  const isTradingDay = (date: MarketDate): boolean => days[indexUpTo(date)] === date
  return {
    days: Int32Array.from(days),
    isTradingDay,
    indexUpTo,
    indexFrom: (date) => (isTradingDay(date) ? indexUpTo(date) : indexUpTo(date) + 1),
    dateAt: (index) => {
      const date = days[index]
      if (date === undefined)
        throw new RangeError(`No trading day number ${index}: there are ${days.length}.`)
      return date
    },
  }
}

function expandHolidays(lines: readonly string[]): Set<MarketDate> {
  const closed = new Set<MarketDate>()
  for (const span of lines.flatMap((line) => line.split(' '))) {
    const [from = '', to = from] = span.split('-')
    for (let day = toEpochDay(Number(from)); day <= toEpochDay(Number(to)); day += 1)
      closed.add(fromEpochDay(day))
  }
  return closed
}
