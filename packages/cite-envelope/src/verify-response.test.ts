import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { calculate } from './calc.ts'
import type { Claim } from './claim.ts'
import { now, sampleClaim, sampleResult } from './test-claims.ts'
import { verifyResponse, type VerifyContext } from './verify-response.ts'

function codes(body: unknown, context: Partial<VerifyContext> = {}): string[] {
  const findings = verifyResponse(body, { now, ...context })
  for (const { zh, en } of findings) expect([zh, en].every((text) => text.length > 5)).toBe(true)
  return findings.map(({ code, path }) => `${code} ${path}`)
}

const price = sampleClaim({ expectedAsOf: '20261119', adjust: 'none' })
const older = sampleClaim({ asOf: '20261118', figure: '1450.50' })
const checked = sampleClaim({
  servedBy: ['tushare', 'tdx'],
  crossCheck: { tushareClose: '1466.00', tdxClose: '1466.00' },
})
const roe = sampleClaim({
  figure: '31.25',
  unit: 'pct',
  metric: 'roe',
  asOf: '20251231',
  period: '20251231',
  table: 'fina_indicator',
})
const noPe = sampleClaim({ figure: null, nullReason: 'loss', unit: 'x', metric: 'pe' })
const fundamentals = { code: '600519.SH', as_of: '2026-11-19', claims: [price, roe, noPe] }
const absence = { code: '600001.SH', problem: { code: 'delisted', title: '已退市' } }
const derived = derive([price, older])

function derive(args: Claim[]): Claim {
  const toolCallId = 'tc_derived_000001'
  const result = calculate({ op: 'pct_change', args, toolCallId, servedVersion: '0.2.0', now })
  if (!result.ok) throw new Error(result.problem.en)
  return result.claim
}

describe('verified answers', () => {
  it.each<[string, unknown, Partial<VerifyContext>]>([
    ['a price', price, { asked: { codes: ['600519.SH'], asOf: '2026-11-19' } }],
    ['a price with a cross-check', checked, {}],
    ['fundamentals', fundamentals, { asked: { codes: ['600519.SH'] } }],
    [
      'a list of prices',
      { prices: [price, absence] },
      { asked: { codes: ['600519.SH', '600001.SH'] } },
    ],
    ['a bare list', [price, absence], {}],
    ['claims of a tool', { claims: [price, older, derived] }, {}],
    [
      'a derived claim with its records',
      { claims: [derived] },
      { records: [price, older, derived] },
    ],
    ['search results', { results: [sampleResult()] }, {}],
    [
      'search results with their records',
      { results: [sampleResult()] },
      { records: [sampleResult()] },
    ],
    ['no search results', { results: [] }, {}],
    ['a list with a cite of its own', { claims: [price], cite: {} }, {}],
    ['the same claim twice', { claims: [price, price] }, {}],
    [
      'one claim served again later',
      { claims: [price, withCite(price, { cache_age_seconds: 0 })] },
      {},
    ],
    ['fields not known yet', { ...price, new: 1, cite: { ...price.cite, receipt: {} } }, {}],
    ['a stale value that says so', sampleClaim({ asOf: '20261117', expectedAsOf: '20261119' }), {}],
    ['a clock four minutes behind', price, { now: new Date(now.getTime() - 240_000) }],
  ])('%s', (_what, body, context) => {
    expect(codes(body, context)).toEqual([])
  })

  it('an older form, when older forms are accepted', () => {
    const body = withCite(price, { service: undefined })
    expect(codes(body)).toEqual(['older_form /cite/service'])
    expect(codes(body, { acceptOlderForms: true })).toEqual([])
  })
})

