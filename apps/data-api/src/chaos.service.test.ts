import { verifyResponse } from '@twilight/cite-envelope/verify-response'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi, type TestApi } from './test-data-api.ts'

const seed = 20261120
let api: TestApi
let truth: Map<string, unknown>

beforeAll(async () => {
  api = await startTestApi()
  const rows = await api.ask(
    'daily',
    { ts_code: '600519.SH', start_date: '20260101', end_date: '20261119' },
    'trade_date,close',
  )
  truth = new Map(rows.map((row) => [String(row['trade_date']), row['close']]))
  await api.chaos(5, seed)
})
afterAll(() => api[Symbol.asyncDispose]())

test(`with one in twenty of the source’s answers spoilt (seed ${seed}) a price is the right one, or a 503 that says when to come back`, async () => {
  let served = 0
  for (const [day, close] of truth) {
    const { status, headers, body } = await api.get(`/price?code=600519.SH&trade_date=${day}`)
    if (status === 200) {
      served += 1
      expect([day, body['value']]).toEqual([day, close])
      expect(verifyResponse(body, { now: api.now() })).toEqual([])
    } else {
      expect([day, status, body['code']]).toEqual([day, 503, 'source_unavailable'])
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    }
  }
  // A spoilt answer may close the source for the rest of the minute, so how many is a matter of luck.
  expect(served).toBeGreaterThan(0)
}, 120_000)
