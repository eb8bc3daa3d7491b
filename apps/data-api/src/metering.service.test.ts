import { usageStream } from '@twilight/auth/usage-event'
import { createGuards } from '@twilight/auth/guard'
import { issueKey } from '@twilight/auth/issue-key'
import { createLastUsed } from '@twilight/auth/last-used'
import { meterRoutes, noteCost } from '@twilight/auth/metering'
import { createRateLimiter } from '@twilight/auth/rate-limit'
import { createKeyVerifier } from '@twilight/auth/verify-key'
import type { Database } from '@twilight/database/schema'
import { createTestDatabase, type TestDatabase } from '@twilight/database/test-database'
import { createHttpApp } from '@twilight/service/http'
import { type HttpServer, serveHttp } from '@twilight/service/http-server'
import { createLogger } from '@twilight/service/log'
import { createMetrics } from '@twilight/service/metrics'
import { type Bus, connectBus } from '@twilight/service/nats'
import { connectPostgres, type Postgres } from '@twilight/service/postgres'
import { route } from '@twilight/service/route'
import { type NatsServer, startNatsServer } from '@twilight/stack/nats-server'
import { sql } from 'kysely'
import { randomUUID } from 'node:crypto'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTool } from './mcp-tool.ts'
import { mcpRoutes } from './mcp.ts'
import { meteredStreams, type Metering, startMetering } from './metering.ts'
import { usageRoutes } from './usage.ts'

// Real Postgres and NATS around the routes that meter, with data-api's rights.
const log = createLogger({ service: 'test', version: '0', level: 'silent' })
const tool = defineTool({
  name: 'count',
  title: 'Count',
  description: 'Costs two points.',
  input: z.strictObject({}),
  output: z.looseObject({ ok: z.boolean() }),
  answer: () => Promise.resolve({ body: { ok: true }, cached: false, costPoints: 2 }),
})

let resources: AsyncDisposableStack
let database: TestDatabase
let owner: Postgres<Database>
let nats: NatsServer
let natsOptions: { dataDir: string; port?: number }
let bus: Bus
let metering: Metering
let server: HttpServer

beforeAll(async () => {
  resources = new AsyncDisposableStack()
  natsOptions = { dataDir: await mkdtemp(join(tmpdir(), 'twilight-nats-')) }
  ;[database, nats] = await Promise.all([
    createTestDatabase({ durable: false }),
    startNatsServer(natsOptions),
  ])
  natsOptions.port = nats.port
  resources.use(database)
  resources.defer(() => nats.stop())
  owner = connect(database.url)
  const { db } = connect(database.urlFor('data_api'))
  bus = resources.use(
    await connectBus({ url: nats.url, service: 'data-api', log, streams: meteredStreams }),
  )
  metering = resources.use(startMetering({ bus, db, service: 'data-api', log }))
  const guards = createGuards({
    verifier: createKeyVerifier({ db, log }),
    limiter: resources.use(createRateLimiter({ db, log })),
    lastUsed: resources.use(createLastUsed({ db, log })),
  })
  const guard = guards.userKey()
  const metered = [
    route('GET', '/cached', { summary: 'A hit', guard }, (_, c) => {
      noteCost(c, { cached: true })
      return c.text('hit')
    }),
    ...usageRoutes({ guard, db }),
  ]
  const app = createHttpApp({
    service: 'data-api',
    version: '0',
    log,
    metrics: createMetrics({ service: 'data-api', version: '0' }),
    checks: [metering.check],
    routes: [
      ...meterRoutes(metered, metering),
      ...mcpRoutes({ version: '0', guard, usage: metering, tools: [tool] }),
    ],
  })
  server = resources.use(await serveHttp({ app, log, port: 0, drainDelayMs: 0 }))
})

afterAll(async () => {
  await resources.disposeAsync()
  // The SDK imports node:process, and that alone opens standard input.
  process.stdin.destroy()
})

test('every request of either kind is one record, with its cost, however the two are mixed', async () => {
  const key = await newKey()
  for (let index = 0; index < 40; index += 1) {
    await (index % 2 === 0 ? get('/cached', key) : callTool(key))
  }
  await expect.poll(() => rowsOf(key), soon).toBe(40)
  const { body } = await get('/v1/usage', key)
  expect(body['usage']).toMatchObject([
    { endpoint: '/cached', requests: 20, failed: 0, cached: 20, cost_points: 0 },
    { endpoint: '/mcp count', requests: 20, failed: 0, cached: 0, cost_points: 40 },
  ])
})

test('a client that sends one request id for ever is still counted each time', async () => {
  const key = await newKey()
  for (let index = 0; index < 5; index += 1) {
    await get('/cached', key, { 'x-request-id': 'always-the-same-id' })
    await callTool(key, { 'x-request-id': 'always-the-same-id' })
  }
  await expect.poll(() => rowsOf(key), soon).toBe(10)
})

test('what the bus delivers again is not counted again', async () => {
  const key = await newKey()
  for (let index = 0; index < 30; index += 1) await callTool(key)
  await expect.poll(() => rowsOf(key), soon).toBe(30)
  // Every message of the stream once more, as after a lost acknowledgement.
  const { js, jsm } = bus.core.connection.current()
  const { state } = await jsm.streams.info(usageStream.name)
  const copies: Promise<unknown>[] = []
  for (let seq = state.first_seq; seq <= state.last_seq; seq += 1) {
    const message = await jsm.streams.getMessage(usageStream.name, { seq })
    if (message) copies.push(js.publish(message.subject, message.data, { msgID: randomUUID() }))
  }
  await Promise.all(copies)
  expect(copies.length).toBeGreaterThan(0)
  await expect.poll(unhandled, soon).toBe(0)
  expect([await rowsOf(key), await totalOf(key)]).toEqual([30, 30])
})

