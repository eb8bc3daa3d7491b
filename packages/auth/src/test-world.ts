import { streams } from '@twilight/contracts/streams'
import type { Role } from '@twilight/database/roles'
import type { Database } from '@twilight/database/schema'
import { createTestDatabase, type TestDatabase } from '@twilight/database/test-database'
import { createLogger, type Logger } from '@twilight/service/log'
import { type Bus, connectBus } from '@twilight/service/nats'
import { connectPostgres, type Postgres } from '@twilight/service/postgres'
import { type NatsServer, startNatsServer } from '@twilight/stack/nats-server'
import { randomUUID } from 'node:crypto'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type IssuedKey, issueKey, type KeyOrder } from './issue-key.ts'
import { usageStream } from './usage-event.ts'

/**
 * Real servers for one test file, and connections to them as the apps have them. Disposing ends all.
 *
 *     world = await startTestWorld()
 *     const { db } = world.postgres('data_api')
 */
export async function startTestWorld({ durable = false } = {}): Promise<TestWorld> {
  const resources = new AsyncDisposableStack()
  const database = resources.use(await createTestDatabase({ durable }))
  const lines: LogLine[] = []
  const log = createLogger({
    service: 'test',
    version: '0',
    level: 'debug',
    destination: { write: (line) => void lines.push(readLine(line)) },
  })
  const connect = (url: string, applicationName: string) =>
    resources.use(connectPostgres<Database>({ url, applicationName, log }))
  const owner = connect(database.url, 'owner')

  const addUser = async (fields: UserFields = {}) => {
    const id = randomUUID()
    const user = { id, name: `user ${id}`, plan: 'pro' as const, ...fields }
    await owner.db.insertInto('users').values(user).execute()
    return id
  }
  return {
    database,
    owner,
    log,
    lines,
    addUser,
    postgres: (role) => connect(database.urlFor(role), role),
    startNats: async (port) => {
      const dataDir = await mkdtemp(join(tmpdir(), 'test-nats-'))
      const options = { dataDir, temporary: true, ...(port !== undefined && { port }) }
      const server = await startNatsServer(options)
      resources.defer(() => server.stop())
      return server
    },
    bus: async (server, service) =>
      resources.use(await connectBus({ url: server.url, service, log, streams: allStreams })),
    addKey: async ({ userId, ...order } = {}) => {
      const owned = userId ?? (await addUser())
      const key = await issueKey(owner.db, {
        userId: owned,
        keyClass: 'user',
        scopes: ['data:read'],
        ...order,
      })
      return { ...key, userId: owned }
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

export type TestWorld = AsyncDisposable & {
  database: TestDatabase
  /** may do anything, as no app can */
  owner: Postgres<Database>
  log: Logger
  /** what was logged */
  lines: LogLine[]
  addUser: (fields?: UserFields) => Promise<string>
  addKey: (order?: Partial<KeyOrder>) => Promise<IssuedKey & { userId: string }>
  postgres: (role: Role) => Postgres<Database>
  startNats: (port?: number) => Promise<NatsServer>
  bus: (server: NatsServer, service: string) => Promise<Bus>
}

type UserFields = { plan?: 'free' | 'pro'; paid_until?: Date | null }
type LogLine = { level: string; msg: string; [field: string]: unknown }

const allStreams = streams.some((stream) => stream.name === usageStream.name)
  ? streams
  : [...streams, usageStream]

function readLine(line: string): LogLine {
  const fields: { level?: unknown; msg?: unknown } = JSON.parse(line)
  return { ...fields, level: String(fields.level), msg: String(fields.msg) }
}
