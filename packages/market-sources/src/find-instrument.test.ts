import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createInstrumentIndex } from './find-instrument.ts'
import type { NameChangeRow, StockBasicRow } from './tushare-rows.ts'

const stock = (
  ts_code: string,
  name: string,
  cnspell: string,
  more: Partial<StockBasicRow> = {},
): StockBasicRow => ({
  ts_code,
  symbol: ts_code.slice(0, 6),
  name,
  cnspell,
  area: null,
  industry: null,
  fullname: `${name}股份有限公司`,
  market: '主板',
  exchange: null,
  curr_type: 'CNY',
  list_status: 'L',
  list_date: '2001-08-27',
  delist_date: null,
  ...more,
})
const renamed = (ts_code: string, name: string): NameChangeRow => ({
  ts_code,
  name,
  start_date: '2001-01-01',
  end_date: '2010-01-01',
  ann_date: null,
  change_reason: '改名',
})

const index = createInstrumentIndex({
  stocks: [
    stock('600519.SH', '贵州茅台', 'GZMT'),
    stock('000001.SZ', '平安银行', 'PAYH'),
    stock('601318.SH', '中国平安', 'ZGPA'),
    stock('000002.SZ', '万  科Ａ', 'WKA'),
    stock('600001.SH', '邯郸钢铁', 'HDGT', { list_status: 'D', delist_date: '2009-12-29' }),
    stock('600010.SH', '包钢股份', 'BGGF'),
    stock('600022.SH', '山东钢铁', 'SDGT'),
    stock('920163.BJ', '方大新材', 'FDXC'),
    stock('600900.SH', '长江电力', 'CJDL'),
    stock('000043.SZ', '长江', 'CJ'),
    stock('600112.SH', '*ST天成', '*STTC'),
  ],
  formerNames: [
    renamed('000001.SZ', '深发展A'),
    renamed('600022.SH', '济南钢铁'),
    renamed('600010.SH', '长江'),
    renamed('600519.SH', '贵州茅台'),
  ],
  others: [
    { code: '000300.SH', kind: 'index', name: '沪深300' },
    { code: 'AAPL', kind: 'us', name: '苹果' },
    { code: 'BGGF', kind: 'us', name: 'Big Golf' },
  ],
  beijingCodes: new Map([['838163.BJ', '920163.BJ']]),
})

describe('one thing is meant', () => {
  it.each([
    ['600519', '600519.SH', 'code'],
    ['sh600519', '600519.SH', 'code'],
    ['838163', '920163.BJ', 'code'],
    ['贵州茅台', '600519.SH', 'name'],
    ['茅台', '600519.SH', 'name'],
    ['GZMT', '600519.SH', 'pinyin'],
    ['gzmt', '600519.SH', 'pinyin'],
    ['平安银行', '000001.SZ', 'name'],
    ['万科A', '000002.SZ', 'name'],
    ['万科ａ', '000002.SZ', 'name'],
    ['深发展', '000001.SZ', 'former_name'],
    ['贵州茅台股份有限公司', '600519.SH', 'full_name'],
    ['邯郸钢铁', '600001.SH', 'name'],
    ['ST天成', '600112.SH', 'name'],
    ['沪深300', '000300.SH', 'code'],
    ['AAPL', 'AAPL', 'code'],
    ['BRK.B', 'BRK.B', 'unlisted'],
    ['MSFT', 'MSFT', 'unlisted'],
    ['510300', '510300.SH', 'unlisted'],
  ])('%s is %s', (query, code, matched) => {
    const found = index.find(query)
    const read =
      found.found === 'one'
        ? [found.match.instrument.code, found.match.matched]
        : [found.found === 'unlisted' && found.instrument.code, found.found]
    expect(read).toEqual([code, matched])
  })

  it('the full present name decides, although another once bore it and a third begins with it', () => {
    expect(index.find('长江')).toMatchObject({
      found: 'one',
      match: { instrument: { code: '000043.SZ' } },
    })
  })

  it('a former name is said to be one', () => {
    expect(index.find('深发展A')).toMatchObject({
      found: 'one',
      note: { zh: '“深发展A”是 平安银行 (000001.SZ) 的曾用名' },
    })
  })
})

