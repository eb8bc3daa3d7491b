import { randomUUID } from 'node:crypto'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KeyClass } from '@twilight/auth/api-key'
import { createGuards } from '@twilight/auth/guard'
import { type IssuedKey, issueKey } from '@twilight/auth/issue-key'
import { createLastUsed } from '@twilight/auth/last-used'
import { createRateLimiter } from '@twilight/auth/rate-limit'
import type { Database } from '@twilight/database/schema'
import { createTestDatabase, type TestDatabase } from '@twilight/database/test-database'
import type { HttpApp } from '@twilight/service/http'
import { createLogger, type Logger } from '@twilight/service/log'
import { createMetrics } from '@twilight/service/metrics'
import { type Bus, connectBus } from '@twilight/service/nats'
import { connectPostgres, type Postgres } from '@twilight/service/postgres'
import { type NatsServer, startNatsServer } from '@twilight/stack/nats-server'
import { createAdminVerifier } from './admin-verifier.ts'
import { createApp, service } from './app.ts'

/** The app on real servers, logged in as the role it has in production; disposing ends all. */
export async function startTestProvisioner(): Promise<TestProvisioner> {
  const resources = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'test-nats-'))
  const [database, nats] = await Promise.all([
    createTestDatabase({ durable: false }),
    startNatsServer({ dataDir, temporary: true }),
  ])
  resources.use(database)
  resources.defer(() => nats.stop())
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  const log = createLogger({ service, version: '0', level: 'debug', destination })
  const connect = (url: string, applicationName: string) =>
    resources.use(connectPostgres<Database>({ url, applicationName, log, poolSize: 8 }))
  const owner = connect(database.url, 'owner')
  const { db } = connect(database.urlFor('provisioner'), service)
  const bus = resources.use(await connectBus({ url: nats.url, service, log }))
  const guards = createGuards({
    verifier: createAdminVerifier({ db }),
    limiter: resources.use(createRateLimiter({ db, log })),
    lastUsed: resources.use(createLastUsed({ db, log })),
  })
  const metrics = createMetrics({ service, version: '0' })
  const app = createApp({ version: '0', log, metrics, checks: [], db, bus, guards })

  const addKey = async (keyClass: KeyClass, fields: { expiresAt?: Date } = {}) => {
    const user = { id: randomUUID(), name: `test-${randomUUID()}` }
    await owner.db.insertInto('users').values(user).execute()
    const order = { userId: user.id, keyClass, scopes: [], ratePerMinute: 6000, ...fields }
    return { ...(await issueKey(owner.db, order)), userId: user.id }
  }
  const admin = await addKey('admin')

  return {
    app,
    admin,
    addKey,
    bus,
    database,
    lines,
    log,
    nats,
    owner,
    connect,
    request: async (method, path, { body, key = admin.key, headers = {} } = {}) => {
      const response = await app.request(path, {
        method,
        headers: {
          ...(key !== '' && { authorization: `Bearer ${key}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      const answered: Record<string, unknown> = JSON.parse(await response.text())
      return { status: response.status, headers: response.headers, body: answered }
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

export type TestProvisioner = AsyncDisposable & {
  app: HttpApp
  /** a live admin key */
  admin: IssuedKey
  addKey: (
    keyClass: KeyClass,
    fields?: { expiresAt?: Date },
  ) => Promise<IssuedKey & { userId: string }>
  bus: Bus
  database: TestDatabase
  /** every line that was logged, as it was written */
  lines: string[]
  log: Logger
  nats: NatsServer
  /** may do anything, as no app can */
  owner: Postgres<Database>
  connect: (url: string, applicationName: string) => Postgres<Database>
  /** with the live admin key unless another is given; '' sends none */
  request: (
    method: string,
    path: string,
    options?: { body?: unknown; key?: string; headers?: Record<string, string> },
  ) => Promise<{ status: number; headers: Headers; body: Record<string, unknown> }>
}
