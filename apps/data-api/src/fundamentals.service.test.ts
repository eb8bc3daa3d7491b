import { verifyResponse } from '@twilight/cite-envelope/verify-response'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { member, startTestApi, type Json, type TestApi } from './test-data-api.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api[Symbol.asyncDispose]())

async function read(query: string, code: string) {
  const { status, body } = await api.get(`/fundamentals?${query}`)
  expect([status, body['detail']]).toEqual([200, undefined])
  expect(verifyResponse(body, { now: api.now(), asked: { codes: [code] } })).toEqual([])
  const claims: Json[] = JSON.parse(JSON.stringify(body['claims']))
  return {
    body,
    claims,
    of: (metric: string) => claims.find((claim) => claim['metric'] === metric),
  }
}

describe('the figures of a company', () => {
  test('test_cite_envelope_on_fundamentals: every figure has its own cite, unit and period', async () => {
    const { body, claims, of } = await read('code=600519.SH&period=20251231', '600519.SH')
    expect(body).toMatchObject({ code: '600519.SH', name: '贵州茅台', period: '2025-12-31' })
    expect(body).not.toHaveProperty('absent')
    const statement = { as_of: '2025-12-31', period: '2025-12-31', known_at: expect.any(String) }
    expect(of('revenue')).toMatchObject({ ...statement, unit: 'CNY', cite: { table: 'income' } })
    expect(of('n_income_attr_p')).toMatchObject({ ...statement, unit: 'CNY' })
    expect(of('total_assets')).toMatchObject({ unit: 'CNY', cite: { table: 'balancesheet' } })
    expect(of('n_cashflow_act')).toMatchObject({ unit: 'CNY', cite: { table: 'cashflow' } })
    expect(of('roe')).toMatchObject({ unit: 'pct', cite: { table: 'fina_indicator' } })
    expect(of('grossprofit_margin')).toMatchObject({ unit: 'pct' })
    expect(of('gross_margin')).toMatchObject({ unit: 'CNY' })
    expect(of('debt_to_assets')).toMatchObject({ unit: 'pct' })
    const ratios = {
      as_of: '2026-11-20',
      expected_as_of: '2026-11-20',
      cite: { table: 'daily_basic' },
    }
    expect(of('pe_ttm')).toMatchObject({ ...ratios, unit: 'x' })
    expect(of('total_mv')).toMatchObject({ ...ratios, unit: 'CNY_10K' })
    expect(of('dv_ratio')).toMatchObject({ ...ratios, unit: 'pct' })
    const ids = claims.map((claim) => member(claim['cite'], 'tool_call_id'))
    expect(new Set(ids).size).toBe(claims.length)
    expect(new Set(claims.map(({ metric }) => metric)).size).toBe(claims.length)
  })

  test('the digits are those of the source', async () => {
    const { of } = await read('code=600519.SH&period=20251231', '600519.SH')
    const asked = { ts_code: '600519.SH', period: '20251231' }
    const [income] = await api.ask('income', asked)
    const [ratios] = await api.ask('daily_basic', { ts_code: '600519.SH', trade_date: '20261120' })
    expect(of('revenue')?.['value']).toBe(income?.['revenue'])
    expect(of('pe')?.['value']).toBe(ratios?.['pe'])
    expect(of('total_mv')?.['value']).toBe(ratios?.['total_mv'])
  })

  test('without a period it is the newest announced, the same for all statements', async () => {
    const { body, claims } = await read('code=600519', '600519.SH')
    expect(body['period']).toBe('2026-09-30')
    const periods = claims.flatMap(({ period }) => (period === undefined ? [] : [period]))
    expect(new Set(periods)).toEqual(new Set(['2026-09-30']))
    expect(body['interpreted']).toMatchObject({ from: '600519' })
  })

  test('a loss is a reason, not a zero', async () => {
    const rows = await api.ask('daily_basic', { trade_date: '20261120' }, 'ts_code,pe,pe_ttm')
    const loser = rows.find(({ pe, pe_ttm: ttm }) => pe === null && ttm === null)
    const code = String(loser?.['ts_code'])
    const { of } = await read(`code=${code}`, code)
    expect(of('pe')).toMatchObject({ value: null, value_text: null, null_reason: 'loss' })
  })

  test('asked again, it costs no call and every figure keeps its id', async () => {
    const first = await read('code=600519.SH', '600519.SH')
    const before = await Promise.all(tables.map((table) => api.calls(table)))
    const second = await read('code=600519.SH', '600519.SH')
    expect(await Promise.all(tables.map((table) => api.calls(table)))).toEqual(before)
    const ids = ({ claims }: typeof first) =>
      claims.map((claim) => member(claim['cite'], 'tool_call_id'))
    expect(ids(second)).toEqual(ids(first))
  })
})

