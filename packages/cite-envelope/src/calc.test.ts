import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ClaimInput } from './build-claim.ts'
import { calculate } from './calc.ts'
import type { Claim, Operation } from './claim.ts'
import { compare, mul, shift, sub } from './decimal.ts'
import { now, sampleClaim } from './test-claims.ts'
import { verifyResponse } from './verify-response.ts'

let lastId = 0

function calc(op: Operation, args: readonly unknown[], digits?: number) {
  lastId += 1
  const toolCallId = `tc_calc_${String(lastId).padStart(6, '0')}`
  return calculate({
    op,
    args,
    toolCallId,
    servedVersion: '0.2.0',
    now,
    ...(digits !== undefined && { digits }),
  })
}

function calculated(op: Operation, args: readonly unknown[], digits?: number): Claim {
  const result = calc(op, args, digits)
  if (!result.ok) throw new Error(result.problem.en)
  return result.claim
}

const close = (figure: string, changes: Partial<ClaimInput> = {}) =>
  sampleClaim({ figure, ...changes })
const roe = (figure: string, changes: Partial<ClaimInput> = {}) =>
  sampleClaim({ figure, unit: 'pct', metric: 'roe', table: 'fina_indicator', ...changes })
const pe = (figure: string | null, changes: Partial<ClaimInput> = {}) =>
  sampleClaim({
    figure,
    nullReason: 'loss',
    unit: 'x',
    metric: 'pe',
    table: 'daily_basic',
    ...changes,
  })

const day = (asOf: string) => ({ asOf })
const other = { code: '000858.SZ', name: '五粮液' }

describe('what it computes', () => {
  it.each<[Operation, Claim[], number | undefined, Partial<Claim>]>([
    [
      'diff',
      [close('1466.00'), close('1450.5', day('20261118'))],
      undefined,
      { value: 15.5, value_text: '15.50', unit: 'CNY', metric: 'close_diff', rounding: 'exact' },
    ],
    [
      'pct_change',
      [close('1466.00'), close('1450.50', day('20261118'))],
      4,
      { value_text: '1.0686', unit: 'pct', metric: 'close_pct_change', rounding: 'half-even:4' },
    ],
    [
      'pct_change',
      [close('0.3'), close('0.1', day('20261118'))],
      0,
      { value: 200, value_text: '200', unit: 'pct' },
    ],
    [
      'ratio',
      [close('1466.00'), close('1400.00', other)],
      undefined,
      { value_text: '1.047143', unit: 'ratio', code: '600519.SH,000858.SZ' },
    ],
    [
      'ratio',
      [
        sampleClaim({ figure: '183645678.1234', unit: 'CNY_10K', metric: 'total_mv' }),
        sampleClaim({
          figure: '86228146421.00',
          unit: 'CNY',
          metric: 'n_income',
          asOf: '20251231',
        }),
      ],
      2,
      {
        value_text: '21.30',
        unit: 'ratio',
        metric: 'total_mv_ratio_n_income',
        as_of: '2026-11-19',
        as_of_from: '2025-12-31',
      },
    ],
    [
      'diff',
      [roe('31.5'), roe('29.25', { period: '20241231' })],
      undefined,
      { value_text: '2.25', unit: 'pct_point' },
    ],
    [
      'sum',
      [close('0.1'), close('0.2', day('20261118')), close('0.30', day('20261117'))],
      undefined,
      { value: 0.6, value_text: '0.60', unit: 'CNY', as_of_from: '2026-11-17' },
    ],
    [
      'sum',
      [
        sampleClaim({ figure: '1.5', unit: 'CNY_100M', metric: 'sell_exp' }),
        sampleClaim({ figure: '250000000.00', unit: 'CNY', metric: 'admin_exp' }),
      ],
      undefined,
      { value_text: '4.0000000000', unit: 'CNY_100M', metric: 'sell_exp_sum_admin_exp' },
    ],
    [
      'mean',
      [pe('21.30'), pe('15.60', other), pe('18.2', { code: '000568.SZ' })],
      4,
      { value_text: '18.3667', unit: 'x', metric: 'pe_mean' },
    ],
  ])('%s', (op, args, digits, expected) => {
    const claim = calculated(op, args, digits)
    expect(claim).toMatchObject(expected)
    expect(claim.derived_from).toEqual(args.map((arg) => arg.cite.tool_call_id))
    expect(claim.cite).toMatchObject({ source: 'calc', table: 'calc', served_by: ['tushare'] })
    expect(verifyResponse({ claims: [claim] }, { now, records: [...args, claim] })).toEqual([])
  })

  it('a derived figure may be computed with again', () => {
    const week = calculated('pct_change', [close('11'), close('10', day('20261112'))])
    const bench = calculated('pct_change', [
      close('21', other),
      close('20', { ...other, ...day('20261112') }),
    ])
    const excess = calculated('diff', [week, bench])
    expect(excess).toMatchObject({
      value_text: '5.000000',
      unit: 'pct_point',
      as_of_from: '2026-11-12',
    })
  })

  it('lists every upstream behind its arguments and passes on that one is stale', () => {
    const claim = calculated('diff', [
      close('2', { servedBy: ['tushare', 'tdx'] }),
      close('1', {
        asOf: '20261117',
        expectedAsOf: '20261119',
        source: 'yahoo',
        servedBy: ['yahoo'],
      }),
    ])
    expect(claim.cite.served_by).toEqual(['tushare', 'tdx', 'yahoo'])
    expect(claim.stale).toBe(true)
  })
})

