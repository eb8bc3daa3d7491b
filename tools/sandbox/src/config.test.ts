import { describe, expect, it } from 'vitest'
import { readConfig } from './config.ts'

const readNonsense = () =>
  readConfig({
    PORT: 'http',
    SANDBOX_CHAOS_PERCENT: '101',
    SANDBOX_NOW: '2026-11-20',
    SANDBOX_TUSHARE_TOKENS: 'x',
  })

describe('readConfig', () => {
  it('is calm by default: no chaos, a running clock, four known tokens', () => {
    const config = readConfig({})
    expect(config).toMatchObject({ host: '127.0.0.1', port: 0, chaosPercent: 0, now: undefined })
    expect(config.tushareTokens.map(({ points }) => points)).toEqual([5_000, 120, 2_000, 10_000])
  })

  it('names every problem at once', () => {
    for (const name of ['PORT', 'SANDBOX_CHAOS_PERCENT', 'SANDBOX_NOW', 'SANDBOX_TUSHARE_TOKENS'])
      expect(readNonsense).toThrow(name)
  })

  it('adds tokens with their points and paid interfaces', () => {
    const { tushareTokens } = readConfig({
      SANDBOX_TUSHARE_TOKENS: 'abcdefgh=120:hk_daily+us_daily',
    })
    expect(tushareTokens.at(-1)).toEqual({
      token: 'abcdefgh',
      points: 120,
      permissions: ['hk_daily', 'us_daily'],
    })
  })
})
