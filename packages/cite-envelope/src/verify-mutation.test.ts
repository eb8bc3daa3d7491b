import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { calculate } from './calc.ts'
import { shift } from './decimal.ts'
import { now, sampleClaim, sampleResult } from './test-claims.ts'
import { unitNames } from './unit.ts'
import { verifyResponse } from './verify-response.ts'

// What is verified must not survive a change: every test starts from a verified body.

const figures = fc
  .tuple(fc.integer({ min: -999_999_999, max: 999_999_999 }), fc.nat(6))
  .map(([value, scale]) => shift(String(value), -scale))

it('a changed digit of value or value_text is found without any record', () => {
  fc.assert(
    fc.property(
      figures,
      fc.constantFrom('value', 'value_text'),
      fc.nat(),
      fc.nat(8),
      (figure, field, at, by) => {
        const claim = sampleClaim({ figure })
        const changed = {
          ...claim,
          [field]: changedDigit(String(Reflect.get(claim, field)), at, by),
        }
        const body =
          field === 'value' ? { ...changed, value: Number(Reflect.get(changed, 'value')) } : changed
        expect(verifyResponse(claim, { now })).toEqual([])
        expect(verifyResponse(body, { now })).not.toEqual([])
      },
    ),
    { numRuns: 2000 },
  )
})

it('a changed digit of a derived claim or of its arguments is found', () => {
  const close = fc.integer({ min: 1, max: 999_999 }).map((fen) => shift(String(fen), -2))
  const diff = fc.constantFrom('diff' as const, 'sum' as const, 'mean' as const)
  fc.assert(
    fc.property(close, close, diff, fc.nat(2), fc.nat(), fc.nat(8), (a, b, op, which, at, by) => {
      const args = [sampleClaim({ figure: a }), sampleClaim({ figure: b, asOf: '20261118' })]
      const toolCallId = 'tc_derived_000001'
      const result = calculate({ op, args, toolCallId, servedVersion: '0.2.0', now })
      if (!result.ok) throw new Error(result.problem.en)
      const claims = [...args, result.claim]
      expect(verifyResponse({ claims }, { now })).toEqual([])
      const value_text = changedDigit(claims[which]?.value_text ?? '', at, by)
      const changed = { ...claims[which], value_text, value: Number(value_text) }
      expect(
        verifyResponse({ claims: Object.assign([...claims], { [which]: changed }) }, { now }),
      ).not.toEqual([])
    }),
    { numRuns: 1000 },
  )
})

it('any other character anywhere in a recorded claim or search result is found with its record', () => {
  const claim = sampleClaim({ period: '20251231', adjust: 'none', knownAt: '2026-04-01' })
  const result = sampleResult()
  for (const [body, record] of [
    [claim, claim],
    [{ results: [result] }, result],
  ]) {
    const context = { now, records: [record] }
    expect(verifyResponse(body, context)).toEqual([])
    const text = JSON.stringify(body)
    // The age may grow, and the names of fields outside the schema are not read.
    for (const [at, character] of placesOfValues(text)) {
      const other = /\d/.test(character) ? String((Number(character) + 1) % 10) : 'q'
      const changed = text.slice(0, at) + other + text.slice(at + 1)
      const parsed = parsedOrUndefined(changed)
      if (parsed === undefined) continue
      expect(verifyResponse(parsed, context), `after the change: ${changed}`).not.toEqual([])
    }
  }
})

it('another unit, code, metric or date is found with the record', () => {
  const changes = fc.oneof(
    fc.constantFrom(...unitNames).map((unit) => ({ unit })),
    fc.constantFrom('000858.SZ', '600519.SZ', '600518.SH').map((code) => ({ code })),
    fc.constantFrom('open', 'pe_ttm').map((metric) => ({ metric })),
    fc.constantFrom('2026-11-18', '2025-11-19').map((as_of) => ({ as_of })),
    fc.constantFrom('none', 'qfq').map((adjust) => ({ adjust })),
  )
  fc.assert(
    fc.property(figures, changes, (figure, change) => {
      const claim = sampleClaim({ figure, adjust: 'hfq' })
      fc.pre(Reflect.get(change, 'unit') !== claim.unit)
      expect(verifyResponse({ ...claim, ...change }, { now, records: [claim] })).not.toEqual([])
    }),
    { numRuns: 500 },
  )
})

it('another code or date is found without a record by who knows what was asked', () => {
  const claim = sampleClaim()
  const asked = { codes: ['600519.SH'], asOf: '2026-11-19' }
  for (const change of [{ code: '600518.SH' }, { as_of: '2026-11-18' }]) {
    expect(verifyResponse({ ...claim, ...change }, { now, asked })).not.toEqual([])
  }
})

it('a body that pollutes prototypes changes neither objects nor the verdict', () => {
  const text = JSON.stringify(sampleClaim()).replaceAll(
    /\{/g,
    '{"__proto__":{"stale":true,"polluted":1},"constructor":{"prototype":{"polluted":1}},',
  )
  expect(verifyResponse(JSON.parse(text), { now, records: [JSON.parse(text)] })).toEqual([])
  expect(Reflect.get({}, 'polluted')).toBeUndefined()
  const onlyInherited: unknown = JSON.parse(`{"__proto__":${JSON.stringify(sampleClaim())}}`)
  expect(verifyResponse(onlyInherited, { now })).toMatchObject([{ code: 'not_an_answer' }])
})

function changedDigit(text: string, at: number, by: number): string {
  const places = [...text.matchAll(/\d/g)].map(({ index }) => index)
  const place = places[at % places.length] ?? 0
  const digit = (Number(text.charAt(place)) + 1 + by) % 10
  return text.slice(0, place) + String(digit) + text.slice(place + 1)
}

/** Every letter and digit of the values in a JSON text, apart from cache_age_seconds. */
function placesOfValues(text: string): [number, string][] {
  return [
    ...text.matchAll(/(?<!"cache_age_seconds")[:[]("(?:[^"\\])*"|[-\d.]+|true|false)/g),
  ].flatMap(({ index, 0: match }) =>
    match
      .split('')
      .flatMap((character, offset): [number, string][] =>
        /[\p{L}\d]/u.test(character) ? [[index + offset, character]] : [],
      ),
  )
}

function parsedOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // a changed digit can make a number with a leading zero: no JSON at all
  }
}
