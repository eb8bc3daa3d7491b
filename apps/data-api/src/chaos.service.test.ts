import { verifyResponse } from '@twilight/cite-envelope/verify-response'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Got, startTestApi, type TestApi } from './test-data-api.ts'

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
  const outcomes = new Set<string>()
  for (const [day, close] of truth) {
    const answer = await api.get(`/price?code=600519.SH&trade_date=${day}`)
    outcomes.add(judge(answer, close))
  }
  // A spoilt answer may close the source for the rest of the minute, so how many are refused is a matter of luck.
  expect([...outcomes].filter((outcome) => outcome !== 'refused')).toEqual(['right'])
}, 120_000)

function judge({ status, headers, body }: Got, close: unknown): string {
  if (status === 200) {
    const findings = verifyResponse(body, { now: api.now() })
    return body['value'] === close && findings.length === 0 ? 'right' : JSON.stringify(body)
  }
  const isTyped = status === 503 && body['code'] === 'source_unavailable'
  return isTyped && Number(headers.get('retry-after')) > 0 ? 'refused' : JSON.stringify(body)
}