describe('what it finds', () => {
  it.each<[string, unknown, Partial<VerifyContext>, string[]]>([
    ['no answer', {}, {}, ['not_an_answer ']],
    ['a problem', { type: 'about:blank', status: 404, code: 'no_data' }, {}, ['not_an_answer ']],
    ['a text', '1466.00', {}, ['not_an_answer ']],
    ['claims that are no list', { claims: price }, {}, ['malformed /claims']],
    [
      'a number alone',
      { value: 1466 },
      {},
      [
        'malformed /unit',
        'malformed /metric',
        'malformed /code',
        'malformed /as_of',
        'missing_cite ',
      ],
    ],
    ['a value without a cite', without(price, 'cite'), {}, ['missing_cite ']],
    [
      'a lone value beside a list',
      { claims: [], ...without(price, 'cite') },
      {},
      ['missing_cite '],
    ],
    ['a null in a list', { claims: [null] }, {}, ['malformed /claims/0']],
    ['a cite that is a text', { ...price, cite: 'tushare' }, {}, ['incomplete_cite ']],
    [
      'no tool_call_id',
      withCite(price, { tool_call_id: undefined }),
      {},
      ['incomplete_cite /cite/tool_call_id'],
    ],
    [
      'no fetched_at',
      withCite(price, { fetched_at: undefined }),
      {},
      ['incomplete_cite /cite/fetched_at'],
    ],
    [
      'no served_version',
      withCite(price, { served_version: undefined }),
      {},
      ['incomplete_cite /cite/served_version'],
    ],
    ['no table', withCite(price, { table: undefined }), {}, ['incomplete_cite /cite/table']],
    ['no upstream', withCite(price, { served_by: [] }), {}, ['incomplete_cite /cite/served_by']],
    [
      'a source that backed nothing',
      withCite(price, { served_by: ['tdx'] }),
      {},
      ['source_not_listed /cite/served_by'],
    ],
    ['kind of a model', withCite(price, { kind: 'model' }), {}, ['incomplete_cite /cite/kind']],
    ['another value', { ...price, value: 1466.01 }, {}, ['value_mismatch /value_text']],
    ['another text', { ...price, value_text: '1466.01' }, {}, ['value_mismatch /value_text']],
    [
      'a value without text',
      { ...price, value_text: null },
      {},
      ['value_mismatch /value_text', 'null_without_reason /value'],
    ],
    ['a text without value', { ...price, value: null }, {}, ['value_mismatch /value_text']],
    [
      'a date with a value',
      { ...price, unit: 'date', value_text: '2026-11-19' },
      {},
      ['value_mismatch /value_text'],
    ],
    ['null without a reason', without(noPe, 'null_reason'), {}, ['null_without_reason /value']],
    [
      'as_of after the fetch',
      withCite(price, { fetched_at: '2026-11-18T15:59:59Z' }),
      {},
      ['as_of_after_fetch /as_of'],
    ],
    [
      'a fetch in the future',
      withCite(price, { fetched_at: '2026-11-20T01:08:00Z' }),
      {},
      ['fetched_in_future /cite/fetched_at'],
    ],
    [
      'an age in the future',
      withCite(price, { cache_age_seconds: 301 }),
      {},
      ['cache_age_mismatch /cite/cache_age_seconds'],
    ],
    ['staleness unsaid', { ...price, expected_as_of: '2026-11-20' }, {}, ['stale_mismatch /stale']],
    [
      'agreement where there is none',
      withCheck({ tdx_close: 1467 }),
      {},
      ['cross_check_mismatch /cite/cross_check'],
    ],
    [
      'a cross-check of another value',
      { ...checked, value: 1467, value_text: '1467.00' },
      {},
      ['cross_check_mismatch /cite/cross_check'],
    ],
    [
      'one id for two values',
      { claims: [price, withCite(older, { tool_call_id: price.cite.tool_call_id })] },
      {},
      ['duplicate_id /claims/1/cite/tool_call_id'],
    ],
    [
      'another code than asked',
      price,
      { asked: { codes: ['000858.SZ'] } },
      ['code_mismatch /code', 'unanswered_code '],
    ],
    [
      'another date than asked',
      price,
      { asked: { asOf: '2026-11-18' } },
      ['as_of_mismatch /as_of'],
    ],
    [
      'a code without an answer',
      [price],
      { asked: { codes: ['600519.SH', '600001.SH'] } },
      ['unanswered_code '],
    ],
    ['an absence without a reason', [{ code: '600001.SH', problem: {} }], {}, ['malformed /0']],
    [
      'another code than the answer states',
      { ...fundamentals, code: '000858.SZ', claims: [price] },
      {},
      ['code_mismatch /claims/0/code'],
    ],
    [
      'another date than the answer states',
      { ...fundamentals, as_of: '2026-11-18' },
      {},
      ['as_of_mismatch /as_of'],
    ],
    ['a derived value alone', derived, {}, ['derived_input_missing /derived_from']],
    [
      'a wrong derived value',
      [price, older, { ...derived, value: 2, value_text: '2' }],
      {},
      ['derived_mismatch /2/derived_from'],
    ],
    [
      'a derived value of other unit',
      [price, older, { ...derived, unit: 'pct_point' }],
      {},
      ['derived_mismatch /2/derived_from'],
    ],
    [
      'a derived value without its rounding',
      [price, older, without(derived, 'rounding')],
      {},
      ['derived_incomplete /2/derived_from'],
    ],
    [
      'calc without saying what',
      [withCite(price, { source: 'calc' })],
      {},
      ['derived_incomplete /0/derived_from'],
    ],
    [
      'a refused operation',
      [price, older, { ...derived, derived_from: derived.derived_from?.toReversed() }],
      {},
      ['derived_mismatch /2/derived_from'],
    ],
    [
      'a value derived from itself',
      { ...derived, derived_from: ['tc_derived_000001', price.cite.tool_call_id] },
      {},
      ['derived_cycle /derived_from'],
    ],
    ['an id without a record', price, { records: [older] }, ['record_missing /cite/tool_call_id']],
    [
      'another unit than recorded',
      { ...price, unit: 'USD' },
      { records: [price] },
      ['record_mismatch /unit'],
    ],
    [
      'another name than recorded',
      { ...price, name: '五粮液' },
      { records: [price] },
      ['record_mismatch /name'],
    ],
    [
      'a search result without a cite',
      { results: [without(sampleResult(), 'cite')] },
      {},
      ['missing_cite /results/0'],
    ],
    [
      'a search result without original_url',
      { results: [withCite(sampleResult(), { original_url: undefined })] },
      {},
      ['older_form', 'incomplete_cite'],
    ],
    [
      'a search result at a script',
      { results: [{ ...sampleResult(), url: 'javascript:alert(1)' }] },
      {},
      ['malformed /results/0/url'],
    ],
    [
      'a search result fetched at two times',
      { results: [{ ...sampleResult(), fetched_at: '2026-11-19T00:00:00Z' }] },
      {},
      ['fetched_at_mismatch /results/0/fetched_at'],
    ],
    [
      'another snippet than recorded',
      { results: [{ ...sampleResult(), snippet: '增长 60.2 %' }] },
      { records: [sampleResult()] },
      ['record_mismatch /results/0/snippet'],
    ],
  ])('%s', (_what, body, context, expected) => {
    const found = codes(body, context)
    expect(found).toHaveLength(expected.length)
    expected.forEach((code) => expect(found.some((text) => text.startsWith(code))).toBe(true))
  })

  it('a circle of two derived values', () => {
    const body = [
      mean('tc_circle_0001', 'tc_circle_0002'),
      mean('tc_circle_0002', 'tc_circle_0001'),
    ]
    expect(codes(body)).toEqual(['derived_cycle /0/derived_from', 'derived_cycle /1/derived_from'])
  })

  it('more entries than it is willing to check', () => {
    const found = codes({ claims: Array.from({ length: 2001 }, () => price) })
    expect(found).toEqual(['too_many_items /claims'])
  })
})

