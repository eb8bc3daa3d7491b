import { toTushare } from '@twilight/market-sources/instrument'
import type { Instrument } from '@twilight/market-sources/instrument'
import type { MarketDate } from '@twilight/market-sources/market-date'
import { Problem } from '@twilight/service/errors'
import type { Answer, LookUp } from './look-up.ts'
import { rememberQuestions } from './quote-memory.ts'
import { type Bar, everyBarOfDay } from './upstream-questions.ts'

/** The bar of one code on one day: a row, or none. */
export type AskDayBar = (instrument: Instrument, date: MarketDate) => Promise<Answer<Bar>>

/**
 * Asks for the bars of single codes, until so many of one day are wanted that the whole day is cheaper:
 * one call of the source has all of its codes, and a call for each would use up its minute.
 *
 *     const askDayBar = createDayBars(lookUp)
 *     const { rows } = await askDayBar(instrument, '2026-11-19')
 */
export function createDayBars(lookUp: LookUp): AskDayBar {
  const barOfDay = rememberQuestions()
  const demand = new Map<MarketDate, Demand>()
  const byCode = new WeakMap<object, Map<string, Bar[]>>()

  return async (instrument, date) => {
    const { api, tsCode } = toTushare(instrument)
    // Only of this table a whole day fits into one answer.
    if (api !== 'daily') return await lookUp(barOfDay(instrument, date))
    const wanted = demandOf(date)
    // Whoever asks for a code that is on its way joins it.
    if (!wanted.waiting.has(tsCode) && wanted.waiting.size + wanted.asked >= enough) {
      const found = await fromWholeDay(tsCode, date)
      if (found) return found
    }
    const joins = wanted.waiting.has(tsCode)
    wanted.waiting.add(tsCode)
    try {
      const answer = await lookUp(barOfDay(instrument, date))
      if (answer.from === 'upstream' && !joins) wanted.asked += 1
      return answer
    } finally {
      if (!joins) wanted.waiting.delete(tsCode)
    }
  }

  async function fromWholeDay(tsCode: string, date: MarketDate): Promise<Answer<Bar> | undefined> {
    let day: Answer<Bar>
    try {
      day = await lookUp(everyBarOfDay(date))
    } catch (error) {
      // The code's own bar may be held although the day is not.
      if (error instanceof Problem) return undefined
      throw error
    }
    let rowsByCode = byCode.get(day.rows)
    if (!rowsByCode) {
      // An array for each, made once: what is derived from a row is kept beside its array.
      rowsByCode = new Map(day.rows.map((bar) => [bar.ts_code, [bar]]))
      byCode.set(day.rows, rowsByCode)
    }
    const rows = rowsByCode.get(tsCode)
    // One that is missing may be late, and is asked for by itself.
    return rows && { ...day, rows }
  }

  function demandOf(date: MarketDate): Demand {
    const known = demand.get(date)
    if (known) return known
    if (demand.size >= maxDays) demand.clear()
    const fresh = { waiting: new Set<string>(), asked: 0 }
    demand.set(date, fresh)
    return fresh
  }
}

/** Of one day: codes on their way now, and those that already cost a call of their own. */
type Demand = { waiting: Set<string>; asked: number }

const enough = 20
const maxDays = 64