describe('what it refuses, and why', () => {
  const today = close('1466.00')
  it.each<[string, Operation, readonly unknown[], number | undefined]>([
    ['bad_arguments', 'diff', [today], undefined],
    ['bad_arguments', 'sum', [], undefined],
    [
      'bad_arguments',
      'ratio',
      [today, close('1', day('20261118')), close('1', day('20261117'))],
      undefined,
    ],
    ['bad_arguments', 'sum', Array.from({ length: 101 }, () => today), undefined],
    ['bad_digits', 'ratio', [today, today], 31],
    ['bad_digits', 'ratio', [today, today], 0.5],
    ['unreadable_argument', 'diff', [today, { value: 3 }], undefined],
    ['unreadable_argument', 'diff', [today, null], undefined],
    ['no_value', 'ratio', [pe('20'), pe(null, other)], undefined],
    [
      'not_numeric',
      'diff',
      [sampleClaim({ figure: '20010827', unit: 'date', metric: 'list_date' }), today],
      undefined,
    ],
    ['mixed_units', 'diff', [today, close('180', { unit: 'USD', code: 'AAPL' })], undefined],
    ['mixed_units', 'ratio', [pe('20'), roe('30')], undefined],
    [
      'mixed_adjust',
      'pct_change',
      [close('2', { adjust: 'qfq' }), close('1', day('20261118'))],
      undefined,
    ],
    ['mixed_metrics', 'mean', [today, sampleClaim({ metric: 'eps' })], undefined],
    ['mixed_metrics', 'pct_change', [today, sampleClaim({ metric: 'eps' })], undefined],
    ['mixed_codes', 'ratio', [today, sampleClaim({ metric: 'eps', ...other })], undefined],
    ['mixed_codes', 'diff', [today, sampleClaim({ metric: 'eps', ...other })], undefined],
    ['mixed_dates', 'diff', [today, sampleClaim({ metric: 'eps', asOf: '20261118' })], undefined],
    ['mixed_dates', 'pct_change', [today, close('1', { ...other, asOf: '20261118' })], undefined],
    ['repeated_argument', 'sum', [today, today], undefined],
    ['repeated_argument', 'mean', [today, close('1466.0')], undefined],
    ['repeated_argument', 'ratio', [today, today], undefined],
    ['not_additive', 'sum', [pe('20'), pe('30', other)], undefined],
    ['wrong_order', 'pct_change', [close('1', day('20261118')), today], undefined],
    ['zero_base', 'ratio', [today, close('0.00', day('20261118'))], undefined],
    ['zero_base', 'pct_change', [today, close('0', day('20261118'))], undefined],
    ['negative_base', 'pct_change', [today, close('-1', day('20261118'))], undefined],
    ['precision_lost', 'ratio', [close('0.01'), close('99999', day('20261118'))], 2],
    ['out_of_range', 'ratio', [close('1e300'), close('1e-300', day('20261118'))], undefined],
  ])('%s: %s', (code, op, args, digits) => {
    expect(calc(op, args, digits)).toEqual({
      ok: false,
      problem: { code, zh: expect.any(String), en: expect.any(String) },
    })
  })

  it('any arguments give a claim or a reason, never an exception', () => {
    const ops = fc.constantFrom<Operation>('diff', 'ratio', 'pct_change', 'sum', 'mean')
    const texts = fc
      .tuple(fc.integer(), fc.nat(8))
      .map(([units, scale]) => shift(String(units), -scale))
    const claims = fc
      .tuple(texts, fc.constantFrom('close', 'eps'), fc.constantFrom('20261118', '20261119'))
      .map(([figure, metric, asOf]) => sampleClaim({ figure, metric, asOf }))
    const args = fc.array(fc.oneof({ weight: 8, arbitrary: claims }, fc.jsonValue()), {
      maxLength: 4,
    })
    fc.assert(
      fc.property(ops, args, fc.integer({ min: -1, max: 31 }), (op, list, digits) => {
        const result = calc(op, list, digits)
        if (!result.ok) return
        expect(verifyResponse(result.claim, { now, records: [...list, result.claim] })).toEqual([])
      }),
      { numRuns: 1000 },
    )
  })
})

it('a change in percent is within half a unit of its last digit of the exact one', () => {
  const fen = fc.integer({ min: 1, max: 10_000_000 })
  const isNearest = fc.property(fen, fen, fc.nat(10), (newFen, oldFen, digits) => {
    const [newer, older] = [shift(String(newFen), -2), shift(String(oldFen), -2)]
    const result = calc('pct_change', [close(newer), close(older, day('20261118'))], digits)
    if (!result.ok) return result.problem.code === 'precision_lost'
    const text = result.claim.value_text ?? ''
    const distance = sub(mul(text, older), mul(sub(newer, older), '100')).replace('-', '')
    return compare(mul(distance, '2'), shift(older, -digits)) <= 0
  })
  expect(() => fc.assert(isNearest, { numRuns: 500 })).not.toThrow()
})
