import { setTimeout as sleep } from 'node:timers/promises'
import { Client, type ClientConfig, escapeIdentifier } from 'pg'
import type { Logger } from './log.ts'

/**
 * LISTEN on a connection of its own, dialled again for ever when it is lost. A notification only wakes:
 * one sent while nobody listened is gone, so `onWake` is also called after each (re)connect.
 */
export function listenPostgres({
  channel,
  onWake,
  config,
  log,
}: ListenOptions & ListenConnection): Listener {
  const stopping = new AbortController()
  const loop = keepListening({ channel, onWake, config, log, signal: stopping.signal })
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await loop
    },
  }
}

export type ListenOptions = {
  /** a plain lower-case name */
  channel: string
  onWake: (payload: string) => void
}

export type Listener = AsyncDisposable

type ListenConnection = { config: ClientConfig; log: Logger }

const maxPauseMs = 5000
const pingEveryMs = 10_000

async function keepListening(
  options: ListenOptions & ListenConnection & { signal: AbortSignal },
): Promise<void> {
  const { signal, log, channel } = options
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      await listenOnce(options, () => (failures = 0))
    } catch (error) {
      log.warn({ err: error, channel }, 'listening on the database stopped; dialling again')
    }
    const pauseMs =
      Math.min(maxPauseMs, 100 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2)
    // Aborting is how the pause ends early.
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
  }
}

async function listenOnce(
  options: ListenOptions & ListenConnection & { signal: AbortSignal },
  onUp: () => void,
) {
  const { signal, channel, onWake } = options
  const client = new Client({
    ...options.config,
    connectionTimeoutMillis: 2000,
    query_timeout: 2000,
  })
  const ended = Promise.withResolvers<void>()
  // A connection that ends without an error ends this turn of the loop just the same.
  client.on('error', (error) => ended.reject(error))
  client.on('end', () => ended.resolve())
  client.on('notification', (message) => onWake(message.payload ?? ''))
  const stop = () => ended.resolve()
  signal.addEventListener('abort', stop, { once: true })
  try {
    await client.connect()
    await client.query(`listen ${escapeIdentifier(channel)}`)
    onUp()
    onWake('')
    const gone = ended.promise.then(() => true)
    // Nothing arrives on a dead path either: ask now and then.
    while (!(await Promise.race([gone, sleep(pingEveryMs, false, { ref: false })])))
      await client.query('select 1')
  } finally {
    signal.removeEventListener('abort', stop)
    // Already lost is as good as ended.
    await client.end().catch(() => undefined)
  }
}
