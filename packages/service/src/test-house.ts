import { setTimeout as sleep } from 'node:timers/promises'
import { createTestDatabase } from '@twilight/database/test-database'
import { sql } from 'kysely'
import { pino } from 'pino'
import { onTestFinished, vi } from 'vitest'
import { handleOnce } from './inbox.ts'
import { connectBus } from './nats.ts'
import type { EventHandler } from './nats-decide.ts'
import { recordEvent, type RelayOptions, startOutboxRelay } from './outbox.ts'
import { connectPostgres } from './postgres.ts'
import { testConsumer, testStreams, thingChanged } from './test-contracts.ts'
import { startTestNats } from './test-nats.ts'

/**
 * A producer (payments) and a consumer (provisioner) with everything real between them: database, roles,
 * outbox, relay, bus, inbox. The consumer's effect is a row without any key, so that a second one shows.
 */
export async function buildTestHouse() {
  const [nats, database] = await Promise.all([startTestNats(), createTestDatabase()])
  const log = pino({ level: 'silent' })
  const connect = (url: string, applicationName: string) =>
    connectPostgres<Nothing>({ url, applicationName, log })
  const admin = connect(database.url, 'admin')
  const payments = connect(database.urlFor('payments'), 'payments')
  const provisioner = connect(database.urlFor('provisioner'), 'provisioner')
  const bus = await connectBus({ url: nats.url, service: 'tester', log, streams: testStreams })
  await sql`create table effects (place bigint generated always as identity, event_id uuid, aggregate text, n int)`.execute(
    admin.db,
  )
  await sql`grant all on effects to provisioner`.execute(admin.db)

  const house = {
    nats,
    database,
    admin,
    payments,
    provisioner,
    bus,
    log,

    /** As on the first day, but for the consumers now running. */
    async empty(): Promise<void> {
      await sql`truncate outbox, inbox, outbox_streams, outbox_aggregates, effects`.execute(
        admin.db,
      )
      await vi.waitFor(() => bus.ensureStreams(), soon)
      const { jsm } = bus.core.connection.current()
      for await (const { name } of jsm.consumers.list('TEST'))
        await jsm.consumers.delete('TEST', name)
      for (const { name } of testStreams) await jsm.streams.purge(name)
    },

    /** Runs until the test ends. */
    relay(options: Partial<RelayOptions<Nothing>> = {}): AsyncDisposable {
      const defaults = {
        postgres: payments,
        bus,
        log,
        producer: 'payments',
        pollMs: 200,
        upkeepMs: 500,
      }
      const running = startOutboxRelay({ ...defaults, ...options })
      onTestFinished(() => running[Symbol.asyncDispose]())
      return running
    },

    /** Runs until the test ends. */
    consume(name: string, handler: Handler = (event) => house.effect(name, event)): void {
      const consumer = bus.consume(testConsumer(name), handler)
      onTestFinished(() => consumer[Symbol.asyncDispose]())
    },

    record(data: { n: number; text?: string }, aggregate = 'thing:1'): Promise<string> {
      return payments.transaction((trx) => recordEvent(trx, thingChanged, data, { aggregate }))
    },

    async effect(consumer: string, event: Parameters<Handler>[0]): Promise<void> {
      const { id: eventId, aggregate, aggregateSeq, data } = event
      await handleOnce(
        provisioner.db,
        { consumer, eventId, aggregate, aggregateSeq },
        async (trx) => {
          await sql`insert into effects (event_id, aggregate, n) values (${eventId}, ${aggregate}, ${data.n})`.execute(
            trx,
          )
        },
      )
    },

    async unsent(): Promise<number> {
      const { rows } = await sql<{
        count: string
      }>`select count(*) from outbox where sent_at is null`.execute(admin.db)
      return Number(rows[0]?.count)
    },

    /** Waits until each event had an effect; tells which had none, more than one, or one before its turn. */
    async flaws(ids: string[], timeoutMs = 30_000): Promise<string[]> {
      const deadline = Date.now() + timeoutMs
      for (;;) {
        const { rows } = await sql<Effect>`select * from effects order by place`.execute(admin.db)
        const found = Map.groupBy(rows, (row) => row.event_id)
        const missing = ids.filter((id) => !found.has(id))
        if (missing.length > 0 && Date.now() < deadline) {
          await sleep(25)
          continue
        }
        const repeated = [...found].filter(
          ([id, effects]) => effects.length > 1 || !ids.includes(id),
        )
        const disordered = rows.filter((row, i) =>
          rows.slice(i).some((later) => later.aggregate === row.aggregate && later.n < row.n),
        )
        return [
          ...missing.map((id) => `no effect: ${id}`),
          ...repeated.map(([id, effects]) => `${effects.length} effects: ${id}`),
          ...disordered.map((row) => `before its turn: ${row.aggregate} ${row.n}`),
        ]
      }
    },

    async [Symbol.asyncDispose](): Promise<void> {
      await Promise.all(
        [admin, payments, provisioner, bus].map((one) => one[Symbol.asyncDispose]()),
      )
      await Promise.all([nats, database].map((one) => one[Symbol.asyncDispose]()))
    },
  }
  return house
}

export type TestHouse = Awaited<ReturnType<typeof buildTestHouse>>

type Nothing = Record<string, never>
type Handler = EventHandler<{ n: number; text?: string | undefined }>
type Effect = { event_id: string; aggregate: string; n: number }

const soon = { timeout: 20_000, interval: 25 }
