import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { hasToken, msToNextToken, spendTokens, type TokenBucket, tokensOf } from './token-bucket.ts'

const start = 1000
const full = (perMinute: number): TokenBucket => ({ perMinute, fullAtMs: start })

test('a full bucket gives its minute, then one token each time one has dripped in', () => {
  const bucket = full(60)
  for (let i = 0; i < 60; i += 1) {
    expect(hasToken(bucket, start)).toBe(true)
    spendTokens(bucket, 1, start)
  }
  expect(hasToken(bucket, start)).toBe(false)
  expect(msToNextToken(bucket, start)).toBeCloseTo(1000)
  expect(hasToken(bucket, start + 990)).toBe(false)
  expect(hasToken(bucket, start + 1000)).toBe(true)
})

test('whatever the limit and the moments, no more is given than the minute and what dripped in, and none too little', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100_000 }),
      fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 300 }),
      (perMinute, gaps) => {
        const bucket = full(perMinute)
        let nowMs = start
        let given = 0
        for (const gap of gaps) {
          nowMs += gap
          // The wait it names is enough, whether there is a token now or not.
          expect(hasToken(bucket, nowMs + msToNextToken(bucket, nowMs))).toBe(true)
          if (!hasToken(bucket, nowMs)) continue
          spendTokens(bucket, 1, nowMs)
          given += 1
        }
        expect(given).toBeLessThanOrEqual(perMinute + ((nowMs - start) * perMinute) / 60_000 + 0.01)
        expect(tokensOf(bucket, nowMs)).toBeLessThanOrEqual(perMinute)
      },
    ),
  )
})

test('a debt is paid off before anything is given', () => {
  const bucket = full(60)
  spendTokens(bucket, 63, start)
  expect(tokensOf(bucket, start)).toBeCloseTo(-3)
  expect(msToNextToken(bucket, start)).toBeCloseTo(4000)
})
