import { setTimeout as sleep } from 'node:timers/promises'
import { createTestDatabase, type TestDatabase } from '@twilight/database/test-database'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { deleteOldInboxRows, handleOnce } from './inbox.ts'
import { connectPostgres, type Postgres } from './postgres.ts'
import { uuidV7 } from './uuid-v7.ts'

let database: TestDatabase
let postgres: Postgres<Record<string, never>>

beforeAll(async () => {
  database = await createTestDatabase({ durable: false })
  postgres = connectPostgres({
    url: database.urlFor('provisioner'),
    applicationName: 'inbox',
    log: pino({ level: 'silent' }),
  })
})
afterAll(async () => {
  await postgres[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

test('an event is applied once per consumer, however often and however close together it comes', async () => {
  const eventId = uuidV7()
  let applied = 0
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, () =>
      handleOnce(postgres.db, { consumer: 'a', eventId }, async () => {
        applied += 1
        await sleep(50)
      }),
    ),
  )
  expect(outcomes.toSorted()).toEqual(['done', ...Array.from({ length: 7 }, () => 'duplicate')])
  expect(applied).toBe(1)
  expect(await handleOnce(postgres.db, { consumer: 'b', eventId }, async () => {})).toBe('done')
})

test('a failed effect leaves no trace, so that the next delivery applies it', async () => {
  const event = { consumer: 'a', eventId: uuidV7() }
  await expect(
    handleOnce(postgres.db, event, () => Promise.reject(new Error('no'))),
  ).rejects.toThrow('no')
  expect(await handleOnce(postgres.db, event, async () => {})).toBe('done')
})

test('a handler learns that a newer event of its aggregate was applied before', async () => {
  const lateness: boolean[] = []
  for (const aggregateSeq of [2, 1, 3]) {
    await handleOnce(
      postgres.db,
      { consumer: 'a', eventId: uuidV7(), aggregate: 'thing:1', aggregateSeq },
      async (_, { late }) => void lateness.push(late),
    )
  }
  expect(lateness).toEqual([false, true, false])
})

test('rows are kept for 30 days and then deleted', async () => {
  await sql`delete from inbox`.execute(postgres.db)
  await sql`insert into inbox (consumer, event_id, received_at)
    select 'old', gen_random_uuid(), now() - interval '31 days' from generate_series(1, 2500)`.execute(
    postgres.db,
  )
  await sql`insert into inbox (consumer, event_id, received_at) values ('new', gen_random_uuid(), now() - interval '29 days')`.execute(
    postgres.db,
  )
  expect(await deleteOldInboxRows(postgres.db)).toBe(2500)
  const { rows } = await sql`select consumer from inbox`.execute(postgres.db)
  expect(rows).toEqual([{ consumer: 'new' }])
})
