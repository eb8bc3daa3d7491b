import { describe, expect, it } from 'vitest'
import { explainAbsence } from './explain-absence.ts'
import type { AbsenceQuestion } from './explain-absence.ts'
import { addDays, marketDateAt, parseMarketDate } from './market-date.ts'
import { createTradingCalendar, expectedAsOf, latestDays } from './trading-calendar.ts'

// National Day 2026: closed from Thursday 1 to Wednesday 7 October; Saturday the 10th is a working day.
const holidays = new Set(['2026-10-01', '2026-10-02', '2026-10-05', '2026-10-06', '2026-10-07'])
const rows = Array.from({ length: 92 }, (_, i) => {
  const cal_date = addDays('2026-09-01', i)
  const weekday = new Date(cal_date).getUTCDay()
  return {
    cal_date,
    is_open: weekday > 0 && weekday < 6 && !holidays.has(cal_date),
    pretrade_date: i === 0 ? '2026-08-31' : null,
  }
})
const calendar = createTradingCalendar(rows.toReversed())
const beijing = (text: string) => new Date(`${text}:00+08:00`)

describe('days', () => {
  it('a holiday, a weekend and a make-up working Saturday are closed', () => {
    expect(['2026-10-01', '2026-10-03', '2026-10-10'].map((date) => calendar.isOpen(date))).toEqual(
      [false, false, false],
    )
    expect(calendar.isOpen('2026-10-08')).toBe(true)
  })

  it('finds the open days around a holiday', () => {
    expect(calendar.previousOpenDay('2026-10-08')).toBe('2026-09-30')
    expect(calendar.nextOpenDay('2026-09-30')).toBe('2026-10-08')
    expect(calendar.latestOpenDay('2026-10-04')).toBe('2026-09-30')
    expect(calendar.latestOpenDay('2026-10-08')).toBe('2026-10-08')
  })

  it('knows nothing outside of what it covers, but the first row names the day before it', () => {
    expect(calendar.covers).toEqual({ from: '2026-09-01', to: '2026-12-01' })
    expect(calendar.isOpen('2026-12-02')).toBeUndefined()
    expect(calendar.previousOpenDay('2026-12-05')).toBeUndefined()
    expect(calendar.nextOpenDay('2026-12-01')).toBeUndefined()
    expect(calendar.previousOpenDay('2026-09-01')).toBe('2026-08-31')
    expect(createTradingCalendar([]).isOpen('2026-11-20')).toBeUndefined()
  })

  it('refuses rows with a hole, which would give a day too early', () => {
    expect(() =>
      createTradingCalendar(rows.filter(({ cal_date }) => cal_date !== '2026-10-09')),
    ).toThrow('2026-10-09')
  })
})

describe('the newest day a table may and must have', () => {
  it.each([
    // Friday 20 November 2026.
    ['daily', '2026-11-20T14:59', '2026-11-19', '2026-11-19'],
    ['daily', '2026-11-20T15:00', '2026-11-20', '2026-11-19'],
    ['daily', '2026-11-20T15:59', '2026-11-20', '2026-11-19'],
    ['daily', '2026-11-20T16:00', '2026-11-20', '2026-11-20'],
    ['daily_basic', '2026-11-20T16:30', '2026-11-20', '2026-11-19'],
    ['daily_basic', '2026-11-20T17:00', '2026-11-20', '2026-11-20'],
    ['adj_factor', '2026-11-20T09:14', '2026-11-19', '2026-11-19'],
    ['adj_factor', '2026-11-20T09:20', '2026-11-20', '2026-11-20'],
    ['stk_limit', '2026-11-20T08:40', '2026-11-20', '2026-11-20'],
    ['hk_daily', '2026-11-20T17:59', '2026-11-20', '2026-11-19'],
    // Saturday, and the first morning after a week of holidays.
    ['daily', '2026-11-21T10:00', '2026-11-20', '2026-11-20'],
    ['daily', '2026-10-08T09:00', '2026-09-30', '2026-09-30'],
    ['daily', '2026-10-05T16:00', '2026-09-30', '2026-09-30'],
    // New York closes in the small hours of the next day here.
    ['us_daily', '2026-11-20T03:00', '2026-11-18', '2026-11-18'],
    ['us_daily', '2026-11-20T12:00', '2026-11-19', '2026-11-19'],
  ] as const)('%s at %s: %s, %s', (table, at, possible, expected) => {
    const now = beijing(at)
    expect(latestDays(calendar, table, now)).toMatchObject({ possible, expected })
    expect(expectedAsOf(calendar, table, now)).toBe(expected)
  })

  it('says that the close of today is pending, and only then', () => {
    expect(latestDays(calendar, 'daily', beijing('2026-11-20T15:30'))?.pending?.zh).toBe(
      '今日收盘数据尚未入库',
    )
    expect(latestDays(calendar, 'daily', beijing('2026-11-20T16:30'))).not.toHaveProperty('pending')
  })

  it('has no opinion when the calendar ends before now', () => {
    expect(latestDays(calendar, 'daily', beijing('2026-12-04T18:00'))).toBeUndefined()
  })

  it('takes the date of the market, not of the machine', () => {
    expect(marketDateAt(new Date('2026-11-19T16:30:00Z'))).toBe('2026-11-20')
    expect(marketDateAt(new Date('2026-11-19T16:30:00Z'), 'America/New_York')).toBe('2026-11-19')
  })
})

