import { describe, expect, it } from 'vitest'
import { BulkheadFull, createBulkhead } from './bulkhead.ts'
import { createCircuitBreaker } from './circuit-breaker.ts'
import type { Outcome } from './circuit-breaker.ts'
import { createRetryBudget } from './retry-budget.ts'

const failed: Outcome = { kind: 'failure', timeout: false, reason: 'http_status' }
const timedOut: Outcome = { kind: 'failure', timeout: true, reason: 'timeout' }

function open() {
  let time = Date.parse('2026-11-20T02:00:00Z')
  const breaker = createCircuitBreaker({ source: 'tushare', now: () => time })
  return {
    breaker,
    pass: (ms: number) => {
      time += ms
    },
    call: (outcome: Outcome, api = 'daily') => {
      breaker.enter(api)(outcome)
    },
    stateOf: (api = 'daily') => breaker.state().find((circuit) => circuit.api === api)?.state,
    until: (ms: number) => time + ms,
  }
}

describe('circuit', () => {
  it('opens at half of twenty calls, and for one api only', () => {
    const { call, breaker, stateOf } = open()
    for (let i = 0; i < 10; i += 1) call({ kind: 'success' })
    for (let i = 0; i < 9; i += 1) call(failed)
    expect(stateOf()).toBe('closed')
    call(failed)
    expect(stateOf()).toBe('open')
    expect(() => breaker.enter('daily')).toThrow('not called until')
    expect(() => breaker.enter('trade_cal')).not.toThrow()
  })

  it('opens after five timeouts in a row, a success between them starts again', () => {
    const { call, stateOf } = open()
    for (let i = 0; i < 4; i += 1) call(timedOut)
    call({ kind: 'success' })
    for (let i = 0; i < 4; i += 1) call(timedOut)
    expect(stateOf()).toBe('closed')
    call(timedOut)
    expect(stateOf()).toBe('open')
  })

  it('lets one call try after 15 s, doubles up to five minutes, and closes on success', () => {
    const { call, breaker, pass, stateOf } = open()
    for (let i = 0; i < 5; i += 1) call(timedOut)
    for (const seconds of [15, 30, 60, 120, 240, 300, 300]) {
      pass(seconds * 1000 - 1)
      expect(() => breaker.check('daily')).toThrow('not called until')
      pass(1)
      const settle = breaker.enter('daily')
      // The one that tries; nobody else.
      expect(() => breaker.enter('daily')).toThrow('not called until')
      settle(timedOut)
    }
    pass(300_000)
    call({ kind: 'success' })
    expect(stateOf()).toBe('closed')
  })

  it('a probe that never reached the upstream frees the place for the next', () => {
    const { call, breaker, pass } = open()
    for (let i = 0; i < 5; i += 1) call(timedOut)
    pass(15_000)
    breaker.enter('daily')({ kind: 'neutral' })
    expect(() => breaker.enter('daily')).not.toThrow()
  })

  it('a quota closes until its reset and is no failure: then all may call at once', () => {
    const { call, breaker, pass, until } = open()
    call({ kind: 'closed_until', until: until(40_000), reason: 'quota' })
    expect(() => breaker.enter('daily')).toThrow(expect.objectContaining({ kind: 'quota' }))
    pass(40_000)
    breaker.enter('daily')
    expect(() => breaker.enter('daily')).not.toThrow()
  })

  it('a late answer of a call begun before does not open it again', () => {
    const { call, breaker, until, stateOf } = open()
    const late = breaker.enter('daily')
    call({ kind: 'closed_until', until: until(40_000), reason: 'quota' })
    late({ kind: 'success' })
    expect(stateOf()).toBe('open')
  })

  it('a dead token stops every api', () => {
    const { call, breaker, until, pass } = open()
    call({ kind: 'halted_until', until: until(900_000), reason: 'bad_token' })
    expect(() => breaker.enter('income')).toThrow(expect.objectContaining({ kind: 'bad_token' }))
    pass(900_000)
    expect(() => breaker.enter('income')).not.toThrow()
  })
})

describe('retry budget', () => {
  it('retries stay at a tenth of the calls of the last minute, above a floor of three', () => {
    let time = 0
    const budget = createRetryBudget({ now: () => time })
    const allowed = (asked: number) =>
      Array.from({ length: asked }, () => budget.allowRetry()).filter(Boolean).length
    expect(allowed(10)).toBe(3)
    for (let i = 0; i < 100; i += 1) budget.countCall()
    expect(allowed(50)).toBe(7)
    time = 61_000
    expect(budget.lastMinute()).toEqual({ calls: 0, retries: 0 })
    expect(allowed(10)).toBe(3)
  })
})

describe('bulkhead', () => {
  it('runs so many at once, queues so many, refuses the rest', async () => {
    const bulkhead = createBulkhead({ concurrent: 2, maxWaiting: 1, waitMs: 5000 })
    const never = new AbortController().signal
    const first = await bulkhead.enter(never)
    await bulkhead.enter(never)
    const third = bulkhead.enter(never)
    expect([bulkhead.running, bulkhead.waiting]).toEqual([2, 1])
    await expect(bulkhead.enter(never)).rejects.toBeInstanceOf(BulkheadFull)
    first[Symbol.dispose]()
    first[Symbol.dispose]()
    await third
    expect([bulkhead.running, bulkhead.waiting]).toEqual([2, 0])
  })

  it('a wait ends with its time or its caller, and leaves no place taken', async () => {
    const bulkhead = createBulkhead({ concurrent: 1, maxWaiting: 5, waitMs: 20 })
    const place = await bulkhead.enter(new AbortController().signal)
    await expect(bulkhead.enter(new AbortController().signal)).rejects.toBeInstanceOf(BulkheadFull)
    const caller = new AbortController()
    const waiting = bulkhead.enter(caller.signal)
    caller.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
    place[Symbol.dispose]()
    expect([bulkhead.running, bulkhead.waiting]).toEqual([0, 0])
  })
})