describe('a restatement', () => {
  // Its first quarter of 2026 was announced on 24 April and corrected on 22 October.
  const restated = 'code=000006.SZ&period=20260331'

  test('today’s view is the correction, and as_known says what was known then', async () => {
    const now = await read(restated, '000006.SZ')
    const then = await read(`${restated}&as_known=20261021`, '000006.SZ')
    expect(now.of('revenue')?.['known_at']).toBe('2026-10-22')
    expect(then.of('revenue')?.['known_at']).toBe('2026-04-24')
    const changed = now.claims.filter(
      (claim) => then.of(String(claim['metric']))?.['value_text'] !== claim['value_text'],
    )
    expect(changed.map(({ metric }) => metric)).toContain('n_income_attr_p')
    const id = (answer: typeof now) => member(answer.of('revenue')?.['cite'], 'tool_call_id')
    expect(id(now)).not.toBe(id(then))
    expect(then.of('pe_ttm')?.['as_of'] ?? then.of('pb')?.['as_of']).toBe('2026-10-21')
  })

  test('before the announcement there is nothing but the ratios of that day', async () => {
    const { body, of } = await read(`${restated}&as_known=20260423`, '000006.SZ')
    expect(of('revenue')).toBeUndefined()
    expect(of('pb')?.['as_of']).toBe('2026-04-23')
    const absent: Json[] = JSON.parse(JSON.stringify(body['absent']))
    expect(absent.map(({ table, problem }) => [table, member(problem, 'code')])).toContainEqual([
      'income',
      'no_data',
    ])
  })

  test('without a period, as_known goes back to the newest one known then', async () => {
    const { body } = await read('code=000006.SZ&as_known=20260423', '000006.SZ')
    expect(['2025-09-30', '2025-12-31']).toContain(body['period'])
  })
})

describe('why there are none', () => {
  test.each([
    ['an index', 'code=000300.SH', 404, 'not_covered'],
    ['Hong Kong', 'code=00700.HK', 404, 'not_covered'],
    ['an unknown code', 'code=605999.SH', 404, 'unknown_code'],
    ['a day that ends no quarter', 'code=600519.SH&period=20251130', 400, 'invalid_parameter'],
    ['a future period', 'code=600519.SH&period=20271231', 404, 'future_date'],
    ['a future view', 'code=600519.SH&as_known=20270101', 404, 'future_date'],
  ])('%s', async (_, query, status, code) => {
    const answer = await api.get(`/fundamentals?${query}`)
    expect([answer.status, answer.body['code']]).toEqual([status, code])
  })

  test('a period long past has no statements, and the ratios are there all the same', async () => {
    const { body } = await read('code=600519.SH&period=19951231', '600519.SH')
    const absent: Json[] = JSON.parse(JSON.stringify(body['absent']))
    expect(absent.map(({ problem }) => member(problem, 'code'))).toEqual(
      Array.from({ length: 4 }, () => 'no_data'),
    )
  })

  test('a table that cannot be fetched is named, and never looks like one without data', async () => {
    await api.fault({ endpoint: 'cashflow', kind: 'http_500' })
    const { body, of } = await read('code=000002.SZ', '000002.SZ')
    await api.noFaults()
    expect(of('revenue')).toBeDefined()
    expect(of('n_cashflow_act')).toBeUndefined()
    expect(body['absent']).toMatchObject([
      { table: 'cashflow', problem: { code: 'source_unavailable' } },
    ])
  })
})

const tables = ['income', 'balancesheet', 'cashflow', 'fina_indicator', 'daily_basic']
