import type { MarketDate } from '@twilight/market-sources/market-date'
import type { TradingCalendar } from '@twilight/market-sources/trading-calendar'
import { isOutage } from './absence.ts'
import type { Answer } from './look-up.ts'

/**
 * The source is away: the days before are asked for too, which only what we hold can answer. Undefined
 * when none of the last few is held.
 *
 *     const held = await newestHeld({ calendar, before: '2026-11-20', look: (day) => askDayBar(instrument, day) })
 */
export async function newestHeld<Row>({
  calendar,
  before,
  look,
}: {
  calendar: TradingCalendar
  before: MarketDate
  look: (day: MarketDate) => Promise<Answer<Row>>
}): Promise<{ row: Row; answer: Answer<Row> } | undefined> {
  const deadline = Date.now() + withinMs
  let day = calendar.previousOpenDay(before)
  for (let step = 0; step < maxSteps && day !== undefined && Date.now() < deadline; step += 1) {
    try {
      const answer = await look(day)
      const [row] = answer.rows
      if (row !== undefined) return { row, answer }
    } catch (error) {
      // A day we do not hold: the one before it may be.
      if (!isOutage(error)) throw error
    }
    day = calendar.previousOpenDay(day)
  }
  return undefined
}

const maxSteps = 5
const withinMs = 2000