describe('more than one fits: a question back, never a guess', () => {
  it.each([
    // Prefix before part of a name.
    ['平安', ['000001.SZ', '601318.SH']],
    // Living before delisted; 济南钢铁 is a former name and comes after the present ones.
    ['钢铁', ['600022.SH', '600001.SH']],
    // Pinyin of one, ticker of another.
    ['BGGF', ['BGGF', '600010.SH']],
  ])('%s', (query, codes) => {
    const found = index.find(query)
    expect(
      found.found === 'many' && found.candidates.map(({ instrument }) => instrument.code),
    ).toEqual(codes)
  })
})

it('however few candidates are wanted, two that fit are never one', () => {
  expect(index.find('平安', { limit: 1 })).toMatchObject({ found: 'many', total: 2 })
  expect(index.find('BGGF', { limit: 1 })).toMatchObject({ found: 'many', total: 2 })
})

it('letters that only begin some pinyin may be a ticker: both are offered', () => {
  expect(index.find('GZM')).toMatchObject({
    found: 'many',
    candidates: [{ instrument: { code: '600519.SH' } }],
    alternatives: [{ code: 'GZM', kind: 'us' }],
  })
})

describe('nothing fits', () => {
  it.each([
    ['600000', 'unknown_code'],
    ['920001', 'unknown_code'],
    ['999999.SH', 'unknown_code'],
    ['113050', 'not_covered'],
    ['700', 'ambiguous'],
    ['不存在的公司', 'unknown_name'],
    ['', 'unknown_name'],
    ['茅'.repeat(65), 'too_long'],
    ['\n', 'unknown_name'],
  ])('%j: %s', (query, reason) => {
    expect(index.find(query)).toMatchObject({ found: 'none', reason })
  })

  it('a wild query never throws and never returns more than it was asked for', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 80 }),
        fc.integer({ min: -5, max: 500 }),
        (query, limit) => {
          const found = index.find(query, { limit })
          const given = found.found === 'many' ? found.candidates.length : 0
          expect(given).toBeLessThanOrEqual(Math.min(Math.max(limit, 1), 50))
        },
      ),
      { numRuns: 2000 },
    )
  })
})

it('answers in well under a millisecond over a whole market', () => {
  const characters = Array.from(
    '贵州茅台中国平安银行科技股份东方华夏天地海山水金木火土新能源电力医药生物重工汽车集团发展实业控股信息',
  )
  const letters = Array.from('ABCDEFGHJKLMNPQRSTWXYZ')
  let seed = 7
  const next = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return (seed >>> 8) % below
  }
  const word = (from: string[], length: number) =>
    Array.from({ length }, () => from[next(from.length)]).join('')
  const stocks = Array.from({ length: 5500 }, (_, i) =>
    stock(
      `${600_000 + (i % 1000)}.SH`.replace('600', String(600 + Math.floor(i / 1000))),
      word(characters, 4),
      word(letters, 4),
      {
        fullname: word(characters, 12),
      },
    ),
  )
  const formerNames = Array.from({ length: 8000 }, (_, i) =>
    renamed(stocks[i % 5500]?.ts_code ?? '', word(characters, 4)),
  )
  const whole = createInstrumentIndex({ stocks, formerNames })
  const queries = [
    '茅台',
    '贵州茅台',
    '银行',
    'GZMT',
    '600519',
    '平安科技',
    '不存在的',
    'ABC',
    '电力',
    '中',
  ]
  const times: number[] = []
  for (let round = 0; round < 60; round += 1) {
    for (const query of queries) {
      const started = performance.now()
      whole.find(query)
      times.push(performance.now() - started)
    }
  }
  const median = times.toSorted((a, b) => a - b)[times.length / 2] ?? Infinity
  // Typical is far below; the bound leaves room for a busy machine.
  expect(median).toBeLessThan(1)
})
