import type { Database } from '@twilight/database/schema'
import { createTestDatabase, type TestDatabase } from '@twilight/database/test-database'
import { SourceFailure } from '@twilight/market-sources/source'
import { connectPostgres, type Postgres } from '@twilight/service/postgres'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { bar, openTestLookUp, silent, startSandbox, temporaryFolder } from './test-look-up.ts'
import { createUpstreamBudget } from './upstream-budget.ts'

let database: TestDatabase
let postgres: Postgres<Database>

beforeAll(async () => {
  database = await createTestDatabase({ durable: false })
  postgres = connectPostgres({
    url: database.urlFor('data_api'),
    applicationName: 'data-api',
    log: silent,
  })
})
afterAll(async () => {
  await postgres[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})
// All of a test must lie within one minute, away from its edges.
beforeEach(async () => {
  const leftMs = 60_000 - (Date.now() % 60_000)
  if (leftMs < 10_000 || leftMs > 59_000) await sleep(leftMs > 59_000 ? 1500 : leftMs + 1500)
}, 30_000)

const instance = (limits: { minute: number; day?: number }) =>
  createUpstreamBudget({ db: postgres.db, source: 'tushare', limits, log: silent, localMs: 300 })

type Budget = ReturnType<typeof instance>

/** Spends until it is refused: how often, and the refusal. */
async function spendAll(budget: Budget, api: string, most = 2000) {
  for (let spent = 0; spent < most; spent += 1) {
    try {
      await budget.spend({ api, points: 1, signal: AbortSignal.timeout(5000) })
    } catch (error) {
      if (!(error instanceof SourceFailure)) throw error
      return { spent, failure: error }
    }
  }
  throw new Error(`Never refused in ${most} calls.`)
}

test('two instances together never spend more than the minute holds, and hardly less', async () => {
  const two = [instance({ minute: 500 }), instance({ minute: 500 })]
  const results = await Promise.all(
    two.flatMap((budget) => [spendAll(budget, 'daily'), spendAll(budget, 'daily')]),
  )
  const total = results.reduce((sum, { spent }) => sum + spent, 0)
  expect(total).toBeLessThanOrEqual(500)
  // What one has booked in advance the other cannot have: ten calls at most for each.
  expect(total).toBeGreaterThan(480)
  for (const { failure } of results) {
    expect(failure.kind).toBe('budget_spent')
    expect(failure.retryAt?.getTime()).toBeGreaterThan(Date.now())
    expect(failure.retryAt?.getTime()).toBeLessThan(Date.now() + 61_000)
  }
  expect(two.reduce((sum, budget) => sum + budget.state().bookings, 0)).toBeLessThan(120)
})

test('the day is a limit of its own, and a small one is spent to the last call', async () => {
  const two = [instance({ minute: 500, day: 10 }), instance({ minute: 500, day: 10 })]
  const results = await Promise.all(two.map((budget) => spendAll(budget, 'us_daily')))
  expect(results.reduce((sum, { spent }) => sum + spent, 0)).toBe(10)
  // Midnight in Shanghai, which is 16:00 UTC, and a little later.
  expect(results[0]?.failure.retryAt?.toISOString()).toMatch(/T16:00:00/)
})

test('interfaces have budgets of their own', async () => {
  const budget = instance({ minute: 3 })
  expect((await spendAll(budget, 'income')).spent).toBe(3)
  expect((await spendAll(budget, 'cashflow')).spent).toBe(3)
})

test('a limit the upstream names is learned by all, whatever was configured', async () => {
  const [one, other] = [instance({ minute: 500 }), instance({ minute: 500 })]
  await other.spend({ api: 'adj_factor', points: 1, signal: AbortSignal.timeout(5000) })
  await one.learn('adj_factor', { calls: 50, per: 'minute' })
  // Only what it had booked before is left.
  expect((await spendAll(other, 'adj_factor')).spent).toBeLessThan(10)
  await one.learn('stock_basic', { calls: 1, per: 'hour' })
  const { spent, failure } = await spendAll(other, 'stock_basic')
  expect(spent).toBe(0)
  expect(failure.retryAt?.toISOString()).toMatch(/:00:00\.\d{3}Z$/)
})

test('with Postgres away each spends a fifth, books it later, and goes back to the shared budget', async () => {
  const budget = instance({ minute: 100 })
  await database.postgres.stop()
  const { spent } = await spendAll(budget, 'fina_indicator', 200)
  expect(spent).toBe(20)
  expect(budget.state().shared).toBe(false)
  await database.restart()
  await expect
    .poll(
      async () => {
        // Refused by the local budget until it looks at the table again.
        await spendAll(budget, 'fina_indicator', 200)
        return postgres.db
          .selectFrom('upstream_budget')
          .select('spent')
          .where('api', '=', 'fina_indicator')
          .executeTakeFirst()
      },
      { timeout: 15_000 },
    )
    .toEqual({ spent: 100 })
}, 40_000)

test('two instances that ask the sandbox never make it refuse, and what fits is answered', async () => {
  await using resources = new AsyncDisposableStack()
  const sandbox = resources.use(await startSandbox())
  const houses = []
  for (const at of [1, 2]) {
    const folder = resources.use(await temporaryFolder())
    houses.push(
      resources.use(
        await openTestLookUp({
          dataDir: `${folder.path}/${at}`,
          sandboxUrl: sandbox.url,
          databaseUrl: database.urlFor('data_api'),
          // As two who share a smaller account than they think.
          limits: { minute: 40 },
        }),
      ),
    )
  }
  await postgresOwner((db) => db.deleteFrom('upstream_budget').execute())
  const answers = await Promise.allSettled(
    houses.flatMap((house, at) =>
      Array.from({ length: 40 }, (_, code) =>
        house.lookUp(bar(`60${at}${String(code).padStart(3, '0')}.SH`, '2026-11-19')),
      ),
    ),
  )
  const { total, outcomes } = await sandbox.calls()
  expect(total).toBeLessThanOrEqual(40)
  expect(total).toBeGreaterThan(35)
  expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(total)
  expect(JSON.stringify(outcomes)).not.toContain('40203')
}, 60_000)

async function postgresOwner(
  work: (db: Postgres<Database>['db']) => Promise<unknown>,
): Promise<void> {
  await using owner = connectPostgres<Database>({
    url: database.url,
    applicationName: 'owner',
    log: silent,
  })
  await work(owner.db)
}
