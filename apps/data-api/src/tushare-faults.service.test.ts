import { verifyResponse } from '@twilight/cite-envelope/verify-response'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { member, startTestApi, type TestApi, until } from './test-data-api.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api[Symbol.asyncDispose]())
// Circuits stay open for a while: a test asks an interface of its own, or a process started anew.
afterEach(() => api.noFaults())

describe('Tushare misbehaves, and nothing is held', () => {
  test.each([
    ['http_500', 'daily', '600519.SH'],
    ['garbled', 'fund_daily', '510300.SH'],
    ['truncated', 'index_daily', '000300.SH'],
  ])('%s once: a second try answers', async (kind, endpoint, code) => {
    await api.fault({ endpoint, kind, times: 1 })
    const { status, body } = await api.get(`/price?code=${code}&trade_date=20260302`)
    expect([status, body['metric']]).toEqual([200, 'close'])
  })

  test.each([
    'http_500',
    'http_502_html',
    'timeout',
    'garbled',
    'truncated',
    'wrong_shape',
    'bad_numbers',
    'quota',
    'quota_day',
    'no_permission',
  ])(
    '%s again and again: a typed answer that can be told from "does not exist"',
    async (kind) => {
      await api.restart('2026-11-20T18:30:00+08:00')
      await api.fault({ endpoint: 'daily', kind })
      const path = '/price?code=600519.SH&trade_date=20260303'
      const { status, body, headers } = await api.get(path)
      const expected = kind === 'no_permission' ? [404, 'not_covered'] : [503, 'source_unavailable']
      expect([status, body['code']]).toEqual(expected)
      const retryAfter = Number(headers.get('retry-after'))
      expect(retryAfter > 0).toBe(status === 503)
      expect(JSON.stringify(body)).not.toMatch(/dataapi|127\.0\.0\.1|5a4db0c5/)
    },
    40_000,
  )

  test('what was refused is not kept: the next answer is right', async () => {
    await api.restart('2026-11-20T18:30:00+08:00')
    await api.fault({ endpoint: 'daily', kind: 'lie', times: 1 })
    const path = '/price?code=000001.SZ&trade_date=20260601'
    expect((await api.get(path)).status).toBe(503)
    let answer = await api.get(path)
    await until(async () => (answer = await api.get(path)).status === 200)
    const [row] = await api.ask('daily', { ts_code: '000001.SZ', trade_date: '20260601' })
    expect(answer.body['value']).toBe(row?.['close'])
  }, 40_000)

  test('columns in another order are the same figures', async () => {
    // Every fourth answer of the sandbox is shuffled.
    for (const day of ['20260304', '20260305', '20260306', '20260309', '20260310']) {
      const { body } = await api.get(`/price?code=000002.SZ&trade_date=${day}`)
      const [row] = await api.ask('daily', { ts_code: '000002.SZ', trade_date: day })
      expect(body['value']).toBe(row?.['close'])
    }
  })
})

describe('Tushare is away, and something is held', () => {
  test('a closed day needs no upstream; the newest close we hold is served as stale', async () => {
    await api.restart('2026-11-19T20:00:00+08:00')
    expect((await api.get('/price?code=600036.SH')).body['as_of']).toBe('2026-11-19')
    await api.restart('2026-11-20T20:00:00+08:00')
    await api.fault({ kind: 'refused' })
    const closed = await api.get('/price?code=600036.SH&trade_date=20261119')
    expect(closed.status).toBe(200)
    expect(closed.body).not.toHaveProperty('stale')
    const { status, body } = await api.get('/price?code=600036.SH')
    expect(status).toBe(200)
    expect(body).toMatchObject({ as_of: '2026-11-19', expected_as_of: '2026-11-20', stale: true })
    expect(verifyResponse(body, { now: api.now(), asked: { codes: ['600036.SH'] } })).toEqual([])
    const nothing = await api.get('/price?code=601398.SH')
    expect([nothing.status, nothing.body['code']]).toEqual([503, 'source_unavailable'])
    expect(nothing.headers.get('retry-after')).not.toBeNull()
  }, 60_000)

  test('the lists come out of the file too: names are known although nothing can be asked', async () => {
    await api.fault({ kind: 'refused' })
    await api.restart('2026-11-20T20:30:00+08:00')
    const { status, body } = await api.get(
      `/price?code=${encodeURIComponent('招商银行')}&trade_date=20261119`,
    )
    expect([status, body['code']]).toEqual([200, '600036.SH'])
    await api.get('/price?code=601398.SH')
    const tushare = async () => member((await api.health())?.body['checks'], 'tushare')
    await until(async () => member(member(await tushare(), 'last_failure'), 'kind') !== undefined)
  }, 60_000)
})
