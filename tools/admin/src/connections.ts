import type { Database } from '@twilight/database/schema'
import { StartError } from '@twilight/service/errors'
import type { Logger } from '@twilight/service/log'
import { type Bus, connectBus } from '@twilight/service/nats'
import { connectPostgres, type Postgres } from '@twilight/service/postgres'
import type { AdminConfig } from './config.ts'

/** What a command may reach. Each is opened when first asked for, so that a command needs only what it uses. */
export type Connections = AsyncDisposable & {
  config: AdminConfig
  log: Logger
  databaseAdminUrl: () => string
  database: () => Postgres<Database>
  bus: () => Promise<Bus>
}

export function openConnections({
  config,
  log,
}: {
  config: AdminConfig
  log: Logger
}): Connections {
  const opened = new AsyncDisposableStack()
  let database: Postgres<Database> | undefined
  let bus: Promise<Bus> | undefined
  const databaseAdminUrl = () =>
    config.databaseAdminUrl ??
    missing('DATABASE_ADMIN_URL', 'postgres://user:password@host/database')
  return {
    config,
    log,
    databaseAdminUrl,
    database: () => {
      database ??= opened.use(
        connectPostgres<Database>({ url: databaseAdminUrl(), applicationName: 'admin', log }),
      )
      return database
    },
    bus: () => {
      bus ??= connect()
      return bus
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }

  async function connect(): Promise<Bus> {
    const url = config.natsUrl ?? missing('NATS_URL', 'nats://host:4222')
    return opened.use(await connectBus({ url, service: 'admin', log }))
  }
}

function missing(name: string, form: string): never {
  throw new StartError(
    `Nothing runs here, and ${name} is not set: run "npm start", or set ${name} to ${form}.`,
  )
}
