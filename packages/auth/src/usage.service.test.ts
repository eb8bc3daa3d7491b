import type { Bus } from '@twilight/service/nats'
import type { NatsServer } from '@twilight/stack/nats-server'
import { sql } from 'kysely'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestWorld, type TestWorld } from './test-world.ts'
import { consumeUsage } from './usage-consumer.ts'
import { requestServed, type UsageRecord } from './usage-event.ts'
import { pruneUsageLog, recordUsage, usageByEndpointByDay } from './usage-log.ts'
import { createUsageQueue } from './usage-queue.ts'

let world: TestWorld
let nats: NatsServer
let bus: Bus

beforeAll(async () => {
  world = await startTestWorld({ durable: true })
  nats = await world.startNats()
  bus = await world.bus(nats, 'data-api')
  await bus.ensureStreams()
})
afterAll(() => world[Symbol.asyncDispose]())

const deadline = { timeout: 15_000, interval: 50 }

function record(
  key: { userId: string; keyId: string },
  fields: Partial<UsageRecord> = {},
): UsageRecord {
  return {
    request_id: randomUUID(),
    user_id: key.userId,
    key_id: key.keyId,
    endpoint: '/price',
    method: 'GET',
    status: 200,
    duration_ms: 3,
    cached: true,
    cost_points: 0,
    at: new Date().toISOString(),
    ...fields,
  }
}

function dataApi() {
  return world.postgres('data_api').db
}

/** Messages no consumer has finished. */
async function unhandled(): Promise<number> {
  const { jsm } = bus.core.connection.current()
  const info = await jsm.consumers.info('USAGE', 'data-api-usage')
  return info.num_pending + info.num_ack_pending
}

async function rowsOf(userId: string): Promise<number> {
  const { rows } = await sql<{
    n: number
  }>`select count(*)::int as n from usage_log where user_id = ${userId}`.execute(world.owner.db)
  return rows[0]?.n ?? 0
}

async function totalOf(userId: string): Promise<number> {
  const days = await usageByEndpointByDay(world.postgres('provisioner').db, {
    userId,
    fromDay: '2000-01-01',
    toDay: '2999-12-31',
  })
  return days.reduce((sum, day) => sum + day.requests, 0)
}

