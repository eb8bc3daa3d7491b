import type { StreamInfo } from '@nats-io/jetstream'
import { canaryStream, deadLetterStream } from '@twilight/contracts/streams'
import { type Kysely, sql } from 'kysely'
import { ensureStreams } from './nats-streams.ts'
import type { RelayContext } from './outbox-batch.ts'

/**
 * Looks whether each stream still holds what we were told it holds. One that was made anew or has fewer
 * messages than before has lost some: our rows of the last 48 hours go out again. Readers know the repeats.
 */
export async function checkStreams<DB>(context: RelayContext<DB>): Promise<void> {
  const { db, core, log, meter } = context
  const { jsm } = core.connection.current()
  const streams = core.streams.filter(
    ({ name }) => name !== deadLetterStream.name && name !== canaryStream.name,
  )
  await ensureStreams(jsm, log, { streams })
  for (const { name } of streams) {
    const key = `${context.producer}:${name}`
    const info = await jsm.streams.info(name)
    if (!(await isLost(context, db, key, info))) {
      await remember(db, key, info)
      continue
    }
    const republished = await db.transaction().execute(async (trx) => {
      await sql`select from outbox_streams where stream = ${key} for update`.execute(trx)
      // Once more behind the lock: another relay may have seen to it.
      const now = await jsm.streams.info(name)
      if (!(await isLost(context, trx, key, now))) return 0
      await sql`delete from outbox_streams where stream = ${key}`.execute(trx)
      await remember(trx, key, now)
      const { numAffectedRows = 0n } = await sql`
        update outbox set sent_at = null, stream = null, stream_seq = null, attempts = 0, next_at = now()
         where producer = ${context.producer} and stream = ${name} and sent_at > now() - interval '48 hours'`.execute(
        trx,
      )
      return Number(numAffectedRows)
    })
    meter.republished.inc(republished)
    log.error({ stream: name, republished }, 'a stream has lost messages; publishing again')
  }
}

/** What failed while the bus was away need not wait out its backoff. */
export async function retryNow<DB>({ db, producer }: RelayContext<DB>): Promise<void> {
  await sql`update outbox set next_at = now() where sent_at is null and producer = ${producer} and next_at > now()`.execute(
    db,
  )
}

export async function measureBacklog<DB>({ db, meter, producer }: RelayContext<DB>): Promise<void> {
  const { rows } = await sql<{ unsent: string; oldest: number }>`
    select count(*) as unsent, coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as oldest
      from outbox where sent_at is null and producer = ${producer}`.execute(db)
  meter.unsent.set(Number(rows[0]?.unsent ?? 0))
  meter.oldestSeconds.set(rows[0]?.oldest ?? 0)
}

/** Rows older than 48 hours, in batches of 1000, at most twenty of them at a time. */
export async function cleanOutbox<DB>({ db, producer }: RelayContext<DB>): Promise<void> {
  for (let batch = 0; batch < 20; batch += 1) {
    const { numAffectedRows = 0n } = await sql`
      delete from outbox where id in (
        select id from outbox where producer = ${producer} and sent_at < now() - interval '48 hours'
         order by sent_at limit 1000)`.execute(db)
    if (numAffectedRows < 1000n) return
  }
}

async function isLost<DB>(
  { core, producer }: RelayContext<DB>,
  db: Kysely<DB>,
  key: string,
  info: StreamInfo,
): Promise<boolean> {
  const { name } = info.config
  const { rows } = await sql<{ created: Date; last_seq: string }>`
    select created, last_seq from outbox_streams where stream = ${key}`.execute(db)
  const [seen] = rows
  if (
    seen &&
    (seen.created.getTime() !== Date.parse(info.created) ||
      info.state.last_seq < Number(seen.last_seq))
  )
    return true
  // Others may have filled the gap up to the old length by now: our newest message must still be ours.
  const newest = await sql<{ id: string; stream_seq: string }>`
    select id, stream_seq from outbox
     where producer = ${producer} and stream = ${name} and sent_at > now() - interval '48 hours'
     order by sent_at desc, stream_seq desc limit 1`.execute(db)
  const [last] = newest.rows
  if (!last || Number(last.stream_seq) < info.state.first_seq) return false
  const message = await core.connection
    .current()
    .jsm.streams.getMessage(name, { seq: Number(last.stream_seq) })
  return message?.header.get('Td-Event-Id') !== last.id
}

async function remember<DB>(db: Kysely<DB>, key: string, info: StreamInfo): Promise<void> {
  await sql`
    insert into outbox_streams (stream, created, last_seq) values (${key}, ${new Date(info.created)}, ${info.state.last_seq})
    on conflict (stream) do update set created = excluded.created, seen_at = now(),
      last_seq = greatest(outbox_streams.last_seq, excluded.last_seq)`.execute(db)
}
