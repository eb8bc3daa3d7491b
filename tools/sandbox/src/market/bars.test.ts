import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createMarket } from './market.ts'
import { closeOn, factorOn, preCloseOn, priceLimits } from './price-path.ts'
import type { StockBook } from './stock-book.ts'

const seed = 20_161_101
const market = createMarket({ seed })
const { mainland } = market.calendars
const stocks = market.listStocks()
const anyStock = fc.constantFrom(...stocks).map((stock) => openBook(stock.code))
const today = 20_261_120

function openBook(code: string): StockBook {
  const book = market.openBook(code)
  if (!book) throw new Error(`no ${code}`)
  return book
}

describe('bars', () => {
  it('hold together on every day of any stock: prices in order, inside the limits, volume and money positive', () => {
    fc.assert(
      fc.property(anyStock, (book) => {
        for (const bar of market.getBars(book.stock.code, 20_161_101, today)) {
          expect(bar.high).toBeGreaterThanOrEqual(Math.max(bar.open, bar.close))
          expect(bar.low).toBeLessThanOrEqual(Math.min(bar.open, bar.close))
          expect(bar.low).toBeGreaterThan(0)
          expect(bar.volume).toBeGreaterThan(0)
          expect(
            [bar.open, bar.high, bar.low, bar.close, bar.volume, bar.amount].every(
              Number.isSafeInteger,
            ),
          ).toBe(true)
          const average = (bar.amount / bar.volume) * (book.priceScale / 100)
          expect(average).toBeGreaterThanOrEqual(bar.low - 1)
          expect(average).toBeLessThanOrEqual(bar.high + 1)
          const limits = priceLimits(bar.preClose, book.limitPct(mainland.indexUpTo(bar.date)))
          expect(bar.high).toBeLessThanOrEqual(limits?.up ?? Infinity)
          expect(bar.low).toBeGreaterThanOrEqual(limits?.down ?? 0)
        }
      }),
      { numRuns: 25 },
    )
  })

  it('exist only on trading days between listing and delisting, and never on a suspended day', () => {
    fc.assert(
      fc.property(anyStock, (book) => {
        const suspended = (day: number) =>
          book.suspensions.some((span) => span.from <= day && day <= span.to)
        for (const bar of market.getBars(book.stock.code, 20_150_101, 20_271_231)) {
          expect(mainland.isTradingDay(bar.date)).toBe(true)
          expect(bar.date).toBeGreaterThanOrEqual(book.stock.listDate)
          expect(bar.date).toBeLessThan(book.stock.delistDate ?? 99_999_999)
          expect(suspended(mainland.indexUpTo(bar.date))).toBe(false)
        }
      }),
      { numRuns: 25 },
    )
  })

  it('continue across ex dates once adjusted: close × factor before is pre_close × factor after', () => {
    fc.assert(
      fc.property(anyStock, ({ path, firstDay, lastDay }) => {
        for (let day = firstDay + 1; day <= lastDay; day += 1) {
          const before = closeOn(path, day - 1) * factorOn(path, day - 1)
          const after = preCloseOn(path, day) * factorOn(path, day)
          expect(Math.abs(after / before - 1)).toBeLessThan(1e-9)
        }
      }),
      { numRuns: 25 },
    )
  })

  it('lower the stated previous close on an ex date by what was paid, and on no other day', () => {
    const book = openBook('600519.SH')
    expect(book.shares.actions.length).toBeGreaterThanOrEqual(9)
    for (const action of book.shares.actions) {
      const paid = Math.round(action.cashFenPer10 / 10)
      expect(
        Math.abs(
          closeOn(book.path, action.exIndex - 1) - preCloseOn(book.path, action.exIndex) - paid,
        ),
      ).toBeLessThanOrEqual(1)
    }
    expect(book.path.exDays).toHaveLength(book.shares.actions.length)
  })

  it('keep the plausible price of a known stock: 600519 between 1,400 and 1,500 yuan in this week', () => {
    expect(market.getBar('600519.SH', 20_261_119)?.close).toBe(146_600)
    const week = market.getBars('600519.SH', 20_261_117, 20_261_119)
    expect(week.every((bar) => bar.close > 130_000 && bar.close < 160_000)).toBe(true)
  })

  it('hit the limits on some stocks of an ordinary day', () => {
    let hits = 0
    for (const stock of stocks) {
      const bar = market.getBar(stock.code, 20_261_118)
      const limits =
        bar &&
        priceLimits(bar.preClose, openBook(stock.code).limitPct(mainland.indexUpTo(bar.date)))
      if (limits && (bar.close === limits.up || bar.close === limits.down)) hits += 1
    }
    expect(hits).toBeGreaterThan(5)
    expect(hits).toBeLessThan(800)
  })

  it('follow the boards: 20 % on STAR, 30 % in Beijing, 20 % on ChiNext since 2020-08-24, 5 % for ST, none at first', () => {
    const limit = (code: string, date: number) => openBook(code).limitPct(mainland.indexUpTo(date))
    expect([
      limit('688981.SH', today),
      limit('920163.BJ', today),
      limit('600519.SH', today),
    ]).toEqual([20, 30, 10])
    expect([limit('300750.SZ', 20_200_821), limit('300750.SZ', 20_200_824)]).toEqual([10, 20])
    expect([limit('688981.SH', 20_200_716), limit('688981.SH', 20_200_723)]).toEqual([0, 20])
    const treated = stocks
      .map((stock) => openBook(stock.code))
      .find(({ stock, names }) => stock.board === 'main' && names.at(-1)?.name.startsWith('ST'))
    expect(treated?.limitPct(mainland.indexUpTo(today))).toBe(5)
  })
})
