import { request } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startTestSandbox, type TestSandbox } from '../test-sandbox.ts'

let sandbox: TestSandbox
beforeAll(async () => {
  sandbox = await startTestSandbox()
})
afterEach(() => sandbox.control('POST', 'reset'))
afterAll(() => sandbox[Symbol.asyncDispose]())

const tokenWith = (points: string) => `5a4db0c5${points.padStart(48, '0')}`

const askFrom = (localAddress: string) =>
  new Promise<string>((resolve, reject) => {
    const { hostname, port } = new URL(sandbox.url)
    const call = request(
      { hostname, port, localAddress, path: '/tushare/', method: 'POST', agent: false },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (piece: string) => (text += piece))
        response.once('end', () => resolve(text))
      },
    )
    call.once('error', reject)
    call.end(
      JSON.stringify({
        api_name: 'bse_mapping',
        token: tokenWith('5000'),
        params: { o_code: '838163.BJ' },
      }),
    )
  })

describe('refusals', () => {
  it('refuse an unknown token with 40101 and data null, over HTTP 200', async () => {
    const response = await sandbox.post(
      '/',
      JSON.stringify({ api_name: 'daily', token: 'x', params: {} }),
    )
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      code: 40_101,
      msg: '您的token不对，请确认。',
      data: null,
    })
  })

  it.each(['', 'not json', '[]', '"x"', '{"api_name"'])(
    'refuse the unreadable body %j',
    async (body) => {
      expect(await (await sandbox.post('/', body)).json()).toEqual({
        request_id: '',
        code: 40_101,
        data: null,
        msg: '不是合格的json格式，EOF',
        detail: '',
      })
    },
  )

  it('refuse a GET like an unreadable body', async () => {
    expect(await (await fetch(`${sandbox.url}/tushare/`)).json()).toMatchObject({
      code: 40_101,
      msg: '不是合格的json格式，EOF',
    })
  })

  it('refuse what the points do not buy, and what is sold separately, with 40203 and the permission text', async () => {
    const text =
      '抱歉，您没有接口访问权限，权限的具体详情访问：https://tushare.pro/document/1?doc_id=108。'
    for (const [api, token] of [
      ['daily_basic', tokenWith('120')],
      ['income_vip', tokenWith('2000')],
      ['hk_daily', undefined],
      ['rt_k', undefined],
    ] as const) {
      const body = await sandbox.ask(api, { ts_code: '00700.HK' }, token ? { token } : {})
      expect(body).toMatchObject({ code: 40_203, msg: text, data: null })
    }
    const [row] =
      (
        await sandbox.ask(
          'hk_daily',
          { ts_code: '00700.HK', trade_date: '20261119' },
          { token: tokenWith('10000') },
        )
      ).data?.items ?? []
    expect(row).toContain('00700.HK')
  })

  it('refuse the call over the minute limit in the old and the new wording, until the next full minute', async () => {
    const ask = (path: string) =>
      sandbox.ask(
        'daily',
        { ts_code: '600519.SH', trade_date: '20261119' },
        { token: tokenWith('120'), path },
      )
    for (let n = 0; n < 50; n += 1) expect((await ask('/')).code).toBe(0)
    expect(await ask('/')).toMatchObject({
      code: 40_203,
      msg: '抱歉，您每分钟最多访问该接口50次，权限的具体详情访问：https://tushare.pro/document/1?doc_id=108。',
    })
    expect((await ask('/dataapi/daily')).msg).toContain(
      '抱歉，您访问接口(daily)频率超限(50次/分钟)',
    )
    await sandbox.control('POST', 'clock', { advance_ms: 60_000 })
    expect((await ask('/')).code).toBe(0)
  })

  it('count each interface by itself', async () => {
    const token = tokenWith('120')
    for (let n = 0; n < 51; n += 1)
      await sandbox.ask('daily', { ts_code: '600519.SH', trade_date: '20261119' }, { token })
    expect((await sandbox.ask('bse_mapping', {}, { token })).code).toBe(0)
  })

  it('limit trials by the hour and by the day, until the next one begins', async () => {
    const token = tokenWith('120')
    expect((await sandbox.ask('stock_basic', {}, { token })).code).toBe(0)
    expect((await sandbox.ask('stock_basic', {}, { token })).msg).toContain(
      '您每小时最多访问该接口1次',
    )
    await sandbox.control('POST', 'clock', { advance_ms: 3_600_000 })
    expect((await sandbox.ask('stock_basic', {}, { token })).code).toBe(0)

    for (let n = 0; n < 10; n += 1)
      expect((await sandbox.ask('us_daily', { ts_code: 'AAPL' }, { token })).code).toBe(0)
    expect(
      (await sandbox.ask('us_daily', { ts_code: 'AAPL' }, { token, path: '/dataapi/us_daily' }))
        .msg,
    ).toContain('(10次/天)')
    await sandbox.control('POST', 'clock', { advance_ms: 6 * 3_600_000 })
    expect((await sandbox.ask('us_daily', { ts_code: 'AAPL' }, { token })).code).toBe(0)
  })

  it('name a missing required parameter, and reject impossible ones', async () => {
    expect(await sandbox.ask('daily_basic')).toMatchObject({
      code: -2_001,
      msg: '必填参数, ts_code',
      data: null,
    })
    expect((await sandbox.ask('income', { ts_code: '600519.SH,000001.SZ' })).msg).toContain(
      '必填参数',
    )
    for (const date of ['2026-11-19', '20260230', 'today']) {
      expect((await sandbox.ask('daily', { trade_date: date })).code).toBe(-2_001)
    }
    expect((await sandbox.ask('daily', { start_date: '20160101', offset: 100_001 })).code).toBe(
      -2_001,
    )
    expect((await sandbox.ask('no_such_api')).code).toBe(-2_001)
  })

  it.skipIf(process.platform !== 'linux')(
    'refuse a third client address of the same day',
    async () => {
      expect(await askFrom('127.0.0.1')).toContain('"code":0')
      expect(await askFrom('127.0.0.2')).toContain('"code":0')
      expect(JSON.parse(await askFrom('127.0.0.3'))).toMatchObject({
        code: 40_204,
        msg: '您的IP数量超限，最大数量为2个！',
        data: null,
      })
      expect(await askFrom('127.0.0.2')).toContain('"code":0')
    },
  )
})
