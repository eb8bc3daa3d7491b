import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream'
import { connect, type ConnectionOptions, type NatsConnection } from '@nats-io/transport-node'
import type { Logger } from './log.ts'

/**
 * One connection that dials until it succeeds and reconnects for ever after. A service starts without
 * its bus; `current()` throws until the bus is there.
 */
export function keepConnected({ url, service, log, onState }: KeepConnectedOptions): BusConnection {
  const stopping = new AbortController()
  const first = Promise.withResolvers<Connected>()
  const closed = Promise.withResolvers<Error>()
  let connected: Connected | undefined
  let up = false
  const setUp = (now: boolean) => {
    up = now
    onState(now)
  }
  const goOnline = async () => {
    const nc = await dial(connectionOptions(url, service), log, stopping.signal)
    if (!nc) return
    const limits = { checkAPI: false, timeout: 2000 }
    connected = { nc, js: jetstream(nc, limits), jsm: await jetstreamManager(nc, limits) }
    log.info({ server: nc.getServer(), server_version: nc.info?.version }, 'bus connected')
    setUp(true)
    first.resolve(connected)
  }
  const watch = async () => {
    const { nc } = await first.promise
    await reportStatus(nc, log, setUp)
    const reason = await nc.closed()
    setUp(false)
    if (stopping.signal.aborted) return
    log.fatal({ err: reason }, 'bus connection closed for good: restart this process')
    closed.resolve(reason ?? new Error('The bus connection closed for good; restart this process.'))
  }
  const dialling = goOnline()
  const watching = watch()
  return {
    first: first.promise,
    closed: closed.promise,
    isUp: () => up,
    onceConnected: (use) => {
      if (connected) use(connected)
      else void first.promise.then(use)
    },
    current: () => {
      if (!connected || connected.nc.isClosed())
        throw new BusUnavailableError('The bus is not connected; try again.')
      return connected
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await dialling
      if (!connected) return
      await closeWithin(connected.nc, 2000)
      await watching
    },
  }
}

export type KeepConnectedOptions = {
  /** `nats://host:port`, credentials before an @ if the server wants them */
  url: string
  service: string
  log: Logger
  onState: (up: boolean) => void
}

export type Connected = { nc: NatsConnection; js: JetStreamClient; jsm: JetStreamManager }

export type BusConnection = AsyncDisposable & {
  first: Promise<Connected>
  /** now if there is a connection, else as soon as there is one */
  onceConnected: (use: (connected: Connected) => void) => void
  /** Resolves when the connection has closed although nobody asked: nothing will ever arrive again. */
  closed: Promise<Error>
  /** whether a server is on the other end right now, as far as we have noticed */
  isUp: () => boolean
  current: () => Connected
}

/** No connection to the bus right now. */
export class BusUnavailableError extends Error {
  override readonly name = 'BusUnavailableError'
}

function connectionOptions(url: string, service: string): ConnectionOptions {
  const parsed = URL.parse(url)
  // The text itself may hold a password: it goes into no message.
  if (!parsed) throw new Error('The url of the bus cannot be read: write it as nats://host:port.')
  const { host, username, password } = parsed
  return {
    servers: host,
    ...(username && { user: decodeURIComponent(username), pass: decodeURIComponent(password) }),
    name: `${service}@${hostname()}#${process.pid}`,
    // So that the server can keep each service to its own replies.
    inboxPrefix: `_INBOX_${service}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 500,
    timeout: 5000,
    // A frozen server is noticed after two missed pings.
    pingInterval: 10_000,
    maxPingOut: 2,
    noAsyncTraces: true,
    // A key being rotated must not end the connection for good.
    ignoreAuthErrorAbort: true,
    ignoreClusterUpdates: true,
  }
}

// The client's own waitOnFirstConnect cannot be stopped; a service that is told to stop must.
async function dial(
  options: ConnectionOptions,
  log: Logger,
  signal: AbortSignal,
): Promise<NatsConnection | undefined> {
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      return await connect(options)
    } catch (error) {
      log.warn({ err: error, server: options.servers }, 'bus not reachable; dialling again')
    }
    // Aborting is how the pause ends early.
    await sleep(
      Math.min(5000, 250 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2),
      undefined,
      {
        signal,
      },
    ).catch(() => undefined)
  }
  return undefined
}

async function reportStatus(
  nc: NatsConnection,
  log: Logger,
  onState: (up: boolean) => void,
): Promise<void> {
  for await (const status of nc.status()) {
    switch (status.type) {
      case 'disconnect':
        onState(false)
        log.warn({ server: status.server }, 'bus disconnected')
        break
      case 'reconnect':
        onState(true)
        log.info({ server: status.server }, 'bus reconnected')
        break
      case 'error':
        log.error({ err: status.error }, 'the bus refused something')
        break
      case 'staleConnection':
      case 'slowConsumer':
      case 'ldm':
      case 'forceReconnect':
        log.warn({ status: status.type }, 'bus status')
        break
      case 'ping':
      case 'update':
      case 'reconnecting':
      case 'close':
        log.debug({ status: status.type }, 'bus status')
    }
  }
}

/** Sends what is buffered, then closes; a server that no longer answers is left behind. */
async function closeWithin(nc: NatsConnection, timeoutMs: number): Promise<void> {
  const timer = new AbortController()
  const inTime = await Promise.race([
    nc.drain().then(
      () => true,
      () => false,
    ),
    // Aborted below: then the answer no longer matters.
    sleep(timeoutMs, false, { signal: timer.signal }).catch(() => false),
  ])
  timer.abort()
  if (!inTime) await nc.close()
}
