import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildClaim, ClaimError, type ClaimInput } from './build-claim.ts'
import type { Claim } from './claim.ts'
import { fromNumber, shift } from './decimal.ts'
import { closeInput, now } from './test-claims.ts'
import { unitNames } from './unit.ts'
import { verifyResponse } from './verify-response.ts'

describe('building a claim', () => {
  it('gives the promised claim', () => {
    expect(buildClaim(closeInput())).toEqual({
      value: 1466,
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
    })
  })

  it.each([
    ['1466.00', undefined, '1466.00', 1466],
    [1466.0, undefined, '1466', 1466],
    [1466.0, 2, '1466.00', 1466],
    ['1466.123', 2, '1466.123', 1466.123],
    ['-0.02', 2, '-0.02', -0.02],
    ['1.5e8', undefined, '150000000', 150000000],
    ['0.00', undefined, '0.00', 0],
    [6.510000228881836, undefined, '6.510000228881836', 6.510000228881836],
  ])('keeps the digits of %j', (figure, minFractionDigits, text, value) => {
    const claim = buildClaim(
      closeInput({ figure, ...(minFractionDigits !== undefined && { minFractionDigits }) }),
    )
    expect(claim.value_text).toBe(text)
    expect(claim.value).toBe(value)
  })

  it('says why there is no value, and never serves zero for it', () => {
    const claim = buildClaim(
      closeInput({ figure: null, nullReason: 'loss', metric: 'pe', unit: 'x' }),
    )
    expect(claim).toMatchObject({ value: null, value_text: null, null_reason: 'loss' })
  })

  it('gives a date as text', () => {
    const claim = buildClaim(closeInput({ figure: '20010827', unit: 'date', metric: 'list_date' }))
    expect(claim).toMatchObject({ value: null, value_text: '2001-08-27', unit: 'date' })
  })

  it('is stale when the calendar expects a newer day, or when it is told so', () => {
    const fresh = buildClaim(closeInput({ expectedAsOf: '20261119' }))
    expect(fresh).toMatchObject({ expected_as_of: '2026-11-19' })
    expect(fresh.stale).toBeUndefined()
    const old = buildClaim(closeInput({ asOf: '2026-11-18', expectedAsOf: '20261119' }))
    expect(old).toMatchObject({ as_of: '2026-11-18', expected_as_of: '2026-11-19', stale: true })
    expect(buildClaim(closeInput({ stale: true })).stale).toBe(true)
  })

  it('states the true age of what it serves', () => {
    const claim = buildClaim(closeInput({ fetchedAt: '2026-11-19T17:30:00+08:00' }))
    expect(claim.cite.cache_age_seconds).toBe(15 * 3600 + 32 * 60 + 3)
  })

  it('keeps both closes of a cross-check', () => {
    const crossCheck = { tushareClose: '1466.00', tdxClose: 1466.15 }
    const claim = buildClaim(closeInput({ servedBy: ['tushare', 'tdx'], crossCheck }))
    expect(claim.cite).toMatchObject({
      served_by: ['tushare', 'tdx'],
      cross_check: {
        tushare_close: 1466,
        tdx_close: 1466.15,
        diff_pct: 0.010232,
        agreement: false,
      },
    })
  })

  it.each<[string, Partial<ClaimInput>, string, string]>([
    ['an empty text', { figure: '' }, 'empty_figure', 'figure'],
    ['NaN', { figure: NaN }, 'not_finite', 'figure'],
    ['Infinity', { figure: Infinity }, 'not_finite', 'figure'],
    ['the text Infinity', { figure: '-Infinity' }, 'not_finite', 'figure'],
    ['1e400', { figure: '1e400' }, 'not_finite', 'figure'],
    ['a number too large for JSON', { figure: '9e350' }, 'not_finite', 'figure'],
    ['a number too small for JSON', { figure: '1e-390' }, 'not_a_number', 'figure'],
    ['the text NaN', { figure: 'NaN' }, 'not_a_number', 'figure'],
    ['a dash', { figure: '-' }, 'not_a_number', 'figure'],
    ['a comma', { figure: '1,466.00' }, 'not_a_number', 'figure'],
    ['a unit in the text', { figure: '1466元' }, 'not_a_number', 'figure'],
    ['blanks', { figure: ' ' }, 'not_a_number', 'figure'],
    ['null without a reason', { figure: null }, 'null_without_reason', 'nullReason'],
    ['no date', { figure: '20010230', unit: 'date' }, 'not_a_date', 'figure'],
    [
      'fetched_at in the future',
      { fetchedAt: '2026-11-20T01:08:00Z' },
      'fetched_in_future',
      'fetchedAt',
    ],
    ['fetched_at that is none', { fetchedAt: 'yesterday' }, 'bad_time', 'fetchedAt'],
    ['an invalid clock', { now: new Date(NaN) }, 'bad_time', 'now'],
    ['tomorrow', { asOf: '20261121' }, 'as_of_after_fetch', 'asOf'],
    ['as_of after the fetch', { fetchedAt: '2026-11-18T09:00:00Z' }, 'as_of_after_fetch', 'asOf'],
    ['a date that does not exist', { asOf: '20260229' }, 'malformed', 'as_of'],
    ['a date in words', { asOf: 'today' }, 'malformed', 'as_of'],
    ['an empty code', { code: '' }, 'malformed', 'code'],
    ['an id of other form', { toolCallId: 'call-1' }, 'malformed', 'cite.tool_call_id'],
    ['no upstream', { servedBy: [] }, 'malformed', 'servedBy'],
    ['a source that is not among its upstreams', { servedBy: ['tdx'] }, 'malformed', 'servedBy'],
    [
      'a close of zero to compare',
      { crossCheck: { tushareClose: 0, tdxClose: 1 } },
      'bad_cross_check',
      'crossCheck',
    ],
  ])('refuses %s', (_what, change, code, field) => {
    const refused = builtOrRefused(change)
    expect(refused).toBeInstanceOf(ClaimError)
    expect(refused).toMatchObject({ code, field })
  })

  it('refuses a unit that is not on the list', () => {
    const input = Object.assign(closeInput(), { unit: 'RMB' })
    expect(() => buildClaim(input)).toThrow(expect.objectContaining({ code: 'unknown_unit' }))
  })

  it('a day is counted in Shanghai: 16:00 UTC is already tomorrow there', () => {
    const late = { fetchedAt: '2026-11-18T16:00:00Z', asOf: '20261119' }
    expect(buildClaim(closeInput(late)).as_of).toBe('2026-11-19')
    const early = { ...late, fetchedAt: '2026-11-18T15:59:59Z' }
    expect(() => buildClaim(closeInput(early))).toThrow(ClaimError)
  })

  it('whatever it builds, the verifier accepts; whatever it refuses, it refuses with its own error', () => {
    const figures = fc.oneof(
      fc.double(),
      fc.integer().map((units) => shift(String(units), -4)),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(fromNumber),
      fc.string(),
      fc.constant(null),
    )
    const dates = fc.constantFrom('20261119', '2026-11-18', '20261121', '20260230', 'x')
    const isRight = fc.property(
      figures,
      fc.constantFrom(...unitNames),
      dates,
      (figure, unit, asOf) => {
        const built = builtOrRefused({ figure, unit, asOf, nullReason: 'not_reported' })
        if (built instanceof ClaimError) return true
        const overTheWire: unknown = JSON.parse(JSON.stringify(built))
        return verifyResponse(overTheWire, { now }).length === 0
      },
    )
    expect(() => fc.assert(isRight, { numRuns: 2000 })).not.toThrow()
  })
})

function builtOrRefused(change: Partial<ClaimInput>): Claim | ClaimError {
  try {
    return buildClaim(closeInput(change))
  } catch (error) {
    if (error instanceof ClaimError) return error
    throw error
  }
}