test('NATS stopped and started again while requests run loses no record and doubles none', async () => {
  const key = await newKey()
  let answered = 0
  const stop = new AbortController()
  const load = async () => {
    while (!stop.signal.aborted) {
      const { status } = answered % 2 === 0 ? await get('/cached', key) : await callTool(key)
      expect(status).toBe(200)
      answered += 1
    }
  }
  const running = [load(), load()]
  const reached = (count: number) => expect.poll(() => answered, soon).toBeGreaterThan(count)
  await reached(50)
  await nats.stop()
  await reached(answered + 100)
  nats = await startNatsServer(natsOptions)
  await expect.poll(() => bus.core.connection.isUp(), soon).toBe(true)
  await reached(answered + 100)
  stop.abort()
  await Promise.all(running)
  // What was on its way to the consumer when NATS went is delivered again after its 30 s.
  await expect.poll(unhandled, { timeout: 60_000, interval: 100 }).toBe(0)
  await expect.poll(() => rowsOf(key), soon).toBe(answered)
  expect(await totalOf(key)).toBe(answered)
}, 120_000)

test('/v1/usage tells the limit with the numbers of its own headers, and until when it is paid', async () => {
  const key = await newKey({ ratePerMinute: 10 })
  await get('/cached', key)
  const { body, headers } = await get('/v1/usage', key)
  expect(body).toMatchObject({
    user_id: key.userId,
    key_id: key.keyId,
    plan: 'pro',
    paid_until: '2099-01-01T00:00:00.000Z',
    limit: { per_minute: 10, remaining: 8, next_in_seconds: 6 },
  })
  expect(headers.get('ratelimit')).toBe('"minute";r=8;t=6')
})

test('/v1/usage shows nobody else’s usage, and only the days asked for', async () => {
  const [one, other] = [await newKey(), await newKey()]
  await get('/cached', other)
  await expect.poll(() => rowsOf(other), soon).toBe(1)
  expect((await get('/v1/usage', one)).body['usage']).toEqual([])
  const past = await get('/v1/usage?from=2026-01-01&to=2026-01-31', other)
  expect(past.body).toMatchObject({ from: '2026-01-01', to: '2026-01-31', usage: [] })
})

test.each([
  'from=2026-02-01&to=2026-01-31',
  'from=2020-01-01&to=2026-01-31',
  'from=20260101',
  'user_id=0190a3c8-1111-7000-8000-000000000001',
])('/v1/usage?%s is refused with 400', async (query) => {
  const key = await newKey()
  expect((await get(`/v1/usage?${query}`, key)).status).toBe(400)
})

test('over the limit MCP answers 429 with Retry-After, together with HTTP, and meters nothing', async () => {
  const key = await newKey({ ratePerMinute: 4 })
  const statuses: number[] = []
  for (let index = 0; index < 6; index += 1) {
    const { status } = index % 2 === 0 ? await callTool(key) : await get('/cached', key)
    statuses.push(status)
  }
  expect(statuses).toEqual([200, 200, 200, 200, 429, 429])
  const refused = await callTool(key)
  expect(refused.body['code']).toBe('rate_limited')
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  await expect.poll(() => rowsOf(key), soon).toBe(4)
})

test('the health page says how metering stands, and is not unhealthy for it', async () => {
  const response = await fetch(`${server.url}/healthz`)
  expect(await response.json()).toMatchObject({
    ok: true,
    checks: { metering: { ok: true, lost: 0 } },
  })
})

const soon = { timeout: 20_000, interval: 50 }

type Key = { userId: string; keyId: string; key: string }

async function newKey({ ratePerMinute = 1_000_000 } = {}): Promise<Key> {
  const userId = randomUUID()
  const user = { id: userId, name: `user ${userId}`, plan: 'pro' as const }
  await owner.db
    .insertInto('users')
    .values({ ...user, paid_until: new Date('2099-01-01T00:00:00Z') })
    .execute()
  const issued = await issueKey(owner.db, { userId, keyClass: 'user', scopes: [], ratePerMinute })
  return { userId, ...issued }
}

async function get(path: string, { key }: Key, headers: Record<string, string> = {}) {
  return await ask(path, { headers: { authorization: `Bearer ${key}`, ...headers } })
}

async function callTool({ key }: Key, headers: Record<string, string> = {}) {
  return await ask('/mcp', {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'count', arguments: {} },
    }),
  })
}

async function ask(path: string, init: RequestInit) {
  const response = await fetch(server.url + path, init)
  const text = await response.text()
  const body: Record<string, unknown> = text.startsWith('{') ? JSON.parse(text) : {}
  return { status: response.status, headers: response.headers, body }
}

async function rowsOf({ userId }: Key): Promise<number> {
  const { rows } = await sql<{
    n: number
  }>`select count(*)::int as n from usage_log where user_id = ${userId}`.execute(owner.db)
  return rows[0]?.n ?? 0
}

async function totalOf({ userId }: Key): Promise<number> {
  const { rows } = await sql<{
    n: number
  }>`select coalesce(sum(requests), 0)::int as n from usage_daily where user_id = ${userId}`.execute(
    owner.db,
  )
  return rows[0]?.n ?? 0
}

/** Messages that the consumer has not finished. */
async function unhandled(): Promise<number> {
  const { jsm } = bus.core.connection.current()
  const info = await jsm.consumers.info(usageStream.name, 'data-api-usage')
  return info.num_pending + info.num_ack_pending
}

function connect(url: string): Postgres<Database> {
  return resources.use(connectPostgres<Database>({ url, applicationName: 'test', log }))
}