describe('the usage log', () => {
  test('counts a request id once, however often and however mixed it comes, and the totals with it', async () => {
    const key = await world.addKey()
    const db = dataApi()
    const records = Array.from({ length: 100 }, () => record(key))
    const batches = [records, records.toReversed(), records.slice(20, 70), [...records, ...records]]
    const added = await Promise.all(batches.map((batch) => recordUsage(db, batch)))
    expect(added.reduce((sum, one) => sum + one, 0)).toBe(100)
    expect(await rowsOf(key.userId)).toBe(100)
    expect(await totalOf(key.userId)).toBe(100)
  })

  test('tells usage by endpoint by day of Shanghai, the newest first', async () => {
    const key = await world.addKey()
    await recordUsage(dataApi(), [
      // Seven in the morning in Shanghai, and one hour before midnight there.
      record(key, { at: daysAgo(2, '23:00:00'), duration_ms: 5 }),
      record(key, { at: daysAgo(2, '15:00:00'), status: 503, cached: false, cost_points: 2 }),
      record(key, { at: daysAgo(2, '15:59:59'), endpoint: '/resolve', status: 404 }),
    ])
    const days = await usageByEndpointByDay(dataApi(), {
      userId: key.userId,
      fromDay: '2000-01-01',
      toDay: '2999-12-31',
    })
    expect(days).toMatchObject([
      { endpoint: '/price', requests: 1, failed: 0, cached: 1, cost_points: 0, duration_ms: 5 },
      { endpoint: '/price', requests: 1, failed: 1, cached: 0, cost_points: 2, duration_ms: 3 },
      { endpoint: '/resolve', requests: 1, failed: 1, cached: 1, cost_points: 0, duration_ms: 3 },
    ])
    expect(new Set(days.map(({ day }) => day)).size).toBe(2)
    const [newest] = days
    expect(
      await usageByEndpointByDay(dataApi(), {
        userId: key.userId,
        fromDay: newest?.day ?? '',
        toDay: newest?.day ?? '',
      }),
    ).toHaveLength(1)
    expect(
      await usageByEndpointByDay(dataApi(), {
        userId: await world.addUser(),
        fromDay: '2000-01-01',
        toDay: '2999-12-31',
      }),
    ).toEqual([])
  })

  test('leaves out what names a key that is not there or not that user’s, and keeps its neighbours', async () => {
    const key = await world.addKey()
    const other = await world.addKey()
    const added = await recordUsage(dataApi(), [
      record({ ...key, keyId: randomUUID() }),
      record({ userId: key.userId, keyId: other.keyId }),
      record(key),
    ])
    expect(added).toBe(1)
  })

  test('pruned rows leave their totals, and come back in no way', async () => {
    const key = await world.addKey()
    const kept = record(key)
    const old = record(key)
    await recordUsage(dataApi(), [kept, old])
    await sql`update usage_log set at = now() - interval '36 days' where request_id = ${old.request_id}`.execute(
      world.owner.db,
    )
    expect(await pruneUsageLog(dataApi())).toBe(1)
    expect(await pruneUsageLog(dataApi())).toBe(0)
    expect(await rowsOf(key.userId)).toBe(1)
    expect(await totalOf(key.userId)).toBe(2)
    const late = { ...old, at: new Date(Date.now() - 36 * 86_400_000).toISOString() }
    expect(await recordUsage(dataApi(), [late])).toBe(0)
    expect(await totalOf(key.userId)).toBe(2)
  })

  test('many writers at once neither deadlock nor lose a count', async () => {
    const keys = await Promise.all(Array.from({ length: 5 }, () => world.addKey()))
    const pools = [
      world.postgres('data_api'),
      world.postgres('search_proxy'),
      world.postgres('llm_relay'),
    ]
    const endpoints = ['/price', '/resolve', '/calendar']
    const work = Array.from({ length: 30 }, async (_, i) => {
      const records = keys.flatMap((key) => endpoints.map((endpoint) => record(key, { endpoint })))
      await recordUsage(pools[i % 3]?.db ?? dataApi(), i % 2 === 0 ? records : records.toReversed())
    })
    await Promise.all(work)
    for (const { userId } of keys) expect(await totalOf(userId)).toBe(30 * 3)
  })
})

