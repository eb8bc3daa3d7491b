import { describe, expect, test } from 'vitest'
import { createHealth } from './health.ts'

const hangs = () => new Promise<void>(() => {})
const fails = () => Promise.reject(new Error('connect postgres://app:hunter2@db:5432 refused'))

const closed = async () => ({ ok: false, open_until: '2026-11-21T00:00:00Z' })

describe('health', () => {
  test('is ok when every required check is, and shows their details', async () => {
    const health = createHealth({
      version: '1.2.0',
      checks: [
        { name: 'postgres', check: async () => ({ pool: 3 }) },
        { name: 'tdx', required: false, check: fails },
      ],
    })
    expect(await health()).toEqual({
      ok: true,
      version: '1.2.0',
      checks: {
        postgres: { ok: true, pool: 3, took_ms: expect.any(Number) },
        tdx: { ok: false, error: 'failed' },
      },
    })
  })

  test('a check may say that it is down and give its details all the same', async () => {
    const health = createHealth({ version: '1', checks: [{ name: 'tushare', check: closed }] })
    expect(await health()).toMatchObject({
      ok: false,
      checks: { tushare: { ok: false, open_until: '2026-11-21T00:00:00Z' } },
    })
  })

  test('names what is down and tells no host, user or password', async () => {
    const health = createHealth({
      version: '1',
      checks: [
        { name: 'postgres', check: fails },
        {
          name: 'nats',
          check: () => Promise.reject(Object.assign(new Error('x'), { code: 'ECONNREFUSED' })),
        },
        { name: 'other', check: async () => ({ url: 'nats://u:hunter2@nats', token: 'hunter2' }) },
        {
          name: 'sync',
          check: () => {
            throw new Error('hunter2')
          },
        },
      ],
    })
    const report = await health()
    expect(report.ok).toBe(false)
    expect(report.checks).toMatchObject({
      postgres: { ok: false, error: 'failed' },
      nats: { ok: false, error: 'ECONNREFUSED' },
      other: { ok: true },
      sync: { ok: false },
    })
    expect(JSON.stringify(report)).not.toMatch(/hunter2|5432|app/)
  })

  test('a check that hangs is cut off at its time and does not delay the others', async () => {
    const health = createHealth({
      version: '1',
      timeoutMs: 50,
      checks: [
        { name: 'hung', check: hangs },
        { name: 'fine', check: async () => {} },
      ],
    })
    const startedAt = performance.now()
    const report = await health()
    expect(performance.now() - startedAt).toBeLessThan(400)
    expect(report.checks).toMatchObject({
      hung: { ok: false, error: 'no answer within 50 ms' },
      fine: { ok: true },
    })
  })

  test('a check that hangs is not started again before it ends', async () => {
    let started = 0
    const health = createHealth({
      version: '1',
      timeoutMs: 10,
      cacheMs: 0,
      checks: [
        {
          name: 'hung',
          check: () => {
            started += 1
            return hangs()
          },
        },
      ],
    })
    await Promise.all([health(), health()])
    await health()
    expect(started).toBe(1)
  })

  test('a hundred probes within a second ask once', async () => {
    let asked = 0
    const health = createHealth({
      version: '1',
      checks: [
        {
          name: 'postgres',
          check: async () => {
            asked += 1
          },
        },
      ],
    })
    await Promise.all(Array.from({ length: 100 }, () => health()))
    expect(asked).toBe(1)
  })
})
