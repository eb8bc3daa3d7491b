import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sharesOn } from './corporate-actions.ts'
import { periodEnd, quarterCount } from './figures.ts'
import { createMarket } from './market.ts'
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

describe('statements', () => {
  it('balance to the fen in every version of every quarter of any company', () => {
    fc.assert(
      fc.property(anyStock, fc.integer({ min: 0, max: quarterCount - 1 }), ({ stock }, quarter) => {
        for (const { income, balance, cash } of market.getStatements(
          stock.code,
          quarter,
          20_271_231,
        )) {
          expect(balance.liabilities + balance.equity).toBe(balance.assets)
          expect(balance.parentEquity + balance.minorityEquity).toBe(balance.equity)
          const parts =
            balance.shares * 100 +
            balance.capitalReserve +
            balance.surplusReserve +
            balance.undistributed
          expect(parts).toBe(balance.parentEquity)
          // A bank does not tell current from other assets.
          const nonCurrent = balance.nonCurrentAssets ?? balance.assets
          expect((balance.currentAssets ?? 0) + nonCurrent).toBe(balance.assets)
          expect(income.operatingProfit + income.otherIncome - income.otherExpense).toBe(
            income.beforeTax,
          )
          expect(income.beforeTax - income.incomeTax).toBe(income.netProfit)
          expect(income.parentProfit + income.minority).toBe(income.netProfit)
          expect(income.revenue - income.totalCost + income.investIncome).toBe(
            income.operatingProfit,
          )
          const costs =
            (income.operatingCost ?? 0) +
            income.taxes +
            (income.selling ?? 0) +
            (income.admin ?? 0) +
            (income.research ?? 0) +
            (income.finance ?? 0)
          expect(costs).toBe(income.totalCost)
          expect(cash.operating + cash.investing + cash.financing).toBe(cash.increase)
          expect(cash.begin + cash.increase).toBe(cash.end)
          expect(cash.end).toBe(balance.money)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('begin each year with the cash the last one ended with', () => {
    const end = market.getStatements('600519.SH', 44, today)[0]?.cash.end
    expect(market.getStatements('600519.SH', 45, today)[0]?.cash.begin).toBe(end)
  })

  it('stay unseen until they are announced, and keep the original beside a restatement', () => {
    let restatements = 0
    for (const { code } of stocks.slice(0, 400)) {
      const book = openBook(code)
      for (let quarter = book.figures.first; quarter < quarterCount; quarter += 1) {
        const announced = book.figures.announced[quarter] ?? 0
        const inProspectus = announced <= book.stock.listDate
        expect(inProspectus || announced > periodEnd(quarter)).toBe(true)
        expect(market.getStatements(code, quarter, announced - 1)).toHaveLength(0)
        const restated = book.figures.restated[quarter] ?? 0
        if (restated === 0) continue
        restatements += 1
        expect(restated).toBeGreaterThan(announced)
        const [before] = market.getStatements(code, quarter, restated - 1)
        const [original, corrected] = market.getStatements(code, quarter, restated)
        expect(before?.superseded).toBe(false)
        expect(original?.superseded).toBe(true)
        expect(corrected?.firstAnnounced).toBe(original?.announced)
        expect(original?.income).toEqual(before?.income)
        expect(corrected?.income.parentProfit).not.toBe(original?.income.parentProfit)
      }
    }
    expect(restatements).toBeGreaterThan(50)
  })
})

describe('ratios', () => {
  it('follow from price and statements: P/E is value ÷ last annual profit known that day, null for a loss', () => {
    fc.assert(
      fc.property(anyStock, ({ stock, figures, shares }) => {
        const basic = market.getDailyBasic(stock.code, 20_260_922)
        const annual = figures.annualProfit[2025 - 2014] ?? 0
        if (!basic || (figures.restated[44] ?? 0) !== 0) return
        expect(basic.totalShares).toBe(sharesOn(shares, mainland.indexUpTo(20_260_922)))
        expect(basic.totalValue).toBe((basic.totalShares * basic.close * 100) / stock.priceScale)
        expect(basic.pe).toBe(annual > 0 ? basic.totalValue / annual : null)
        expect(basic.floatShares).toBeLessThanOrEqual(basic.totalShares)
      }),
      { numRuns: 200 },
    )
  })
})
