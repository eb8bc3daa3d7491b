import { type Kysely, sql } from 'kysely'
import type { Logger } from './log.ts'
import type { BusCore } from './nats.ts'
import { BusUnavailableError } from './nats-connection.ts'
import { outgoingHeaders } from './nats-headers.ts'
import type { OutboxMeter } from './outbox-metrics.ts'

export type RelayContext<DB> = {
  db: Kysely<DB>
  core: BusCore
  log: Logger
  meter: OutboxMeter
  producer: string
  onStep: ((step: RelayStep) => void | Promise<void>) | undefined
}

export type RelayStep = 'claimed' | 'published' | 'marked'

/**
 * Publishes the oldest unsent event of up to 200 aggregates; returns how many the stream took. Their rows
 * stay locked meanwhile (at most the two seconds of a publish), so that no other relay takes them, and a
 * killed relay's are free at once.
 */
export async function relayBatch<DB>(context: RelayContext<DB>): Promise<number> {
  const { db, core, log, meter, onStep } = context
  if (!core.connection.isUp())
    throw new BusUnavailableError('The bus is away; events wait in the outbox.')
  return await db.transaction().execute(async (trx) => {
    const rows = await claimHeads(trx, context.producer)
    if (rows.length === 0) return 0
    await onStep?.('claimed')
    const results = await Promise.all(rows.map((row) => publish(core, row)))
    await onStep?.('published')
    const sent = results.flatMap((result) => (result.ok ? [result] : []))
    const failed = results.flatMap((result) => (result.ok ? [] : [result]))
    if (sent.length > 0) await markSent(trx, sent)
    if (failed.length > 0) {
      await markFailed(trx, failed)
      log.warn(
        { failed: failed.length, reason: failed[0]?.reason },
        'events not taken; each is tried again later',
      )
    }
    await onStep?.('marked')
    meter.sent.inc(sent.length)
    meter.failed.inc(failed.length)
    return sent.length
  })
}

const batchSize = 200

type OutboxRow = {
  id: string
  aggregate: string
  aggregate_seq: string
  subject: string
  headers: Record<string, string>
  payload: unknown
  producer: string
  created_at: Date
}

type Published =
  | { ok: true; id: string; stream: string; streamSeq: number }
  | { ok: false; id: string; reason: string }

/** One pass over what is unsent: asking per row whether an earlier one exists costs the square of a backlog. */
async function claimHeads<DB>(trx: Kysely<DB>, producer: string): Promise<OutboxRow[]> {
  const { rows } = await sql<OutboxRow>`
    with heads as materialized (
      select distinct on (aggregate) id, next_at from outbox
       where sent_at is null and producer = ${producer} order by aggregate, seq)
    select o.id, o.aggregate, o.aggregate_seq, o.subject, o.headers, o.payload, o.producer, o.created_at
      from heads join outbox o on o.id = heads.id
     where heads.next_at <= now() and o.sent_at is null
     order by o.seq limit ${batchSize}
       for update of o skip locked`.execute(trx)
  return rows
}

async function publish({ connection, meter }: BusCore, row: OutboxRow): Promise<Published> {
  const startedAt = performance.now()
  const envelope = {
    id: row.id,
    type: row.headers['Td-Event-Type'],
    source: row.producer,
    subject: row.aggregate,
    time: row.created_at.toISOString(),
    datacontenttype: 'application/json',
    dataschema: row.headers['Td-Schema'],
    data: row.payload,
  }
  try {
    const ack = await connection.current().js.publish(row.subject, JSON.stringify(envelope), {
      msgID: row.id,
      timeout: 2000,
      headers: outgoingHeaders({
        'Td-Event-Id': row.id,
        'Td-Aggregate': row.aggregate,
        'Td-Aggregate-Seq': row.aggregate_seq,
        ...row.headers,
      }),
    })
    meter.count(row.subject, 'event', 'published', startedAt)
    return { ok: true, id: row.id, stream: ack.stream, streamSeq: ack.seq }
  } catch (error) {
    meter.count(row.subject, 'event', 'not_published', startedAt)
    return { ok: false, id: row.id, reason: error instanceof Error ? error.message : String(error) }
  }
}

async function markSent<DB>(
  trx: Kysely<DB>,
  sent: { id: string; stream: string; streamSeq: number }[],
): Promise<void> {
  await sql`
    update outbox o set sent_at = now(), stream = s.stream, stream_seq = s.stream_seq, last_error = null
      from unnest(
        ${sent.map((one) => one.id)}::uuid[],
        ${sent.map((one) => one.stream)}::text[],
        ${sent.map((one) => one.streamSeq)}::bigint[]) as s (id, stream, stream_seq)
     where o.id = s.id`.execute(trx)
}

async function markFailed<DB>(
  trx: Kysely<DB>,
  failed: { id: string; reason: string }[],
): Promise<void> {
  await sql`
    update outbox o
       set attempts = o.attempts + 1, last_error = left(f.reason, 500),
           next_at = now() + least(60, 0.25 * 2 ^ least(o.attempts + 1, 10)) * (0.5 + random() / 2) * interval '1 s'
      from unnest(${failed.map((one) => one.id)}::uuid[], ${failed.map((one) => one.reason)}::text[]) as f (id, reason)
     where o.id = f.id`.execute(trx)
}
