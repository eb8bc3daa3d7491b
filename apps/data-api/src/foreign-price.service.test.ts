import { verifyResponse } from '@twilight/cite-envelope/verify-response'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApi, type TestApi, wholeToken } from './test-data-api.ts'

// With a licence for Hong Kong and New York; without one both are not_covered (price.service.test.ts).
let api: TestApi
beforeAll(async () => {
  api = await startTestApi({ tushareToken: wholeToken })
})
afterAll(() => api[Symbol.asyncDispose]())

describe('other markets', () => {
  test.each([
    ['0700.HK', '00700.HK', 'HKD', 'hk_daily'],
    ['HK00700', '00700.HK', 'HKD', 'hk_daily'],
    ['80700.HK', '80700.HK', 'CNY', 'hk_daily'],
    ['AAPL', 'AAPL', 'USD', 'us_daily'],
    ['AAPL.US', 'AAPL', 'USD', 'us_daily'],
  ])('%s is %s in %s', async (text, code, unit, table) => {
    const { status, body } = await api.get(`/price?code=${text}&trade_date=20261118`)
    expect([status, body['detail']]).toEqual([200, undefined])
    expect(
      verifyResponse(body, { now: api.now(), asked: { codes: [code], asOf: '2026-11-18' } }),
    ).toEqual([])
    expect(body).toMatchObject({ unit, metric: 'close', cite: { table } })
  })

  test('without a date it is the newest close there is, and no day is promised', async () => {
    const { status, body } = await api.get('/price?code=00700.HK')
    expect([status, body['as_of']]).toEqual([200, '2026-11-20'])
    expect(body).not.toHaveProperty('expected_as_of')
  })

  test('a well-formed code that nobody has is unknown', async () => {
    const { status, body } = await api.get('/price?code=ZZZZQ.US')
    expect([status, body['code']]).toEqual([404, 'unknown_code'])
  })

  test('a day without a price and a day to come are told apart', async () => {
    const weekend = await api.get('/price?code=00700.HK&trade_date=20261115')
    expect([weekend.status, weekend.body['code']]).toEqual([404, 'no_data'])
    const future = await api.get('/price?code=AAPL&trade_date=20261130')
    expect([future.status, future.body['code']]).toEqual([404, 'future_date'])
  })
})
