import { setTimeout as sleep } from 'node:timers/promises'
import { type Kysely, sql, type Transaction } from 'kysely'
import type { Logger } from './log.ts'
import { inTransaction } from './postgres-transaction.ts'

/**
 * Runs `apply` once per event, however often the event comes: its row in the inbox commits with the effect.
 *
 *     await handleOnce(postgres.db, { consumer: 'provisioner-payment-settled', eventId: event.id, … }, async (trx, { late }) => {
 *       if (late) return // a newer event of this aggregate was applied already
 *       await trx.insertInto('sagas').values(…).execute()
 *     })
 *
 * It guards effects in the database only: whatever `apply` does elsewhere may happen twice.
 */
export async function handleOnce<DB>(
  db: Kysely<DB>,
  event: InboxEvent,
  apply: (trx: Transaction<DB>, arrival: { late: boolean }) => Promise<unknown>,
): Promise<'done' | 'duplicate'> {
  const { consumer, eventId, aggregate = null, aggregateSeq = null } = event
  return await inTransaction(db, async (trx) => {
    // One at a time per aggregate, or two events would each miss the other's row; no key, no lock.
    const key = aggregate === null ? null : `inbox:${consumer}:${aggregate}`
    await sql`
      select set_config('lock_timeout', '5s', true), pg_advisory_xact_lock(hashtextextended(${key}::text, 0))`.execute(
      trx,
    )
    // Waits here while a twin is being handled; afterwards its row decides.
    const { rows } = await sql<{ late: boolean }>`
      insert into inbox (consumer, event_id, aggregate, aggregate_seq)
      values (${consumer}, ${eventId}, ${aggregate}, ${aggregateSeq})
      on conflict (consumer, event_id) do nothing
      returning exists (
        select from inbox newer
         where newer.consumer = ${consumer} and newer.aggregate = ${aggregate}::text
           and newer.aggregate_seq > ${aggregateSeq}::bigint) as late`.execute(trx)
    const [row] = rows
    if (!row) return 'duplicate'
    await apply(trx, { late: row.late })
    return 'done'
  })
}

export type InboxEvent = {
  consumer: string
  eventId: string
  aggregate?: string | undefined
  aggregateSeq?: number | undefined
}

/** Deletes what is older than any message can still be (30 days), now and then every hour. */
export function startInboxCleanup<DB>({
  db,
  log,
}: {
  db: Kysely<DB>
  log: Logger
}): AsyncDisposable {
  const stopping = new AbortController()
  const loop = cleanUntilStopped(db, log, stopping.signal)
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await loop
    },
  }
}

async function cleanUntilStopped<DB>(
  db: Kysely<DB>,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await deleteOldInboxRows(db)
    } catch (error) {
      log.warn({ err: error }, 'inbox not cleaned; again in an hour')
    }
    // Aborting is how the pause ends early.
    await sleep(3_600_000, undefined, { signal }).catch(() => undefined)
  }
}

/** In batches of 1000, at most a hundred of them at a time. */
export async function deleteOldInboxRows<DB>(db: Kysely<DB>): Promise<number> {
  let deleted = 0
  for (let batch = 0; batch < 100; batch += 1) {
    const { numAffectedRows = 0n } = await sql`
      delete from inbox where (consumer, event_id) in (
        select consumer, event_id from inbox where received_at < now() - interval '30 days' limit 1000)`.execute(
      db,
    )
    deleted += Number(numAffectedRows)
    if (numAffectedRows < 1000n) break
  }
  return deleted
}
