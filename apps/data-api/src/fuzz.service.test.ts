import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, member, startTestApi, type TestApi } from './test-data-api.ts'

let api: TestApi
let stranger: string
const strangersIds: string[] = []

beforeAll(async () => {
  api = await startTestApi()
  stranger = (await api.newKey()).key
  for (const code of ['600519.SH', '000001.SZ', '300750.SZ']) {
    const { body } = await api.get(`/price?code=${code}&trade_date=20261119`, bearer(stranger))
    strangersIds.push(String(member(body['cite'], 'tool_call_id')))
  }
})
afterAll(() => api[Symbol.asyncDispose]())

const wild = fc.oneof(
  fc.string({ maxLength: 80 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    '600519.SH',
    '贵州茅台',
    '平安',
    '0700.HK',
    '999999999999',
    "'; drop table claims; --",
    '../../etc/passwd',
    '20261119',
    '2026-11-19',
    '00000000',
    '99991231',
    '-1',
    '1e309',
    'null',
    '__proto__',
    'constructor',
    'tc_00000000',
    'qfq',
  ),
)
const name = fc.oneof(
  fc.constantFrom(
    'code',
    'codes',
    'trade_date',
    'adjust',
    'period',
    'as_known',
    'q',
    'date',
    'from',
    'to',
  ),
  fc.constantFrom('__proto__', 'constructor', 'toString'),
  fc.string({ maxLength: 12 }),
)
const path = fc.constantFrom(
  '/price',
  '/fundamentals',
  '/resolve',
  '/calendar',
  '/search',
  '/v1/usage',
)
const query = fc
  .array(fc.tuple(name, wild), { maxLength: 4 })
  .map((pairs) => pairs.map(([key, value]) => `${encode(key)}=${encode(value)}`).join('&'))
const rawQuery = fc
  .string({ maxLength: 60 })
  .map((text) => text.replaceAll(/[^!-~]/g, '%').replaceAll('#', '%23'))
const headers = fc.dictionary(
  fc.constantFrom(
    'x-request-id',
    'traceparent',
    'tracestate',
    'accept',
    'accept-language',
    'origin',
    'x-forwarded-for',
    'if-none-match',
    'range',
    'cookie',
  ),
  fc.string({ maxLength: 200 }).map((text) => text.replaceAll(/[^ -~]/g, '?')),
  { maxKeys: 4 },
)

function encode(text: string): string {
  // A lone surrogate has no UTF-8 form.
  return encodeURIComponent(text.toWellFormed())
}

describe('whatever is sent', () => {
  test('no query and no header makes a 500, and every refusal is a problem', async () => {
    await fc.assert(
      fc.asyncProperty(path, fc.oneof(query, rawQuery), headers, async (at, search, extra) => {
        const answer = await api.get(`${at}?${search}`, { ...extra, ...bearer(api.reader.key) })
        expect(answer.status).not.toBe(500)
        if (answer.status === 200) return
        expect(answer.headers.get('content-type')).toBe('application/problem+json')
        expect(answer.body['code']).toEqual(expect.any(String))
      }),
      { numRuns: 3000 },
    )
  }, 120_000)

  test('no credentials but a valid key open anything', async () => {
    const credentials = fc.oneof(
      fc.string({ maxLength: 80 }).map((text) => text.replaceAll(/[^ -~]/g, '?')),
      fc.integer({ min: 0, max: 51 }).map((at) => `Bearer ${flip(api.reader.key, at)}`),
      fc.constantFrom(
        'Bearer',
        'Bearer ',
        'Basic dGQ6eA==',
        'bearer\ttd_x',
        `Token ${'a'.repeat(4000)}`,
      ),
    )
    await fc.assert(
      fc.asyncProperty(path, credentials, async (at, authorization) => {
        const { status } = await api.get(`${at}?code=600519.SH`, { authorization })
        expect(status).toBe(401)
      }),
      { numRuns: 500 },
    )
  }, 60_000)

  test('no path leads to another user’s claim', async () => {
    const id = fc.oneof(
      fc.constantFrom(0, 1, 2).map((at) => strangersIds[at] ?? ''),
      fc.constantFrom(0, 1, 2).map((at) => encode(` ${strangersIds[at]}`)),
      fc.constantFrom(0, 1, 2).map((at) => `${strangersIds[at]}?user_id=1`),
      fc.constantFrom(0, 1, 2).map((at) => `${strangersIds[at]}%00`),
      fc.constantFrom(0, 1, 2).map((at) => `..%2Fclaims%2F${strangersIds[at]}`),
      wild.map(encode),
    )
    await fc.assert(
      fc.asyncProperty(id, async (text) => {
        const { status } = await api.get(`/claims/${text}`)
        expect([400, 404]).toContain(status)
      }),
      { numRuns: 500 },
    )
    for (const own of strangersIds) {
      expect((await api.get(`/claims/${own}`, bearer(stranger))).status).toBe(200)
    }
  }, 60_000)
})

function flip(key: string, at: number): string {
  const other = key[at] === 'A' ? 'B' : 'A'
  return key.slice(0, at) + other + key.slice(at + 1)
}
