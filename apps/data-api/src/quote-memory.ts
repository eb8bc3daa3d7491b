import type { Bilingual, TushareBarTable } from '@twilight/market-sources/instrument'
import { marketDateAt, type MarketDate } from '@twilight/market-sources/market-date'
import { latestDays, type TradingCalendar } from '@twilight/market-sources/trading-calendar'
import { barOfDay } from './upstream-questions.ts'

/** The same question is asked thousands of times a second: it is put together once. */
export function rememberQuestions(): typeof barOfDay {
  const questions = new Map<string, ReturnType<typeof barOfDay>>()
  return (instrument, date) => {
    const key = instrument.code + date
    const known = questions.get(key)
    if (known) return known
    if (questions.size >= maxQuestions) questions.clear()
    const question = barOfDay(instrument, date)
    questions.set(key, question)
    return question
  }
}

const maxQuestions = 10_000

/** What the calendar says of this second, and what to tell while today's close is still to come. */
export function rememberDays(): (
  calendar: TradingCalendar,
  table: TushareBarTable,
) => DaysNow | undefined {
  const remembered = new Map<TushareBarTable, { second: number; days: DaysNow | undefined }>()
  return (calendar, table) => {
    const now = new Date()
    const second = Math.floor(now.getTime() / 1000)
    const last = remembered.get(table)
    if (last?.second === second) return last.days
    const days = daysAt(calendar, table, now)
    remembered.set(table, { second, days })
    return days
  }
}

type DaysNow = { possible: MarketDate; expected: MarketDate; note?: Bilingual }

function daysAt(calendar: TradingCalendar, table: TushareBarTable, now: Date): DaysNow | undefined {
  const days = latestDays(calendar, table, now)
  if (!days) return undefined
  const today = marketDateAt(now)
  const isAwaited = days.expected < today && calendar.isOpen(today) === true
  return { ...days, ...(isAwaited && { note: notYet }) }
}

const notYet = {
  zh: '今日收盘数据尚未入库，以下为前一交易日收盘价',
  en: "Today's close is not published yet; this is the close of the day before",
}
