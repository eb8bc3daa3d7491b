import { describe, expect, it } from 'vitest'
import { createChaos } from './chaos.ts'

const draws = (seed: number, percent: number, count: number) => {
  const chaos = createChaos({ percent, seed })
  return Array.from({ length: count }, () => chaos.draw('tushare'))
}

describe('chaos', () => {
  it('does the same to the same sequence of calls under the same seed', () => {
    expect(draws(7, 30, 500)).toEqual(draws(7, 30, 500))
    expect(draws(8, 30, 500)).not.toEqual(draws(7, 30, 500))
  })

  it('strikes at the rate it was given, with every kind of its list', () => {
    const struck = draws(1, 5, 40_000).filter((draw) => draw !== undefined)
    expect(struck.length).toBeGreaterThan(40_000 * 0.045)
    expect(struck.length).toBeLessThan(40_000 * 0.055)
    expect(new Set(struck.map(({ kind }) => kind))).toEqual(
      new Set([
        'reset',
        'http_500',
        'http_502_html',
        'http_429',
        'slow',
        'html',
        'wrong_shape',
        'truncated',
        'bad_numbers',
        'gzip_unasked',
        'lie',
      ]),
    )
    expect(new Set(struck.map(({ retryAfter }) => retryAfter)).size).toBe(4)
    expect(struck.every(({ delayMs }) => delayMs >= 0 && delayMs < 15_000)).toBe(true)
  })

  it('does nothing at zero percent, and begins anew when it is set', () => {
    expect(draws(1, 0, 1_000).every((draw) => draw === undefined)).toBe(true)
    const chaos = createChaos({ percent: 50, seed: 3 })
    const first = Array.from({ length: 50 }, () => chaos.draw('tushare'))
    chaos.set({ percent: 50, seed: 3 })
    expect(Array.from({ length: 50 }, () => chaos.draw('tushare'))).toEqual(first)
  })
})