const explain = (date: string, at: string, more: Partial<AbsenceQuestion> = {}) =>
  explainAbsence({ calendar, table: 'daily', date, now: beijing(at), ...more })
const suspension = (timing: string | null, type = 'S') => ({
  suspensions: [{ trade_date: '2026-11-18', suspend_type: type, suspend_timing: timing }],
})

describe('why a day has no row', () => {
  const listing = { list_date: '2026-09-10', delist_date: '2026-11-02', list_status: 'D' }
  const evening = '2026-11-20T18:30'

  it.each<[reason: string, date: string, at: string, more?: Partial<AbsenceQuestion>]>([
    ['future', '2026-11-21', evening],
    ['future', '2099-12-31', evening],
    ['not_trading_day', '2026-10-01', evening],
    ['not_trading_day', '2026-10-10', evening],
    ['not_published_yet', '2026-11-20', '2026-11-20T11:00'],
    ['not_published_yet', '2026-11-20', '2026-11-20T17:29'],
    ['unexplained', '2026-11-20', '2026-11-20T17:30'],
    ['unexplained', '2026-11-18', evening],
    ['before_listing', '2026-09-09', evening, { listing }],
    ['delisted', '2026-11-02', evening, { listing }],
    ['delisted', '2026-11-07', evening, { listing }],
    ['unexplained', '2026-10-30', evening, { listing }],
    ['suspended', '2026-11-18', evening, suspension(null)],
    ['suspended', '2026-11-18', '2026-11-18T09:00', suspension(null)],
    ['unexplained', '2026-11-18', evening, suspension('09:30-10:00')],
    ['unexplained', '2026-11-18', evening, suspension(null, 'R')],
    [
      'suspended',
      '2026-11-18',
      evening,
      { listing: { ...listing, delist_date: null, list_status: 'P' } },
    ],
    ['calendar_unknown', '2025-01-02', evening],
    ['not_published_yet', '2026-11-19', '2026-11-20T10:00', { table: 'us_daily' }],
    ['future', '2026-11-20', '2026-11-20T10:00', { table: 'us_daily' }],
  ])('%s: %s asked at %s', (reason, date, at, more) => {
    const absence = explain(date, at, more)
    expect(absence.reason).toBe(reason)
    expect(absence.message.zh).not.toBe('')
    expect(absence.message.en).not.toBe('')
  })

  it('offers a day that has data', () => {
    expect(explain('2026-10-04', evening).instead).toBe('2026-09-30')
    expect(explain('2026-11-05', evening, { listing }).instead).toBe('2026-10-30')
    expect(explain('2026-09-02', evening, { listing }).instead).toBe('2026-09-10')
  })
})

it.each([
  ['20260430', '2026-04-30'],
  ['2026-04-30', '2026-04-30'],
  ['20240229', '2024-02-29'],
  ['20260229', undefined],
  ['20260230', undefined],
  ['00000000', undefined],
  ['99991231', undefined],
  ['2026-0430', undefined],
  ['2026-04-30T00:00', undefined],
  ['20260430\n', undefined],
  ['٢٠٢٦٠٤٣٠', undefined],
  [20_260_430, undefined],
])('the date %j is %j', (text, date) => {
  expect(parseMarketDate(text)).toBe(date)
})
