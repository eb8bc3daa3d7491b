import * as fc from 'fast-check'
import { type Kysely, sql } from 'kysely'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Client } from 'pg'
import { type OpenDatabase, openDatabase } from './open-database.ts'
import type { Database } from './schema.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'

let database: TestDatabase
let writers: OpenDatabase<Database>[]
let db: Kysely<Database>

beforeAll(async () => {
  database = await createTestDatabase({ durable: false })
  // Here writers wait for each other on purpose, and a slow machine is no failure.
  const patience = {
    lock_timeout: 20_000,
    statement_timeout: 20_000,
    idle_in_transaction_session_timeout: 20_000,
  }
  const config = { connectionString: database.urlFor('payments'), ...patience }
  writers = [1, 2, 3, 4].map(() => openDatabase<Database>(config))
  db = openWriter(0)
})

afterAll(async () => {
  for (const writer of writers) await writer[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

test('an event needs only an id, an aggregate, a subject and a payload', async () => {
  const row = await db
    .insertInto('outbox')
    .values(event('order:1'))
    .returningAll()
    .executeTakeFirstOrThrow()
  expect(row).toMatchObject({
    aggregate_seq: '1',
    producer: 'payments',
    attempts: 0,
    headers: {},
    sent_at: null,
  })
  expect(row.next_at.getTime()).toBeLessThanOrEqual(row.created_at.getTime())
})

test('within an aggregate numbers rise from 1 without a gap in commit order, whoever writes and whatever rolls back', async () => {
  const steps = fc.array(fc.record({ of: fc.nat({ max: 2 }), rollBack: fc.boolean() }), {
    maxLength: 6,
  })
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 2, maxLength: 4 }), async (plans) => {
      const run = randomUUID()
      const committed: string[] = []
      await Promise.all(
        plans.map(async (plan, index) => {
          for (const { of, rollBack } of plan) {
            const id = randomUUID()
            await openWriter(index)
              .transaction()
              .execute(async (transaction) => {
                await transaction
                  .insertInto('outbox')
                  .values({ ...event(`${run}:${of}`), id })
                  .execute()
                await transaction
                  .insertInto('outbox')
                  .values(event(`${run}:${of}`))
                  .execute()
                if (rollBack) throw new RolledBack()
              })
              .then(() => committed.push(id), ignoreRollBack)
          }
        }),
      )
      const rows = await db
        .selectFrom('outbox')
        .select(['aggregate', 'aggregate_seq', 'id'])
        .where('aggregate', 'like', `${run}:%`)
        .orderBy('seq')
        .execute()
      for (const ofAggregate of Map.groupBy(rows, (row) => row.aggregate).values()) {
        expect(ofAggregate.map((row) => Number(row.aggregate_seq))).toEqual(
          ofAggregate.map((_, i) => i + 1),
        )
      }
      expect(rows).toHaveLength(committed.length * 2)
    }),
    { numRuns: 25 },
  )
})

test('a writer that drew its number first but commits last comes last', async () => {
  const aggregate = 'slow:1'
  const locked = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const first = openWriter(1)
    .transaction()
    .execute(async (transaction) => {
      await transaction.insertInto('outbox').values(event(aggregate, 'first')).execute()
      locked.resolve()
      await release.promise
      await transaction.insertInto('outbox').values(event(aggregate, 'first')).execute()
    })
  await locked.promise
  const second = openWriter(2).insertInto('outbox').values(event(aggregate, 'second')).execute()
  await expect.poll(() => countWaiting(), { timeout: 10_000 }).toBe(1)
  release.resolve()
  await Promise.all([first, second])
  const rows = await db
    .selectFrom('outbox')
    .select('subject')
    .where('aggregate', '=', aggregate)
    .orderBy('seq')
    .execute()
  expect(rows.map((row) => row.subject)).toEqual(['first', 'first', 'second'])
})

test('numbers go on where they were after sent rows have been cleaned up', async () => {
  await db
    .insertInto('outbox')
    .values([event('long:1'), event('long:1')])
    .execute()
  await db.deleteFrom('outbox').where('aggregate', '=', 'long:1').execute()
  const next = await db
    .insertInto('outbox')
    .values(event('long:1'))
    .returning('aggregate_seq')
    .execute()
  expect(next).toEqual([{ aggregate_seq: '3' }])
})

test('a number the writer chose itself is not believed', async () => {
  const row = { ...event('forged:1'), aggregate_seq: 77 }
  await expect(
    db.insertInto('outbox').values(row).returning('aggregate_seq').execute(),
  ).resolves.toEqual([{ aggregate_seq: '1' }])
})

test('an aggregate has one producer: a second app is told to name its own', async () => {
  await db.insertInto('outbox').values(event('shared:1')).execute()
  await using other = openDatabase<Database>({ connectionString: database.urlFor('provisioner') })
  await expect(other.db.insertInto('outbox').values(event('shared:1')).execute()).rejects.toThrow(
    'aggregate shared:1 belongs to another producer than provisioner',
  )
})

test('an insert wakes the relay of its producer once, after the commit, and a rollback wakes nobody', async () => {
  const listener = new Client({ connectionString: database.urlFor('payments') })
  const heard: (string | undefined)[] = []
  listener.on('notification', (message) => heard.push(message.payload))
  await listener.connect()
  try {
    await listener.query('listen outbox')
    const failing = db.transaction().execute(async (transaction) => {
      await transaction.insertInto('outbox').values(event('wake:0')).execute()
      throw new RolledBack()
    })
    await failing.catch(ignoreRollBack)
    await db
      .insertInto('outbox')
      .values([event('wake:1'), event('wake:2')])
      .execute()
    await expect.poll(() => heard, { timeout: 5_000, interval: 10 }).toEqual(['payments'])
  } finally {
    await listener.end()
  }
})

test('due rows and sent rows are each found by their index', async () => {
  await using root = openDatabase({ connectionString: database.url })
  await sql`
    insert into outbox (id, aggregate, subject, payload, sent_at)
    select gen_random_uuid(), 'many:' || n, 'a.b', '{}', case when n % 50 > 0 then now() end
      from generate_series(1, 5000) n`.execute(root.db)
  await sql`analyze outbox`.execute(root.db)
  const due = await explain(
    root.db,
    sql`select id from outbox where sent_at is null and next_at <= now() order by next_at, seq limit 50`,
  )
  expect(due).toContain('outbox_due')
  const old = await explain(
    root.db,
    sql`select id from outbox where sent_at < now() - interval '48 hours' order by sent_at limit 1000`,
  )
  expect(old).toContain('outbox_sent')
})

class RolledBack extends Error {}

function ignoreRollBack(error: unknown): void {
  if (!(error instanceof RolledBack)) throw error
}

function openWriter(index: number): Kysely<Database> {
  const writer = writers[index]
  if (!writer) throw new Error(`No writer ${index}.`)
  return writer.db
}

function event(aggregate: string, subject = 'payments.payment.settled') {
  return { id: randomUUID(), aggregate, subject, payload: { fen: 19_800 } }
}

async function countWaiting(): Promise<number> {
  await using root = openDatabase({ connectionString: database.url })
  const { rows } = await sql`select from pg_stat_activity where wait_event_type = 'Lock'`.execute(
    root.db,
  )
  return rows.length
}

async function explain(on: Kysely<unknown>, query: ReturnType<typeof sql>): Promise<string> {
  return JSON.stringify((await sql`explain ${query}`.execute(on)).rows)
}
