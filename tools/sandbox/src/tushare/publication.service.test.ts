import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startTestSandbox, type TestSandbox } from '../test-sandbox.ts'

let sandbox: TestSandbox
beforeAll(async () => {
  sandbox = await startTestSandbox()
})
afterEach(() => sandbox.control('POST', 'reset'))
afterAll(() => sandbox[Symbol.asyncDispose]())

const at = (now: string) => sandbox.control('POST', 'clock', { now: `2026-11-20T${now}:00+08:00` })

/** How many rows an interface shows of the day so far. */
const countRows = async (api: string, params: Record<string, string> = {}) =>
  (await sandbox.rows(api, { trade_date: '20261120', ...params }, 'ts_code')).length

describe('the day', () => {
  it('fills up between 15:10 and 15:50, and ratios come later', async () => {
    const filled: number[] = []
    for (const time of ['15:09', '15:20', '15:35', '15:50']) {
      await at(time)
      filled.push(await countRows('daily'))
    }
    expect(filled[0]).toBe(0)
    expect(filled).toEqual(filled.toSorted((a, b) => a - b))
    expect(filled[1]).toBeGreaterThan(500)
    expect(filled[3]).toBeGreaterThan(5_300)
    expect(filled[2]).toBeLessThan(filled[3] ?? 0)
    await at('15:40')
    expect(await countRows('daily_basic')).toBe(0)
    await at('16:45')
    expect(await countRows('daily_basic')).toBeGreaterThan(5_300)
  })

  it('has its adjustment factors from 09:20 and its limits from 08:40, before any bar', async () => {
    const maotai = { ts_code: '600519.SH' }
    await at('08:39')
    expect([await countRows('stk_limit', maotai), await countRows('adj_factor', maotai)]).toEqual([
      0, 0,
    ])
    await at('09:20')
    expect([
      await countRows('stk_limit', maotai),
      await countRows('adj_factor', maotai),
      await countRows('daily', maotai),
    ]).toEqual([1, 1, 0])
  })

  it('revises a few volumes at 17:00 and no price', async () => {
    await at('16:30')
    const before = await sandbox.rows('daily', { trade_date: '20261120' })
    await at('17:00')
    const after = await sandbox.rows('daily', { trade_date: '20261120' })
    const changed = after.filter((row, i) => row['vol'] !== before[i]?.['vol'])
    expect(changed.length).toBeGreaterThan(0)
    expect(changed.length).toBeLessThan(60)
    expect(after.map((row) => row['close'])).toEqual(before.map((row) => row['close']))
  })

  it('is empty with code 0 on holidays, in the future and for codes that do not exist', async () => {
    for (const params of [
      { trade_date: '20261001' },
      { trade_date: '20261123' },
      { ts_code: '999999.SH', trade_date: '20261119' },
    ]) {
      expect(await sandbox.ask('daily', params)).toMatchObject({
        code: 0,
        data: { items: [], has_more: false },
      })
    }
  })

  it('has no row for a suspended stock, which suspend_d explains', async () => {
    const suspended = (
      await sandbox.rows('suspend_d', { trade_date: '20261119', suspend_type: 'S' })
    ).filter((row) => row['suspend_timing'] === null)
    expect(suspended.length).toBeGreaterThan(3)
    for (const { ts_code: code } of suspended.slice(0, 5)) {
      expect(await sandbox.rows('daily', { ts_code: code, trade_date: '20261119' })).toEqual([])
      expect(
        await sandbox.rows('adj_factor', { ts_code: code, trade_date: '20261119' }),
      ).toHaveLength(1)
    }
  })

  it('publishes next year’s calendar only in December', async () => {
    const next = { start_date: '20270101', end_date: '20271231' }
    expect(await sandbox.rows('trade_cal', next)).toHaveLength(0)
    await sandbox.control('POST', 'clock', { now: '2026-12-15T18:00:00+08:00' })
    expect(await sandbox.rows('trade_cal', next)).toHaveLength(365)
  })
})

describe('listings', () => {
  it('list the living by default, the dead and the halted only when asked', async () => {
    const codes = async (status?: string) =>
      (await sandbox.rows('stock_basic', status === undefined ? {} : { list_status: status })).map(
        (row) => String(row['ts_code']),
      )
    const [living, dead, halted, approved] = await Promise.all([
      codes(),
      codes('D'),
      codes('P'),
      codes('G'),
    ])
    expect(living.length).toBeGreaterThan(5_300)
    expect([dead.length, halted.length, approved.length].every((count) => count > 0)).toBe(true)
    expect(living.some((code) => dead.includes(code))).toBe(false)
    const [maotai] = await sandbox.rows(
      'stock_basic',
      { ts_code: '600519.SH' },
      'ts_code,name,cnspell,market,list_status,list_date,curr_type',
    )
    expect(maotai).toEqual({
      ts_code: '600519.SH',
      name: '贵州茅台',
      cnspell: 'GZMT',
      market: '主板',
      list_status: 'L',
      list_date: '20010827',
      curr_type: 'CNY',
    })
  })

  it('tell from name changes who was ST on a day, as stock_st does', async () => {
    const [treated] = await sandbox.rows('stock_st', { trade_date: '20261119' })
    const names = await sandbox.rows('namechange', { ts_code: treated?.['ts_code'] })
    expect(names[0]).toMatchObject({ name: treated?.['name'], end_date: null })
    expect(String(names[0]?.['name'])).toMatch(/ST|退市/)
    expect(names.length).toBeGreaterThan(1)
  })

  it('map old Beijing codes to new ones', async () => {
    expect(await sandbox.rows('bse_mapping', { o_code: '838163.BJ' })).toEqual([
      { name: '方大新材', o_code: '838163.BJ', n_code: '920163.BJ', list_date: '20211115' },
    ])
    expect(await sandbox.rows('daily', { ts_code: '838163.BJ' })).toEqual([])
    expect(
      (await sandbox.rows('daily', { ts_code: '920163.BJ', trade_date: '20261119' })).length,
    ).toBe(1)
  })
})
