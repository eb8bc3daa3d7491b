import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { crossCheck, crossCheckHolds } from './cross-check.ts'
import { shift } from './decimal.ts'

it.each([
  ['1466.00', '1466.00', 0, true],
  ['100.00', '100.01', 0.01, true],
  ['100.00', '99.99', -0.01, true],
  ['100.00', '100.0100001', 0.01, false],
  ['10.00', '10.01', 0.1, false],
  ['1466.00', '1466.14', 0.00955, true],
  ['1466.00', '1466.15', 0.010232, false],
  ['0.01', '0.02', 100, false],
])('%s against %s: %d %%, agreement %s', (tushare, tdx, percent, agreement) => {
  expect(crossCheck(tushare, tdx)).toEqual({
    tushare_close: Number(tushare),
    tdx_close: Number(tdx),
    diff_pct: percent,
    agreement,
  })
})

it('agreement is decided exactly, at every close of a listed share', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3_000_000 }),
      fc.integer({ min: -400, max: 400 }),
      (fen, ticks) => {
        fc.pre(fen + ticks > 0)
        const check = crossCheck(shift(String(fen), -2), shift(String(fen + ticks), -2))
        // 0.01 % in whole fen: |difference| × 10,000 ≤ close.
        expect(check.agreement).toBe(Math.abs(ticks) * 10_000 <= fen)
        expect(crossCheckHolds(check)).toBe(true)
        expect(crossCheckHolds({ ...check, agreement: !check.agreement })).toBe(false)
        expect(crossCheckHolds({ ...check, tdx_close: check.tdx_close + 1 })).toBe(false)
      },
    ),
    { numRuns: 1000 },
  )
})

it('closes that cannot be are no cross-check', () => {
  for (const tushare_close of [0, -1]) {
    const check = { tushare_close, tdx_close: 1, diff_pct: 0, agreement: true }
    expect(crossCheckHolds(check)).toBe(false)
  }
})
