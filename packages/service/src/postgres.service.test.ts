import { setTimeout as sleep } from 'node:timers/promises'
import { createTestDatabase, type TestDatabase } from '@twilight/database/test-database'
import { sql } from 'kysely'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { connectPostgres, type Postgres } from './postgres.ts'
import { classifyPostgresError, DatabaseUnavailableError } from './postgres-errors.ts'
import { freezeProcess } from './test-nats.ts'

let database: TestDatabase
const log = pino({ level: 'silent' })
const recovers = { timeout: 15_000, interval: 100 }

beforeAll(async () => {
  database = await createTestDatabase()
  await using postgres = connect()
  await sql`create table notes (id int primary key, text text)`.execute(postgres.db)
})
afterAll(() => database[Symbol.asyncDispose]())

function connect(): Postgres<Record<string, never>> {
  return connectPostgres({
    url: database.url,
    applicationName: 'test',
    log,
    statementTimeoutMs: 800,
  })
}

describe('a pool', () => {
  test('bounds statements and lock waits, and says which it was', async () => {
    await using postgres = connect()
    await expect(sql`select pg_sleep(3)`.execute(postgres.db)).rejects.toSatisfy(
      (error) => classifyPostgresError(error) === 'timeout',
    )
    await sql`insert into notes values (1, 'a')`.execute(postgres.db)
    await expect(sql`insert into notes values (1, 'b')`.execute(postgres.db)).rejects.toSatisfy(
      (error) => classifyPostgresError(error) === 'conflict',
    )
  })

  test('runs a transaction that lost a deadlock again, and both effects stand', async () => {
    await using postgres = connect()
    await sql`insert into notes values (10, ''), (11, '')`.execute(postgres.db)
    let runs = 0
    const touch = (first: number, second: number) =>
      postgres.transaction(async (trx) => {
        runs += 1
        await sql`update notes set text = text || 'x' where id = ${first}`.execute(trx)
        await sleep(100)
        await sql`set local lock_timeout = '5s'`.execute(trx)
        await sql`set local deadlock_timeout = '50ms'`.execute(trx)
        await sql`update notes set text = text || 'x' where id = ${second}`.execute(trx)
      })
    await Promise.all([touch(10, 11), touch(11, 10)])
    expect(runs).toBeGreaterThan(2)
    const { rows } = await sql<{ text: string }>`select text from notes where id >= 10`.execute(
      postgres.db,
    )
    expect(rows.map((row) => row.text)).toEqual(['xx', 'xx'])
  })

  test('counts what is in use and who waits', async () => {
    const registry = new Registry()
    await using postgres = connectPostgres({
      url: database.url,
      applicationName: 'test',
      log,
      metrics: { registry },
    })
    await postgres.check()
    expect(await registry.metrics()).toContain('twilight_postgres_connections{state="idle"} 1')
  })
})

describe('a server that goes away', () => {
  test('killed backends cost one error each, not the process', async () => {
    await using postgres = connect()
    await Promise.all([postgres.check(), postgres.check()])
    const killAll = sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'test'`
    await expect(killAll.execute(postgres.db)).rejects.toThrow(DatabaseUnavailableError)
    await vi.waitFor(() => postgres.check(), recovers)
  })

  test('stopped and started again: the pool and the listener recover by themselves', async () => {
    await using postgres = connect()
    const wakes: string[] = []
    await using resources = new AsyncDisposableStack()
    resources.use(
      postgres.listen({
        channel: 'news',
        onWake: (payload) => wakes.push(payload),
      }),
    )
    await vi.waitFor(() => expect(wakes).toEqual(['']), recovers)
    await database.postgres.stop()
    await expect(postgres.check()).rejects.toThrow(DatabaseUnavailableError)
    await database.restart()
    await vi.waitFor(() => postgres.check(), recovers)
    await vi.waitFor(() => expect(wakes).toEqual(['', '']), recovers)
    await sql`select pg_notify('news', 'hello')`.execute(postgres.db)
    await vi.waitFor(() => expect(wakes).toEqual(['', '', 'hello']), recovers)
  })

  test('killed: the next start repairs the data, the pool finds it', async () => {
    await using postgres = connect()
    await sql`insert into notes values (50, 'safe')`.execute(postgres.db)
    database.postgres.signal('SIGKILL')
    await database.postgres.exited
    // Its orphans answer for a moment until they notice.
    const lost = () => expect(postgres.check()).rejects.toThrow(DatabaseUnavailableError)
    await vi.waitFor(lost, recovers)
    await database.restart()
    await vi.waitFor(() => postgres.check(), recovers)
    const { rows } = await sql`select text from notes where id = 50`.execute(postgres.db)
    expect(rows).toEqual([{ text: 'safe' }])
  })

  test('frozen: every caller is told within its bound, and what timed out never runs in a later transaction', async () => {
    await using postgres = connect()
    await Promise.all(Array.from({ length: 4 }, () => postgres.check()))
    const thaw = freezeProcess(database.postgres.pid)
    const started = Date.now()
    const failures = await Promise.allSettled(
      Array.from({ length: 12 }, (_, i) =>
        postgres.transaction((trx) =>
          sql`insert into notes values (${100 + i}, 'late')`.execute(trx),
        ),
      ),
    )
    expect(Date.now() - started).toBeLessThan(9000)
    expect(
      failures.every(
        (one) => one.status === 'rejected' && one.reason instanceof DatabaseUnavailableError,
      ),
    ).toBe(true)
    thaw()
    await vi.waitFor(() => postgres.check(), recovers)
    await sql`insert into notes values (200, 'kept')`.execute(postgres.db)
    await using other = connect()
    const { rows } = await sql<{ id: number }>`select id from notes where id >= 100`.execute(
      other.db,
    )
    expect(rows).toEqual([{ id: 200 }])
  })
})