describe('from request to log', () => {
  test('every record arrives through the bus, once, in batches', async () => {
    const key = await world.addKey()
    const before = (await bus.core.connection.current().jsm.streams.info('USAGE')).state.messages
    await using resources = new AsyncDisposableStack()
    resources.use(consumeUsage({ bus, db: dataApi(), log: world.log }))
    const queue = resources.use(
      createUsageQueue({ bus, db: dataApi(), service: 'data-api', log: world.log }),
    )
    for (let i = 0; i < 1000; i += 1) queue.add(record(key))
    await expect.poll(() => rowsOf(key.userId), deadline).toBe(1000)
    expect(await totalOf(key.userId)).toBe(1000)
    expect(queue.totals()).toEqual({ queued: 0, sentByBus: 1000, sentPastBus: 0, lost: 0 })
    const after = (await bus.core.connection.current().jsm.streams.info('USAGE')).state.messages
    expect(after - before).toBeLessThanOrEqual(10)
  })

  test('two consumers, every message delivered twice: each request still counts once', async () => {
    const key = await world.addKey()
    await using resources = new AsyncDisposableStack()
    const twin = await world.bus(nats, 'data-api')
    for (const one of [bus, twin])
      resources.use(consumeUsage({ bus: one, db: dataApi(), log: world.log }))
    const records = Array.from({ length: 300 }, () => record(key))
    for (let copy = 0; copy < 2; copy += 1) {
      await using queue = createUsageQueue({
        bus,
        db: dataApi(),
        service: 'data-api',
        log: world.log,
      })
      for (const one of records) queue.add(one)
    }
    await expect.poll(unhandled, deadline).toBe(0)
    expect(await rowsOf(key.userId)).toBe(300)
    expect(await totalOf(key.userId)).toBe(300)
  })

  test('what waits at the stop is sent', async () => {
    const key = await world.addKey()
    {
      await using queue = createUsageQueue({
        bus,
        db: dataApi(),
        service: 'data-api',
        log: world.log,
        flushEveryMs: 60_000,
      })
      for (let i = 0; i < 10; i += 1) queue.add(record(key))
      expect(await rowsOf(key.userId)).toBe(0)
    }
    await using consumer = consumeUsage({ bus, db: dataApi(), log: world.log })
    expect(consumer).toBeDefined()
    await expect.poll(() => rowsOf(key.userId), deadline).toBe(10)
  })

  test('the longest records of a full batch fit one message', () => {
    const longest = record(
      { userId: randomUUID(), keyId: randomUUID() },
      {
        request_id: 'r'.repeat(128),
        endpoint: '/'.repeat(100),
        method: 'OPTIONSOPT',
        duration_ms: 86_400_000,
        cost_points: 1_000_000,
      },
    )
    const data = { records: Array.from({ length: 150 }, () => longest) }
    expect(requestServed.schema.safeParse(data).success).toBe(true)
    expect(JSON.stringify(data).length).toBeLessThan(94 * 1024)
  })

  test('adding never waits and never grows beyond the bound; what is lost is counted', async () => {
    const key = await world.addKey()
    const queue = createUsageQueue({
      bus,
      db: dataApi(),
      service: 'data-api',
      log: world.log,
      maxQueued: 500,
    })
    for (let i = 0; i < 2000; i += 1) queue.add(record(key))
    expect(queue.totals()).toMatchObject({ queued: 500, lost: 1500 })
    await queue[Symbol.asyncDispose]()
    expect(queue.totals()).toMatchObject({ queued: 0, sentByBus: 500 })
  })
})

describe('when servers are away', () => {
  test('without the bus records go straight to the database', async () => {
    const key = await world.addKey()
    const port = nats.port
    await nats.stop()
    await using queue = createUsageQueue({
      bus,
      db: dataApi(),
      service: 'data-api',
      log: world.log,
    })
    for (let i = 0; i < 400; i += 1) queue.add(record(key))
    await expect.poll(() => rowsOf(key.userId), deadline).toBe(400)
    expect(queue.totals().sentPastBus).toBe(400)
    nats = await world.startNats(port)
    await expect.poll(() => bus.core.connection.isUp(), deadline).toBe(true)
    await bus.ensureStreams()
  }, 40_000)

  test('without both they wait, and none is lost when the database returns', async () => {
    const key = await world.addKey()
    const port = nats.port
    await using queue = createUsageQueue({
      bus,
      db: dataApi(),
      service: 'data-api',
      log: world.log,
    })
    await nats.stop()
    await world.database.postgres.stop()
    for (let i = 0; i < 400; i += 1) queue.add(record(key))
    await expect
      .poll(
        () => world.lines.some((line) => line.msg === 'usage waits for bus or database'),
        deadline,
      )
      .toBe(true)
    expect(queue.totals()).toMatchObject({ queued: 400, lost: 0 })
    await world.database.restart()
    await expect.poll(() => rowsOf(key.userId).catch(() => 0), deadline).toBe(400)
    nats = await world.startNats(port)
    await expect.poll(() => bus.core.connection.isUp(), deadline).toBe(true)
  }, 40_000)
})

/** A time of day in UTC, some days before today. */
function daysAgo(days: number, time: string): string {
  return `${new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)}T${time}.000Z`
}
