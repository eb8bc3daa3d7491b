import { dataSchemaOf } from '@twilight/contracts/envelope'
import type { Database } from '@twilight/database/schema'
import type { Logger } from '@twilight/service/log'
import type { Bus } from '@twilight/service/nats'
import type { Kysely } from 'kysely'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { maxRecordsPerEvent, requestServed, type UsageRecord } from './usage-event.ts'
import { recordUsage } from './usage-log.ts'

/**
 * Takes usage records from requests without ever holding one up, and publishes them in batches. When the
 * bus is away they go straight into `usage_log`; a record that comes both ways counts once.
 *
 *     await using usage = createUsageQueue({ bus, db: postgres.db, service: 'data-api', log })
 *     usage.add(record)
 *
 * Lost is only: what a killed process had not sent (a quarter of a second of requests), and, while bus
 * and database are both away, what exceeds 20 000 records; those are counted and logged.
 */
export function createUsageQueue(options: UsageQueueOptions): UsageQueue {
  const { bus, db, service, log, flushEveryMs = 250, maxQueued = 20_000 } = options
  const queue: UsageRecord[] = []
  const stopping = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let sending: Promise<void> | undefined
  let busAwayUntilMs = -Infinity
  let lostSinceSent = 0
  const totals = { sentByBus: 0, sentPastBus: 0, lost: 0 }

  function add(record: UsageRecord): void {
    if (queue.length >= maxQueued) {
      lostSinceSent += 1
      totals.lost += 1
      return
    }
    queue.push(record)
    if (queue.length >= maxRecordsPerEvent) flush()
    else timer ??= setTimeout(flush, flushEveryMs)
  }

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    sending ??= sendAll().finally(() => {
      sending = undefined
      if (queue.length > 0 && !stopping.signal.aborted) timer ??= setTimeout(flush, flushEveryMs)
    })
  }

  async function sendAll(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.slice(0, maxRecordsPerEvent)
      if (!(await send(batch))) return await pause()
      queue.splice(0, batch.length)
      if (lostSinceSent > 0) {
        log.error(
          { lost: lostSinceSent },
          'usage records lost: bus and database were both away too long',
        )
      }
      lostSinceSent = 0
    }
  }

  async function send(batch: UsageRecord[]): Promise<boolean> {
    try {
      if (performance.now() < busAwayUntilMs) throw new Error('the bus did not answer just now')
      await publishUsage({ bus, service, records: batch })
      totals.sentByBus += batch.length
      return true
    } catch (busError) {
      // A frozen bus costs its timeout once in a while, not once per batch.
      if (performance.now() >= busAwayUntilMs) busAwayUntilMs = performance.now() + retryBusEveryMs
      try {
        await recordUsage(db, batch)
        totals.sentPastBus += batch.length
        return true
      } catch (error) {
        log.warn(
          { err: error, bus_err: busError, queued: queue.length },
          'usage waits for bus or database',
        )
        return false
      }
    }
  }

  async function pause(): Promise<void> {
    // Aborting is how the pause ends early.
    await sleep(1000, undefined, { signal: stopping.signal }).catch(() => undefined)
  }

  return {
    add,
    totals: () => ({ ...totals, queued: queue.length }),
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      clearTimeout(timer)
      await sending
      // One more round for what came meanwhile: it sends all, or finds both ways closed.
      await sendAll()
      const lost = queue.length + lostSinceSent
      if (lost > 0) log.error({ lost }, 'usage records lost at the stop')
    },
  }
}

export type UsageQueueOptions = {
  bus: Bus
  db: Kysely<Database>
  /** the app's name, as in contracts */
  service: string
  log: Logger
  /** default 250 */
  flushEveryMs?: number
  /** default 20 000, about 10 MB */
  maxQueued?: number
}

export type UsageQueue = AsyncDisposable & {
  add: (record: UsageRecord) => void
  /** records since the start, by what became of them, and those still here; for metrics */
  totals: () => UsageTotals
}

export type UsageTotals = { queued: number; sentByBus: number; sentPastBus: number; lost: number }

const publishTimeoutMs = 2000
const retryBusEveryMs = 5000

async function publishUsage({ bus, service, records }: Publication): Promise<void> {
  const { connection } = bus.core
  if (!connection.isUp()) throw new Error('the bus is away')
  const id = randomUUID()
  const envelope = {
    id,
    type: requestServed.name,
    source: service,
    subject: `${requestServed.aggregateKind}:${service}`,
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    dataschema: dataSchemaOf(requestServed),
    data: { records },
  }
  await connection.current().js.publish(requestServed.subject, JSON.stringify(envelope), {
    msgID: id,
    timeout: publishTimeoutMs,
  })
}

type Publication = { bus: Bus; service: string; records: UsageRecord[] }
