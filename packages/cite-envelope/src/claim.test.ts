import { describe, expect, it } from 'vitest'
import { fundamentalsSchema, priceListSchema, searchAnswerSchema } from './answer.ts'
import { citeSchema, claimSchema } from './claim.ts'
import { sampleClaim, sampleResult } from './test-claims.ts'

const promised = {
  value: 1466.0,
  value_text: '1466.00',
  unit: 'CNY',
  metric: 'close',
  code: '600519.SH',
  name: '贵州茅台',
  as_of: '2026-11-19',
  cite: {
    kind: 'tool',
    source: 'tushare',
    served_by: ['tushare'],
    service: 'twilight-drive-backend',
    served_version: '0.2.0',
    table: 'daily',
    fetched_at: '2026-11-20T01:02:03Z',
    cache_age_seconds: 0,
    tool_call_id: 'tc_01KAGN3V8QF4X2M7Z9W0T5RCDE',
    raw_sha256: '4ee40348e646d8708075440511cacd97d12981bcf8e317ceb993732ed0787b30',
  },
}

describe('the claim schema', () => {
  it('takes the promised claim as it is, and keeps fields it does not know', () => {
    const added = { ...promised, later: [1], cite: { ...promised.cite, receipt: { id: 'x' } } }
    expect(claimSchema.parse(promised)).toEqual(promised)
    expect(claimSchema.parse(added)).toEqual(added)
  })

  it.each([
    ['value', 'a text', { value: '1466.00' }],
    ['value', 'not finite', { value: Infinity }],
    ['value_text', 'with a comma', { value_text: '1,466.00' }],
    ['value_text', 'with an exponent', { value_text: '1e3' }],
    ['value_text', 'with leading zeros', { value_text: '0466.00' }],
    ['unit', 'not on the list', { unit: 'RMB' }],
    ['unit', 'a name every object has', { unit: 'constructor' }],
    ['metric', 'prose', { metric: '收盘价' }],
    ['code', 'empty', { code: '' }],
    ['code', 'with a space', { code: '600519 SH' }],
    ['as_of', 'no day of the calendar', { as_of: '2026-02-29' }],
    ['as_of', 'without dashes', { as_of: '20261119' }],
    ['adjust', 'unknown', { adjust: 'front' }],
    ['period', 'without dashes', { period: '20251231' }],
    ['cite', 'missing', { cite: undefined }],
  ])('refuses a %s that is %s', (_field, _what, change) => {
    expect(claimSchema.safeParse({ ...promised, ...change }).success).toBe(false)
  })

  it.each([
    ['kind', { kind: 'model' }],
    ['source', { source: '' }],
    ['served_by as an empty list', { served_by: [] }],
    ['served_by as another text', { served_by: 'tushare' }],
    ['served_version', { served_version: undefined }],
    ['table', { table: undefined }],
    ['fetched_at without a zone', { fetched_at: '2026-11-20T01:02:03' }],
    ['cache_age_seconds below zero', { cache_age_seconds: -1 }],
    ['tool_call_id', { tool_call_id: '01KAGN3V8QF4X2M7Z9W0T5RCDE' }],
    ['raw_sha256', { raw_sha256: 'ABC' }],
  ])('refuses a cite with a wrong %s', (_what, change) => {
    expect(citeSchema.safeParse({ ...promised.cite, ...change }).success).toBe(false)
  })

  it('takes the search form of a cite only with its original_url', () => {
    const { cite } = sampleResult()
    expect(citeSchema.safeParse(cite).success).toBe(true)
    expect(citeSchema.safeParse({ ...cite, original_url: undefined }).success).toBe(false)
    expect(citeSchema.safeParse({ ...cite, original_url: 'javascript:alert(1)' }).success).toBe(
      false,
    )
  })

  it('a __proto__ in JSON changes no prototype', () => {
    const text = JSON.stringify(promised).replace('{', '{"__proto__":{"polluted":true},')
    const parsed = claimSchema.parse(JSON.parse(text))
    expect(Reflect.get(parsed, 'polluted')).toBeUndefined()
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })
})

it('the answers of every endpoint have a schema', () => {
  const absence = { code: '600001.SH', problem: { code: 'delisted', title: '已退市' } }
  expect(priceListSchema.safeParse({ prices: [sampleClaim(), absence] }).success).toBe(true)
  expect(priceListSchema.safeParse({ prices: [{ code: '600001.SH' }] }).success).toBe(false)
  const fundamentals = { code: '600519.SH', as_of: '2026-11-19', claims: [sampleClaim()] }
  expect(fundamentalsSchema.safeParse(fundamentals).success).toBe(true)
  expect(searchAnswerSchema.safeParse({ results: [sampleResult()] }).success).toBe(true)
})
