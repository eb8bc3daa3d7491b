import { describe, expect, it } from 'vitest'
import {
  createHongKongCalendar,
  createMainlandCalendar,
  createNewYorkCalendar,
} from './calendar.ts'
import { fromEpochDay, inBeijing, isRealDate, toEpochDay, weekday } from './dates.ts'

const calendar = createMainlandCalendar()

describe('the calendars', () => {
  it.each([
    [20_161_010, true],
    [20_161_003, false],
    [20_200_131, false],
    [20_200_203, true],
    [20_240_209, false],
    [20_250_128, false],
    [20_250_205, true],
    [20_251_008, false],
    [20_251_009, true],
    [20_260_223, false],
    [20_260_224, true],
    [20_261_120, true],
  ])('know that on %i the mainland was open: %s', (date, open) => {
    expect(calendar.isTradingDay(date)).toBe(open)
  })

  it('never trade on a weekend, not even on a make-up working one', () => {
    for (const place of [calendar, createHongKongCalendar(), createNewYorkCalendar()]) {
      expect([...place.days].every((date) => weekday(date) > 0 && weekday(date) < 6)).toBe(true)
    }
    expect(calendar.isTradingDay(20_260_214)).toBe(false)
  })

  it('have 242 to 245 mainland days a year', () => {
    for (let year = 2016; year <= 2026; year += 1) {
      const days = [...calendar.days].filter((date) => Math.floor(date / 10_000) === year).length
      expect(days).toBeGreaterThanOrEqual(241)
      expect(days).toBeLessThanOrEqual(245)
    }
  })

  it('find the trading day before and after any date', () => {
    expect(calendar.dateAt(calendar.indexUpTo(20_261_004))).toBe(20_260_930)
    expect(calendar.dateAt(calendar.indexFrom(20_261_004))).toBe(20_261_008)
    expect(calendar.indexUpTo(20_140_101)).toBe(-1)
    expect(calendar.indexFrom(20_991_231)).toBe(calendar.days.length)
  })

  it('count days both ways, and know what is no date', () => {
    expect(fromEpochDay(toEpochDay(20_240_229))).toBe(20_240_229)
    expect([20_230_229, 20_260_230, 20_261_301, 0].some(isRealDate)).toBe(false)
    expect(inBeijing(Date.parse('2026-11-19T16:30:00Z'))).toEqual({ date: 20_261_120, minute: 30 })
  })
})
