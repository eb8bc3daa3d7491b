import { afterAll, beforeAll, expect, test } from 'vitest'
import { member, startTestApi, type TestApi } from './test-data-api.ts'

let api: TestApi
let codes: string[]
beforeAll(async () => {
  api = await startTestApi()
  const day = await api.ask('daily', { trade_date: '20261119' }, 'ts_code')
  codes = day.map((row) => String(row['ts_code'])).filter((code) => !code.startsWith('9'))
})
afterAll(() => api[Symbol.asyncDispose]())

test('a thousand requests at once for one cold code are one call of the source', async () => {
  const before = await api.calls('daily')
  const path = `/price?code=${codes[0]}&trade_date=20261118`
  const answers = await Promise.all(Array.from({ length: 1000 }, () => api.get(path)))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  expect((await api.calls('daily')) - before).toBe(1)
})

test('a thousand cold codes of one day at once are a few calls, none fails, and each is the right one', async () => {
  const before = await api.calls('daily')
  const asked = codes.slice(0, 1000)
  const answers = await Promise.all(
    asked.map((code) => api.get(`/price?code=${code}&trade_date=20261119`)),
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  expect(answers.map(({ body }) => body['code'])).toEqual(asked)
  expect((await api.calls('daily')) - before).toBeLessThanOrEqual(21)
  const { outcomes } = await api.outcomes()
  expect(Object.keys(Object(member(member(outcomes, 'tushare'), 'daily')))).toEqual(['ok'])
})

test('the price out of a whole day is the price of the code asked by itself', async () => {
  const code = codes[500]
  const [bar] = await api.ask('daily', { ts_code: code, trade_date: '20261119' }, 'close')
  const { body } = await api.get(`/price?code=${code}&trade_date=20261119`)
  expect(body['value']).toBe(bar?.['close'])
})

test('five thousand codes are warm within a minute', async () => {
  for (let start = 0; start < 5000; start += 100) {
    const list = codes.slice(start, start + 100).join(',')
    const { status, body } = await api.get(`/price?codes=${list}&trade_date=20261119`)
    expect(status).toBe(200)
    const prices = Array.isArray(body['prices']) ? body['prices'] : []
    expect(prices.filter((price) => member(price, 'problem') !== undefined)).toEqual([])
  }
}, 60_000)
