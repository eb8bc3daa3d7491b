import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createMarket } from './market.ts'
import { statusOn } from './securities.ts'

const seed = 20_161_101
const market = createMarket({ seed })
const stocks = market.listStocks()
const today = 20_261_120

const sample = (from: ReturnType<typeof createMarket>): string => {
  const hash = createHash('sha256')
  for (const code of [
    '600519.SH',
    '000001.SZ',
    '300750.SZ',
    '688981.SH',
    '920163.BJ',
    '000003.SZ',
  ]) {
    hash.update(JSON.stringify(from.getBars(code, 20_161_101, today)))
    hash.update(JSON.stringify(from.getStatements(code, 44, today)))
    hash.update(JSON.stringify(from.getDailyBasic(code, 20_261_119) ?? null))
  }
  hash.update(JSON.stringify(from.getSimpleBars('hk', '00700.HK', 20_200_101, today)))
  return hash.digest('hex')
}

describe('determinism', () => {
  it('makes the same market from the same seed, down to a golden hash', () => {
    expect(sample(createMarket({ seed }))).toBe(sample(market))
    expect(sample(market)).toMatchInlineSnapshot(
      `"2c4cb025543d8f099f75f3757cf957abbe5d1061419d855f2f6815715055baca"`,
    )
  })

  it('makes another market from another seed', () => {
    expect(sample(createMarket({ seed: seed + 1 }))).not.toBe(sample(market))
  })

  it('gives a day the same bar whatever was asked before, and alone or in a range', () => {
    const fresh = createMarket({ seed })
    expect(fresh.getBar('600519.SH', 20_261_119)).toEqual(
      market.getBars('600519.SH', 20_261_101, today).find((bar) => bar.date === 20_261_119),
    )
  })
})

describe('the list of stocks', () => {
  it('has about 5,500 listed codes on all boards, and unique codes and names', () => {
    const listed = stocks.filter((stock) => statusOn(stock, today) === 'L' && stock.board !== 'b')
    expect(listed.length).toBeGreaterThan(5_300)
    expect(listed.length).toBeLessThan(5_600)
    expect(new Set(stocks.map((stock) => stock.code)).size).toBe(stocks.length)
    for (const board of ['main', 'chinext', 'star', 'bse'] as const) {
      expect(listed.filter((stock) => stock.board === board).length).toBeGreaterThan(200)
    }
    const statuses = new Set(stocks.map((stock) => statusOn(stock, today)))
    expect(statuses).toEqual(new Set(['L', 'D', 'P', 'G', undefined]))
  })

  it('knows the companies that exist by their real codes and pinyin initials', () => {
    const names = [
      '600519.SH',
      '000001.SZ',
      '300750.SZ',
      '601318.SH',
      '688981.SH',
      '000858.SZ',
    ].map((code) => market.getStock(code))
    expect(names.map((stock) => `${stock?.name} ${stock?.spell}`)).toEqual([
      '贵州茅台 GZMT',
      '平安银行 PAYH',
      '宁德时代 NDSD',
      '中国平安 ZGPA',
      '中芯国际 ZXGJ',
      '五粮液 WLY',
    ])
    expect(stocks.filter((stock) => stock.known).length).toBeGreaterThanOrEqual(200)
    expect(market.getStock('920163.BJ')?.oldCode).toBe('838163.BJ')
  })

  it('trades B shares in their own currencies', () => {
    const currencies = stocks
      .filter((stock) => stock.board === 'b')
      .map((stock) => `${stock.symbol.slice(0, 3)} ${stock.currency}`)
    expect(new Set(currencies)).toEqual(new Set(['900 USD', '200 HKD']))
  })
})
