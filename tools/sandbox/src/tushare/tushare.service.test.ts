import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startTestSandbox, type TestSandbox, type TushareBody } from '../test-sandbox.ts'

let sandbox: TestSandbox
beforeAll(async () => {
  sandbox = await startTestSandbox()
})
afterEach(() => sandbox.control('POST', 'reset'))
afterAll(() => sandbox[Symbol.asyncDispose]())

const byName = ({ data }: TushareBody) =>
  Object.fromEntries(data?.fields.map((field, i) => [field, data.items[0]?.[i]]) ?? [])

describe('the wire', () => {
  it('answers a bar in the documented envelope, in lots and thousand yuan', async () => {
    const body = await sandbox.ask('daily', { ts_code: '600519.SH', trade_date: '20261119' })
    expect(body).toMatchObject({ code: 0, msg: '', detail: null, data: { has_more: false } })
    expect(body.request_id).toMatch(/^[0-9a-f]{32}$/)
    const [row] = await sandbox.rows('daily', { ts_code: '600519.SH', trade_date: '20261119' })
    expect(row).toMatchObject({ ts_code: '600519.SH', trade_date: '20261119', close: 1466 })
    const [vol, amount, close, preClose, change, pct] = [
      'vol',
      'amount',
      'close',
      'pre_close',
      'change',
      'pct_chg',
    ].map((name) => Number(row?.[name]))
    expect(((amount ?? 0) * 1_000) / ((vol ?? 0) * 100)).toBeGreaterThan((close ?? 0) * 0.9)
    expect(((amount ?? 0) * 1_000) / ((vol ?? 0) * 100)).toBeLessThan((close ?? 0) * 1.1)
    expect(change).toBeCloseTo((close ?? 0) - (preClose ?? 0), 6)
    expect(pct).toBeCloseTo((((close ?? 0) - (preClose ?? 0)) / (preClose ?? 1)) * 100, 3)
  })

  it('serves the same interface at the root and under /dataapi/{api}', async () => {
    const params = { ts_code: '000001.SZ', trade_date: '20261119' }
    const root = await sandbox.ask('daily', params)
    const named = await sandbox.ask('daily', params, { path: '/dataapi/daily' })
    expect(byName(named)).toEqual(byName(root))
    expect(byName(root)['close']).toBe(11.62)
  })

  it('answers the default columns, or those named, and takes no array', async () => {
    const params = { ts_code: '600519.SH', period: '20251231' }
    const byDefault = await sandbox.ask('fina_indicator', params)
    expect(byDefault.data?.fields).not.toContain('update_flag')
    const named = await sandbox.ask('fina_indicator', params, { fields: 'ts_code,roe,update_flag' })
    expect(named.data?.fields.toSorted()).toEqual(['roe', 'ts_code', 'update_flag'])
    expect((await sandbox.ask('daily', params, { fields: ['close'] })).code).toBe(-2_001)
  })

  it('shuffles its columns now and then, so that only mapping by name survives', async () => {
    const orders = new Set<string>()
    for (let n = 0; n < 24; n += 1) {
      const { data } = await sandbox.ask('daily', { ts_code: '600519.SH', trade_date: '20261119' })
      orders.add(String(data?.fields))
      expect(data?.items[0]?.[data.fields.indexOf('close')]).toBe(1466)
    }
    expect(orders.size).toBeGreaterThan(2)
  })

  it('delivers is_open as a number and as a text, and pages nothing away', async () => {
    const kinds = new Set<string>()
    for (let n = 0; n < 24; n += 1) {
      for (const row of await sandbox.rows('trade_cal', {
        start_date: '20261116',
        end_date: '20261122',
      }))
        kinds.add(`${typeof row['is_open']} ${String(row['is_open'])}`)
    }
    expect(kinds).toEqual(new Set(['number 0', 'number 1', 'string 0', 'string 1']))
  })

  it('repeats itself exactly after a reset', async () => {
    const ask = () =>
      Promise.all([
        sandbox.ask('stock_basic', { ts_code: '600519.SH' }),
        sandbox.ask('trade_cal', { start_date: '20261101' }),
      ])
    const first = await ask()
    await sandbox.control('POST', 'reset')
    expect(await ask()).toEqual(first)
  })
})

describe('paging', () => {
  it('says has_more at the row limit, and offset leads through every row once', async () => {
    await using small = await startTestSandbox({ SANDBOX_TUSHARE_MAX_ROWS: '2000' })
    const seen: unknown[] = []
    let hasMore = true
    for (let page = 0; hasMore && page < 10; page += 1) {
      const { data } = await small.ask(
        'daily',
        { trade_date: '20261119', offset: seen.length, limit: 6_000 },
        { fields: 'ts_code' },
      )
      expect(data?.items.length).toBeLessThanOrEqual(2_000)
      seen.push(...(data?.items.flat() ?? []))
      hasMore = data?.has_more ?? false
    }
    expect(seen.length).toBeGreaterThan(5_300)
    expect(new Set(seen).size).toBe(seen.length)
  })

  it('honours a smaller limit, and cuts fina_indicator at its own hundred', async () => {
    const { data } = await sandbox.ask('daily', { ts_code: '600519.SH', limit: '3' })
    expect(data?.items).toHaveLength(3)
    expect(data?.has_more).toBe(true)
    const vip = await sandbox.ask('fina_indicator', { ts_code: '600519.SH' })
    expect(vip.data?.items.length).toBeLessThanOrEqual(100)
  })

  it('counts the rows of several codes together, newest day first', async () => {
    const rows = await sandbox.rows('daily', {
      ts_code: '600519.SH,000001.SZ',
      start_date: '20261116',
      end_date: '20261120',
    })
    expect(rows).toHaveLength(10)
    const dates = rows.map((row) => String(row['trade_date']))
    expect(dates).toEqual(dates.toSorted().toReversed())
  })
})
