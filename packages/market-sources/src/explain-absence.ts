import { marketDateAt, shanghaiInstant } from './market-date.ts'
import type { MarketDate } from './market-date.ts'
import { clockOf } from './publication-clocks.ts'
import type { ClockedTable } from './publication-clocks.ts'
import type { TradingCalendar } from './trading-calendar.ts'

export type AbsenceReason =
  | 'future'
  | 'before_listing'
  | 'delisted'
  | 'not_trading_day'
  | 'suspended'
  | 'not_published_yet'
  /** the calendar does not reach the date: nothing can be said, fetch it first */
  | 'calendar_unknown'
  /** a row should be there: treat the empty answer as the source's failure, not as a fact */
  | 'unexplained'

export type Absence = {
  reason: AbsenceReason
  message: { zh: string; en: string }
  /** a day that may well have a row, to offer instead */
  instead?: MarketDate
}

export type AbsenceQuestion = {
  calendar: TradingCalendar
  table: ClockedTable
  date: MarketDate
  now: Date
  /** what stock_basic says; without it listing and delisting cannot be the reason */
  listing?: {
    list_date: MarketDate | null
    delist_date: MarketDate | null
    list_status?: string | null
  }
  /** suspend_d rows of this code; a row with a timing stopped trading for part of the day only */
  suspensions?: readonly {
    trade_date: MarketDate
    suspend_type: string
    suspend_timing: string | null
  }[]
}

/**
 * Why a day has no row, from what is known beside the price: never a guess.
 *
 *     explainAbsence({ calendar, table: 'daily', date: '2026-10-01', now })
 *     // { reason: 'not_trading_day', instead: '2026-09-30', message: { zh: '2026-10-01 不是交易日…', en: … } }
 */
export function explainAbsence({
  calendar,
  table,
  date,
  now,
  listing,
  suspensions = [],
}: AbsenceQuestion): Absence {
  const clock = clockOf(table)

  if (date > marketDateAt(now, clock.zone)) {
    return answer('future', `${date} 尚未到来`, `${date} lies in the future`)
  }
  if (listing?.list_date && date < listing.list_date) {
    return answer(
      'before_listing',
      `该证券 ${listing.list_date} 才上市，${date} 没有行情`,
      `It was listed on ${listing.list_date}; there is no data for ${date}`,
      listing.list_date,
    )
  }
  if (listing?.delist_date && date >= listing.delist_date) {
    return answer(
      'delisted',
      `该证券已于 ${listing.delist_date} 退市`,
      `It was delisted on ${listing.delist_date}`,
      calendar.previousOpenDay(listing.delist_date),
    )
  }
  const isOpen = calendar.isOpen(date)
  if (isOpen === undefined) {
    return answer(
      'calendar_unknown',
      `交易日历未覆盖 ${date}`,
      `The trading calendar does not cover ${date}`,
    )
  }
  const before = calendar.previousOpenDay(date)
  if (!isOpen) {
    return answer(
      'not_trading_day',
      `${date} 不是交易日${before === undefined ? '' : `，前一交易日为 ${before}`}`,
      `${date} is not a trading day${before === undefined ? '' : `; the one before is ${before}`}`,
      before,
    )
  }
  // A suspended stock gets no row however long one waits, so this comes before the clock.
  if (
    suspensions.some(
      (row) => row.trade_date === date && row.suspend_type === 'S' && row.suspend_timing === null,
    )
  ) {
    return answer('suspended', `${date} 全天停牌`, `Trading was suspended on ${date}`, before)
  }
  if (listing?.list_status === 'P') {
    return answer('suspended', '该证券已暂停上市', 'Its listing is suspended', before)
  }
  if (now < shanghaiInstant(date, clock.settled, clock.daysLater)) {
    const day = clock.daysLater ? '次日 ' : ''
    return answer(
      'not_published_yet',
      `${date} 的数据尚未发布，一般在北京时间${day}${clock.due} 前后可用`,
      `The data of ${date} is not published yet; it usually is by ${clock.due} Beijing time${clock.daysLater ? ' the next day' : ''}`,
      before,
    )
  }
  return answer(
    'unexplained',
    `${date} 应有数据但数据源未返回`,
    `There should be data for ${date}, but the source returned none`,
    before,
  )
}

function answer(reason: AbsenceReason, zh: string, en: string, instead?: MarketDate): Absence {
  return { reason, message: { zh, en }, ...(instead !== undefined && { instead }) }
}
