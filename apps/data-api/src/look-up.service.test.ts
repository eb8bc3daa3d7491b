import type { Database } from '@twilight/database/schema'
import { createTestDatabase, type TestDatabase } from '@twilight/database/test-database'
import { SourceFailure } from '@twilight/market-sources/source'
import { Problem } from '@twilight/service/errors'
import { connectPostgres, type Postgres } from '@twilight/service/postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  bar,
  factor,
  never,
  openTestLookUp,
  ratios,
  silent,
  startSandbox,
  temporaryFolder,
  type TestSandbox,
} from './test-look-up.ts'

const day = '2026-11-19'
let sandbox: TestSandbox
let database: TestDatabase
let owner: Postgres<Database>

beforeAll(async () => {
  ;[sandbox, database] = await Promise.all([startSandbox(), createTestDatabase({ durable: false })])
  owner = connectPostgres({ url: database.url, applicationName: 'owner', log: silent })
})
afterAll(async () => {
  await owner[Symbol.asyncDispose]()
  await sandbox[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})
/** A fresh minute, at the sandbox and in our books. */
async function startOver(): Promise<void> {
  await sandbox.reset()
  await owner.db.deleteFrom('upstream_budget').execute()
}
beforeEach(async () => {
  await startOver()
})

const open = (dataDir: string, more: Partial<Parameters<typeof openTestLookUp>[0]> = {}) =>
  openTestLookUp({
    dataDir,
    sandboxUrl: sandbox.url,
    databaseUrl: database.urlFor('data_api'),
    ...more,
  })

const problemOf = (promise: Promise<unknown>): Promise<Problem> =>
  promise.then(
    () => {
      throw new Error('It was answered.')
    },
    (error: unknown) => {
      if (!(error instanceof Problem)) throw error
      return error
    },
  )

describe('how often Tushare is called', () => {
  test('a hundred equal questions one after the other cost one call', async () => {
    await using folder = await temporaryFolder()
    await using house = await open(folder.path)
    const layers = []
    for (let turn = 0; turn < 100; turn += 1) {
      const { from, costPoints, rows } = await house.lookUp(bar('600519.SH', day))
      expect(rows[0]?.close).toBe('1466')
      layers.push(`${from} ${costPoints}`)
    }
    expect(layers.slice(0, 2)).toEqual(['upstream 1', 'memory 0'])
    expect((await sandbox.calls()).calls).toEqual({ tushare: { daily: 1 } })
  })

  test('a thousand equal questions at once cost one call, which one of them pays', async () => {
    await using folder = await temporaryFolder()
    await using house = await open(folder.path)
    const answers = await Promise.all(
      Array.from({ length: 1000 }, () => house.lookUp(bar('600519.SH', day))),
    )
    expect(new Set(answers.map(({ rows }) => rows[0]?.close))).toEqual(new Set(['1466']))
    expect(answers.reduce((sum, { costPoints }) => sum + costPoints, 0)).toBe(1)
    expect((await sandbox.calls()).total).toBe(1)
  })

  test('a thousand different questions at once: four at a time, none fails, none beyond the budget', async () => {
    await using folder = await temporaryFolder()
    await using house = await open(folder.path, { waitMs: 60_000, flightMs: 60_000 })
    const codes = Array.from({ length: 334 }, (_, at) => `600${String(at).padStart(3, '0')}.SH`)
    const ask = [
      (code: string) => house.lookUp(bar(code, day)),
      (code: string) => house.lookUp(ratios(code, day)),
      (code: string) => house.lookUp(factor(code, day)),
    ]
    const questions = codes.flatMap((code) => ask.map((one) => () => one(code))).slice(0, 1000)
    let mostRunning = 0
    const readRunning = async () => {
      const [, running] = /queue_running\S* (\d+)/.exec(await house.scrape()) ?? []
      mostRunning = Math.max(mostRunning, Number(running))
    }
    const watching = setInterval(() => {
      void readRunning()
    }, 20)
    const answers = await Promise.allSettled(questions.map((question) => question()))
    clearInterval(watching)
    expect(answers.filter(({ status }) => status === 'rejected')).toEqual([])
    expect(mostRunning).toBeGreaterThan(0)
    expect(mostRunning).toBeLessThanOrEqual(4)
    const { total, outcomes } = await sandbox.calls()
    expect(total).toBe(1000)
    expect(JSON.stringify(outcomes)).not.toContain('40203')
  }, 90_000)

  test('what a full queue cannot take is told when to come back, and the rest is answered', async () => {
    await using folder = await temporaryFolder()
    await using house = await open(folder.path)
    await sandbox.break('slow', { delay_ms: 500, times: 4 })
    const asked = Array.from({ length: 2100 }, (_, at) =>
      house.lookUp(bar('600519.SH', dayNumber(at))),
    )
    const answers = await Promise.allSettled(asked)
    const refused = answers.flatMap((answer) =>
      answer.status === 'rejected' ? [answer.reason] : [],
    )
    expect(refused.length).toBeGreaterThanOrEqual(100)
    for (const error of refused) {
      expect(error).toBeInstanceOf(Problem)
      expect(error.status).toBe(503)
      expect(error.options.retryAfterSeconds).toBeGreaterThan(0)
    }
    expect(answers.length - refused.length).toBeGreaterThan(50)
  }, 60_000)

  test('after a restart the answers come from the file, whose rows are the same, without a call', async () => {
    await using folder = await temporaryFolder()
    const first = await open(folder.path)
    const before = await first.lookUp(bar('600519.SH', day))
    await first[Symbol.asyncDispose]()
    await sandbox.reset()
    await using second = await open(folder.path)
    const after = await second.lookUp(bar('600519.SH', day))
    expect(after).toEqual({ ...before, from: 'cache', costPoints: 0 })
    expect((await second.lookUp(bar('600519.SH', day))).from).toBe('memory')
    expect((await sandbox.calls()).total).toBe(0)
  })

  test('"there is nothing" is kept in memory for five minutes at most, and never on disk', async () => {
    await using folder = await temporaryFolder()
    const first = await open(folder.path)
    const holiday = bar('600519.SH', '2026-10-01')
    expect((await first.lookUp(holiday)).rows).toEqual([])
    expect((await first.lookUp(holiday)).from).toBe('memory')
    await first[Symbol.asyncDispose]()
    await using second = await open(folder.path)
    expect((await second.lookUp(holiday)).from).toBe('upstream')
  })
})

describe('when Tushare fails', () => {
  const failures: [kind: string, failure: string][] = [
    ['http_500', 'http_status'],
    ['http_502_html', 'http_status'],
    ['http_429', 'quota'],
    ['refused', 'unreachable'],
    ['reset', 'unreachable'],
    ['truncated', 'bad_answer'],
    ['garbled', 'bad_answer'],
    ['empty_body', 'bad_answer'],
    ['html', 'bad_answer'],
    ['wrong_shape', 'bad_answer'],
    ['bad_numbers', 'bad_answer|upstream_lie'],
    ['lie', 'upstream_lie'],
    ['quota', 'quota'],
    ['quota_day', 'quota'],
    ['no_permission', 'no_permission'],
    ['bad_token', 'bad_token'],
    ['ip_limit', 'too_many_addresses'],
    ['timeout', 'timeout'],
  ]

  test.each(failures)(
    '%s: 503 with Retry-After where nothing is held, nothing is poisoned',
    async (kind, expected) => {
      await using folder = await temporaryFolder()
      await using house = await open(folder.path, { flightMs: 1500 })
      await sandbox.break(kind)
      const problem = await problemOf(house.lookUp(bar('600519.SH', day)))
      expect(problem.code).toBe('source_unavailable')
      expect(problem.options.retryAfterSeconds).toBeGreaterThan(0)
      if (!(problem.cause instanceof SourceFailure)) throw problem
      expect(problem.cause.kind).toMatch(new RegExp(`^(?:${expected})$`))
      expect(problem.detail).not.toContain('tushare')
      await startOver()
      // Another process, because the circuit of this one may stay open for a while.
      await using next = await openNextTo(folder.path)
      expect((await next.lookUp(bar('600519.SH', day))).rows[0]?.close).toBe('1466')
    },
  )

  test.each(failures)('%s: what is held is served with its age and as stale', async (kind) => {
    await using folder = await temporaryFolder()
    await using house = await open(folder.path, { flightMs: 1500 })
    const question = bar('600519.SH', day, never)
    const { fetchedAt } = await house.lookUp(question)
    await sandbox.break(kind)
    const answer = await house.lookUp(question)
    expect(answer).toMatchObject({ stale: true, fetchedAt, from: 'memory', costPoints: 0 })
    expect(answer.rows[0]?.close).toBe('1466')
  })

  test('an older answer is not held up by a source that hangs, and comes from the file too', async () => {
    await using folder = await temporaryFolder()
    const question = bar('600519.SH', day, never)
    const first = await open(folder.path)
    await first.lookUp(question)
    await first[Symbol.asyncDispose]()
    await using house = await open(folder.path)
    await sandbox.break('timeout')
    const began = performance.now()
    expect(await house.lookUp(question)).toMatchObject({ from: 'cache', stale: true })
    expect(performance.now() - began).toBeLessThan(3000)
    // While the refresh is on its way nobody waits again.
    const again = performance.now()
    expect(await house.lookUp(question)).toMatchObject({ stale: true })
    expect(performance.now() - again).toBeLessThan(500)
  })

  test('rows that were there and are gone are a lie, not a new truth', async () => {
    await using folder = await temporaryFolder()
    await using house = await open(folder.path)
    const question = bar('600519.SH', day, never)
    await house.lookUp(question)
    await sandbox.break('empty')
    expect(await house.lookUp(question)).toMatchObject({
      stale: true,
      rows: [{ close: '1466' }],
    })
  })

  test('an expired "there is nothing" is never served for "could not ask"', async () => {
    await using folder = await temporaryFolder()
    await using house = await open(folder.path, { flightMs: 1500 })
    const question = bar('600519.SH', '2026-10-01', never)
    await house.lookUp(question)
    await sandbox.break('http_500')
    expect((await problemOf(house.lookUp(question))).code).toBe('source_unavailable')
  })

  test('all who wait share the error, and nobody after them', async () => {
    await using folder = await temporaryFolder()
    await using house = await open(folder.path)
    await sandbox.break('wrong_shape', { times: 4 })
    const together = await Promise.allSettled(
      Array.from({ length: 50 }, () => house.lookUp(bar('600519.SH', day))),
    )
    expect(new Set(together.map(({ status }) => status))).toEqual(new Set(['rejected']))
    const { total } = await sandbox.calls()
    expect(total).toBeLessThanOrEqual(4)
    await sandbox.repair()
    expect((await house.lookUp(bar('600519.SH', day))).from).toBe('upstream')
  })

  test('one who cannot wait longer goes, and the answer is there for the next', async () => {
    await using folder = await temporaryFolder()
    await using house = await open(folder.path, { waitMs: 300 })
    await sandbox.break('slow', { delay_ms: 1000, times: 1 })
    expect((await problemOf(house.lookUp(bar('600519.SH', day)))).code).toBe('source_unavailable')
    await expect
      .poll(async () => (await house.lookUp(bar('600519.SH', day)).catch(() => undefined))?.from, {
        timeout: 5000,
      })
      .toBe('memory')
    expect((await sandbox.calls()).total).toBe(1)
  })

  test('an open circuit is seen in health and in the metrics', async () => {
    await using folder = await temporaryFolder()
    await using house = await open(folder.path)
    await house.lookUp(bar('600519.SH', day))
    expect(await house.check('tushare')).toMatchObject({ ok: true, circuits: [] })
    await sandbox.break('quota_day')
    await problemOf(house.lookUp(bar('600519.SH', '2026-11-18')))
    expect(await house.check('tushare')).toMatchObject({
      ok: false,
      last_success_at: expect.stringContaining('T'),
      circuits: [{ api: 'daily', state: 'open', reason: 'quota' }],
    })
    const text = await house.scrape()
    expect(text).toMatch(/twilight_upstream_circuit_open\{api="daily".*\} 1/)
    expect(text).toMatch(/twilight_upstream_calls_total\{api="daily",outcome="ok".*\} 1/)
    expect(text).toMatch(/twilight_look_up_answers_total\{table="daily",layer="upstream".*\} 1/)
  })
})

const openNextTo = async (folder: string) => open(`${folder}/next`)

function dayNumber(at: number): string {
  return new Date(Date.UTC(2019, 0, 1 + at)).toISOString().slice(0, 10)
}
