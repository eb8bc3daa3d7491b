import { setTimeout as sleep } from 'node:timers/promises'
import type { EventContract } from '@twilight/contracts/events'
import { dataSchemaOf } from '@twilight/contracts/envelope'
import { type Kysely, sql } from 'kysely'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Bus } from './nats.ts'
import { relayBatch, type RelayStep } from './outbox-batch.ts'
import { createOutboxMeter } from './outbox-metrics.ts'
import { checkStreams, cleanOutbox, measureBacklog, retryNow } from './outbox-upkeep.ts'
import type { Postgres } from './postgres.ts'
import { childTrace, currentTrace, formatTraceparent, startTrace } from './trace.ts'
import { uuidV7 } from './uuid-v7.ts'

/**
 * Records an event in the transaction of the change it reports: both happen or neither. Returns its id.
 *
 *     await postgres.transaction(async (trx) => {
 *       await trx.updateTable('orders').set({ status: 'paid' }).where('id', '=', id).execute()
 *       await recordEvent(trx, paymentSettled, { payment_id: id, … }, { aggregate: `payment:${id}` })
 *     })
 */
export async function recordEvent<DB, Data>(
  trx: Kysely<DB>,
  event: EventContract<Data>,
  data: Data,
  { aggregate }: { aggregate: string },
): Promise<string> {
  if (!aggregate.startsWith(`${event.aggregateKind}:`)) {
    throw new Error(
      `${event.name} is about a ${event.aggregateKind}: name the aggregate ${event.aggregateKind}:<id>`,
    )
  }
  const payload = JSON.stringify(event.schema.parse(data))
  const bytes = Buffer.byteLength(payload)
  if (bytes > maxPayloadBytes) {
    throw new Error(
      `${event.name} for ${aggregate} has ${bytes} bytes, at most ${maxPayloadBytes} fit: send a reference instead`,
    )
  }
  const id = uuidV7()
  const parent = currentTrace()
  const headers = {
    'Td-Event-Type': event.name,
    'Td-Schema': dataSchemaOf(event),
    traceparent: formatTraceparent(parent ? childTrace(parent) : startTrace()),
  }
  await sql`
    insert into outbox (id, aggregate, subject, headers, payload)
    values (${id}, ${aggregate}, ${event.subject}, ${JSON.stringify(headers)}::jsonb, ${payload}::jsonb)`.execute(
    trx,
  )
  return id
}

/**
 * Publishes what was recorded, in order per aggregate, at least once. Several may run, and any may be
 * killed at any moment. Rows stay 48 hours and are published again when their stream was lost.
 */
export function startOutboxRelay<DB>(options: RelayOptions<DB>): AsyncDisposable {
  const { postgres, bus, log, producer, pollMs = 1000, upkeepMs = 5000 } = options
  const meter = createOutboxMeter(options.metrics)
  const context = { db: postgres.db, core: bus.core, log, meter, producer, onStep: options.onStep }
  const stopping = new AbortController()
  let woken = Promise.withResolvers<void>()
  const wake = () => {
    woken.resolve()
    woken = Promise.withResolvers<void>()
  }
  const listener = postgres.listen({
    channel: 'outbox',
    onWake: (payload) => (payload === '' || payload === producer) && wake(),
  })

  const run = async () => {
    let nextUpkeepAt = 0
    let nextCleanAt = 0
    let checkedConnection = ''
    let failing = false
    while (!stopping.signal.aborted) {
      const wakeUp = woken.promise
      let sent = 0
      try {
        const { info } = bus.core.connection.current().nc
        const connection = `${info?.server_id}:${info?.client_id}`
        // Before anything new goes to a server we have just met: it may have lost what it had.
        if (Date.now() >= nextUpkeepAt || connection !== checkedConnection) {
          await measureBacklog(context)
          await checkStreams(context)
          if (connection !== checkedConnection) await retryNow(context)
          checkedConnection = connection
          nextUpkeepAt = Date.now() + upkeepMs
        }
        if (Date.now() >= nextCleanAt) {
          await cleanOutbox(context)
          nextCleanAt = Date.now() + 60_000
        }
        sent = await relayBatch(context)
        failing = false
      } catch (error) {
        // Once per outage is enough.
        log[failing ? 'debug' : 'warn'](
          { err: error },
          'outbox relay interrupted; again in a moment',
        )
        failing = true
      }
      if (sent > 0) continue
      const timer = new AbortController()
      // Aborted once woken.
      await Promise.race([
        wakeUp,
        sleep(pollMs, undefined, { signal: timer.signal }).catch(() => undefined),
      ])
      timer.abort()
    }
  }
  const running = run()
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      wake()
      await running
      await listener[Symbol.asyncDispose]()
    },
  }
}

export type RelayOptions<DB> = {
  postgres: Postgres<DB>
  bus: Bus
  log: Logger
  metrics?: Metrics
  /** the database role whose rows these are */
  producer: string
  /** the safety net behind NOTIFY; default 1000 */
  pollMs?: number
  /** how often streams are looked after; default 5000 */
  upkeepMs?: number
  /** called between the steps of a batch; throwing there stops it at that point */
  onStep?: (step: RelayStep) => void | Promise<void>
}

const maxPayloadBytes = 64 * 1024