it('an invalid clock is refused: with it every time would pass', () => {
  expect(() => verifyResponse(price, { now: new Date(NaN) })).toThrow(TypeError)
})

it('random JSON never makes it throw and is never verified', () => {
  const isVerified = fc.property(anyBody, fc.jsonValue(), (body, record) => {
    verifyResponse({ claims: [body], results: [body], prices: body }, { now })
    verifyResponse({ ...price, cite: body }, { now })
    const findings = verifyResponse(body, { now, records: [record, body] })
    return findings.length > 0 || (Array.isArray(body) && body.length === 0)
  })
  expect(() => fc.assert(isVerified, { numRuns: 2000 })).not.toThrow()
})

it('deep JSON in fields it does not know costs nothing', () => {
  const deep: unknown = JSON.parse('['.repeat(20_000) + ']'.repeat(20_000))
  expect(codes({ ...price, deep, cite: { ...price.cite, deep } }, { records: [price] })).toEqual([])
  expect(codes(withCheck({ deep }), { records: [withCheck({ deep })] })).toEqual([])
})

const anyBody = fc.oneof(fc.jsonValue(), fc.anything())

/** A mean of another claim and one that does not exist. */
function mean(id: string, from: string) {
  return {
    ...withCite(price, { tool_call_id: id, source: 'calc' }),
    op: 'mean',
    derived_from: [from, 'tc_other_000001'],
    rounding: 'half-even:6',
  }
}

function withCite<Item extends { cite: object }>(item: Item, change: Record<string, unknown>) {
  return { ...item, cite: { ...item.cite, ...change } }
}

function withCheck(change: Record<string, unknown>) {
  const cross_check = { tushare_close: 1466, tdx_close: 1466, diff_pct: 0, agreement: true }
  return withCite(checked, { cross_check: { ...cross_check, ...change } })
}

function without(item: object, field: string): object {
  return Object.fromEntries(Object.entries(item).filter(([key]) => key !== field))
}
