import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startTestSandbox, type TestSandbox } from '../test-sandbox.ts'

let sandbox: TestSandbox
beforeAll(async () => {
  sandbox = await startTestSandbox()
})
afterEach(() => sandbox.control('POST', 'reset'))
afterAll(() => sandbox[Symbol.asyncDispose]())

const tokenWith = (points: string) => `5a4db0c5${points.padStart(48, '0')}`

describe('other markets', () => {
  it('quote Hong Kong in shares and dollars, and the US with pct_change', async () => {
    const token = tokenWith('10000')
    const hk = await sandbox.ask(
      'hk_daily',
      { ts_code: '00700.HK', trade_date: '20261119' },
      { token },
    )
    expect(hk.data?.items).toHaveLength(1)
    const us = await sandbox.ask('us_daily', { ts_code: 'AAPL', trade_date: '20261118' }, { token })
    expect(us.data?.fields).toContain('pct_change')
    expect(us.data?.fields).not.toContain('pe')
    expect(
      (await sandbox.ask('us_daily', { ts_code: 'AAPL', trade_date: '20261120' }, { token })).data
        ?.items,
    ).toEqual([])
    expect((await sandbox.rows('hk_basic', { ts_code: '00700.HK' }))[0]).toMatchObject({
      name: '腾讯控股',
    })
    expect((await sandbox.rows('us_basic', { ts_code: 'AAPL' }))[0]).toMatchObject({
      classify: 'EQT',
    })
    expect(
      (await sandbox.rows('hk_tradecal', { start_date: '20261001', end_date: '20261001' }))[0]?.[
        'is_open'
      ],
    ).toSatisfy((open) => String(open) === '0')
  })

  it('keep index and stock of the same number apart, and 000300.SH equal to 399300.SZ', async () => {
    const close = async (api: string, code: string) =>
      (await sandbox.rows(api, { ts_code: code, trade_date: '20261119' }))[0]?.['close']
    expect(await close('index_daily', '000001.SH')).toBe(3962.4)
    expect(await close('daily', '000001.SH')).toBeUndefined()
    expect(await close('daily', '000001.SZ')).toBe(11.62)
    expect(await close('index_daily', '000300.SH')).toBe(await close('index_daily', '399300.SZ'))
    expect((await sandbox.rows('index_basic', { ts_code: '000300.SH' }))[0]).toMatchObject({
      name: '沪深300',
    })
    expect(await close('fund_daily', '510300.SH')).toBe(4.712)
  })
})
