import { consumeUsage } from '@twilight/auth/usage-consumer'
import { usageStream } from '@twilight/auth/usage-event'
import { createUsageQueue, type UsageQueue } from '@twilight/auth/usage-queue'
import { streams } from '@twilight/contracts/streams'
import type { Database } from '@twilight/database/schema'
import type { HealthCheck } from '@twilight/service/health'
import type { Logger } from '@twilight/service/log'
import type { Bus } from '@twilight/service/nats'
import type { Kysely } from 'kysely'

/** What data-api's bus must know to meter; usage has a stream of its own. */
export const meteredStreams = [...streams, usageStream]

/**
 * Metering as data-api does it: it sends the records of its own requests, and takes everybody's into
 * `usage_log`. Disposing sends what waits; another instance takes it, or the next start.
 *
 *     const metering = scope.use(startMetering({ bus, db: postgres.db, service: 'data-api', log }))
 *     meterRoutes(routes, metering)
 */
export function startMetering(options: MeteringOptions): Metering {
  const resources = new AsyncDisposableStack()
  const queue = resources.use(createUsageQueue(options))
  // Stops first: what it took in its last moment would wait half a minute to be delivered again.
  resources.use(consumeUsage(options))
  return {
    add: queue.add,
    check: {
      name: 'metering',
      // Nobody is refused an answer because it could not be counted.
      required: false,
      check: () => {
        const totals = queue.totals()
        if (totals.queued < manyQueued) return Promise.resolve(totals)
        return Promise.reject(new Error(`${totals.queued} usage records wait for bus or database`))
      },
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

export type MeteringOptions = { bus: Bus; db: Kysely<Database>; service: string; log: Logger }

export type Metering = AsyncDisposable & Pick<UsageQueue, 'add'> & { check: HealthCheck }

/** A second of a very busy one; beyond it the queue is not just between two batches. */
const manyQueued = 2000
