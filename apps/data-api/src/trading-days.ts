import { addDays, marketDateAt } from '@twilight/market-sources/market-date'
import {
  createTradingCalendar,
  type TradingCalendar,
} from '@twilight/market-sources/trading-calendar'
import { tradeCalTable } from '@twilight/market-sources/tushare-rows'
import type { HealthCheck } from '@twilight/service/health'
import type { Logger } from '@twilight/service/log'
import { keepList, type KeptList } from './kept-list.ts'
import type { LookUp } from './look-up.ts'
import { askTable, minutesLater } from './upstream-questions.ts'

export type TradingDays = KeptList<TradingCalendar>

/** The trading days of the mainland exchanges, which keep the same ones: from trade_cal, and next year's once it is out. */
export function loadTradingDays({ lookUp, log }: { lookUp: LookUp; log: Logger }): TradingDays {
  return keepList({
    name: 'trading calendar',
    log,
    load: async () => {
      const today = marketDateAt(new Date())
      const to = `${Number(today.slice(0, 4)) + 1}-12-31`
      const asked = { from: firstDay, to, params: { exchange: 'SSE' } }
      const { rows } = await lookUp(
        askTable(tradeCalTable, asked, { key: `SSE to ${to}`, freshUntil: minutesLater(11 * 60) }),
      )
      const calendar = createTradingCalendar(rows)
      // One that ends soon would call today unknown: not worth replacing the old one with.
      if ((calendar.covers?.to ?? '') < addDays(today, 1)) {
        throw new Error(
          `The trading calendar ends on ${calendar.covers?.to}: the answer is not whole.`,
        )
      }
      return calendar
    },
  })
}

export function checkTradingDays(days: TradingDays): HealthCheck {
  return {
    name: 'trading_days',
    required: false,
    check: () => {
      const covers = days.current()?.covers
      if (!covers) return Promise.reject(new Error('not loaded yet'))
      return Promise.resolve({ ...covers, loaded_at: days.loadedAt()?.toISOString() })
    },
  }
}

/** The day the Shanghai exchange opened. */
const firstDay = '1990-12-19'
