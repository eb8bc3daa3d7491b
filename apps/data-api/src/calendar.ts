import { addDays, marketDateAt, type MarketDate } from '@twilight/market-sources/market-date'
import type { ClockedTable } from '@twilight/market-sources/publication-clocks'
import { expectedAsOf } from '@twilight/market-sources/trading-calendar'
import { z } from 'zod'
import { invalidParameter } from './invalid-parameter.ts'
import { absent } from './absence.ts'
import { marketDay } from './market-day-input.ts'
import type { TradingDays } from './trading-days.ts'

export const calendarQuery = z.object({
  date: marketDay.optional().describe('A day as 20260430 or 2026-04-30; default today in Shanghai'),
  from: marketDay.optional().describe('With to: lists the open days between, both included'),
  to: marketDay.optional().describe('At most 400 days after from'),
})

export const calendarAnswer = z.object({
  exchange: z.literal('SSE').describe('All mainland exchanges keep the same days'),
  time_zone: z.literal('Asia/Shanghai'),
  date: z.iso.date(),
  is_open: z.boolean(),
  previous_open_day: z.iso.date().nullable(),
  next_open_day: z.iso.date().nullable(),
  expected_as_of: z
    .record(z.string(), z.iso.date().nullable())
    .describe('The newest day that each table must have by now'),
  open_days: z.array(z.iso.date()).optional(),
})

/**
 * What the trading calendar says of a day, today by default, and which data should be out by now.
 *
 *     await calendarOf(tradingDays, { date: '2026-10-01' }) // is_open: false, next_open_day: '2026-10-08'
 */
export async function calendarOf(
  tradingDays: TradingDays,
  { date: asked, from, to }: z.output<typeof calendarQuery>,
): Promise<z.input<typeof calendarAnswer>> {
  const calendar = await tradingDays.get()
  const now = new Date()
  const date = asked ?? marketDateAt(now)
  const isOpen = calendar.isOpen(date)
  if (isOpen === undefined) {
    throw absent('no_data', {
      zh: `交易日历未覆盖 ${date}`,
      en: `The trading calendar does not cover ${date}`,
    })
  }
  return {
    exchange: 'SSE',
    time_zone: 'Asia/Shanghai',
    date,
    is_open: isOpen,
    previous_open_day: calendar.previousOpenDay(date) ?? null,
    next_open_day: calendar.nextOpenDay(date) ?? null,
    expected_as_of: Object.fromEntries(
      tables.map((table) => [table, expectedAsOf(calendar, table, now) ?? null]),
    ),
    ...openDays(),
  }

  function openDays(): { open_days?: MarketDate[] } {
    if (from === undefined && to === undefined) return {}
    if (from === undefined || to === undefined)
      throw invalidParameter(from ? 'to' : 'from', 'give both from and to')
    if (to < from || addDays(from, maxDays) < to) {
      throw invalidParameter(
        'to',
        `give a day not before from and at most ${maxDays} days after it`,
      )
    }
    const days: MarketDate[] = []
    for (let day = from; day <= to; day = addDays(day, 1)) if (calendar.isOpen(day)) days.push(day)
    return { open_days: days }
  }
}

const maxDays = 400
const tables = ['daily', 'daily_basic', 'adj_factor'] as const satisfies ClockedTable[]
