import type { Database } from '@twilight/database/schema'
import type { Logger } from '@twilight/service/log'
import type { Bus } from '@twilight/service/nats'
import type { Kysely } from 'kysely'
import { setTimeout as sleep } from 'node:timers/promises'
import { dataApiUsage } from './usage-event.ts'
import { pruneUsageLog, recordUsage } from './usage-log.ts'

/**
 * Takes usage from the bus into `usage_log`, a batch per statement, and prunes old rows every six hours.
 *
 *     await using usage = consumeUsage({ bus, db: postgres.db, log })
 */
export function consumeUsage({ bus, db, log }: UsageConsumerOptions): AsyncDisposable {
  const stopping = new AbortController()
  const consumer = bus.consume(
    dataApiUsage,
    async ({ data }) => {
      await recordUsage(db, data.records)
    },
    // Several writers only wait for each other's rows.
    { concurrency: 2, maxHeld: 16 },
  )
  const pruning = pruneUntilStopped(db, log, stopping.signal)
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await pruning
      await consumer[Symbol.asyncDispose]()
    },
  }
}

export type UsageConsumerOptions = { bus: Bus; db: Kysely<Database>; log: Logger }

async function pruneUntilStopped(
  db: Kysely<Database>,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const deleted = await pruneUsageLog(db)
      if (deleted > 0) log.info({ deleted }, 'old usage pruned')
    } catch (error) {
      log.warn({ err: error }, 'old usage not pruned; again in six hours')
    }
    // Aborting is how the pause ends early.
    await sleep(6 * 3_600_000, undefined, { signal }).catch(() => undefined)
  }
}
