import { StartError } from '@twilight/service/errors'
import type { Logger } from '@twilight/service/log'
import { type Bus, connectBus } from '@twilight/service/nats'
import type { AdminConfig } from './config.ts'

/** What a command may reach. Each is opened when first asked for, so that a command needs only what it uses. */
export type Connections = AsyncDisposable & {
  config: AdminConfig
  log: Logger
  databaseAdminUrl: () => string
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
  let bus: Promise<Bus> | undefined
  return {
    config,
    log,
    databaseAdminUrl: () =>
      config.databaseAdminUrl ??
      missing('DATABASE_ADMIN_URL', 'postgres://user:password@host/database'),
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
