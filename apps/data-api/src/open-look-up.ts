import { join } from 'node:path'
import type { Database } from '@twilight/database/schema'
import { SourceFailure } from '@twilight/market-sources/source'
import { createTushareClient } from '@twilight/market-sources/tushare-client'
import type { HealthCheck } from '@twilight/service/health'
import type { Logger } from '@twilight/service/log'
import type { Metrics } from '@twilight/service/metrics'
import type { Kysely } from 'kysely'
import { createAskTushare } from './ask-tushare.ts'
import { openCacheFile } from './cache-file.ts'
import { createLookUpMetrics } from './look-up-metrics.ts'
import { createLookUp } from './look-up.ts'
import type { LookUp, LookUpDeps } from './look-up.ts'
import { createMemoryCache } from './memory-cache.ts'
import { openRawArchive } from './raw-archive.ts'
import { createCacheFileHealth, createTushareHealth } from './tushare-health.ts'
import { createUpstreamBudget } from './upstream-budget.ts'

export type OpenLookUpOptions = Pick<LookUpDeps, 'waitMs' | 'flightMs'> & {
  /** the cache file and the archive live here; one process alone may use it */
  dataDir: string
  tushareUrl: string
  /** without it nothing is asked */
  tushareToken?: { reveal(): string } | undefined
  tushareEnabled: boolean
  version: string
  db: Kysely<Database>
  log: Logger
  metrics: Metrics
  /** of each interface; default 500 a minute, no limit a day (5,000 points) */
  limits?: { minute: number; day?: number }
}

export type OpenedLookUp = AsyncDisposable & { lookUp: LookUp; checks: HealthCheck[] }

/**
 * Everything between a question and Tushare, put together: memory, cache file, budget, client, archive.
 *
 *     const market = scope.use(await openLookUp({ ...config, version, db: postgres.db, log, metrics }))
 *     await market.lookUp(barOfDay(instrument, '2026-11-19'))
 */
export async function openLookUp(options: OpenLookUpOptions): Promise<OpenedLookUp> {
  const { dataDir, log, version } = options
  const { tushareToken: token = { reveal: () => '' } } = options
  await using resources = new AsyncDisposableStack()
  const secrets = options.tushareToken ? [options.tushareToken] : []
  const archive = resources.use(
    openRawArchive({
      folder: join(dataDir, 'raw'),
      parser: { name: 'data-api', version },
      secrets,
      log,
    }),
  )
  const file = resources.use(await openCacheFile({ path: join(dataDir, 'cache.duckdb'), log }))
  const memory = createMemoryCache({ maxEntries: 20_000, maxBytes: 32 * 1024 * 1024 })
  const limits = options.limits ?? { minute: 500 }
  const budget = createUpstreamBudget({ db: options.db, source: 'tushare', limits, log })
  const stopping = new AbortController()
  const client = resources.use(
    createTushareClient({
      baseUrl: options.tushareUrl,
      token,
      enabled: options.tushareEnabled && options.tushareToken !== undefined,
      spend: budget.spend,
      concurrent,
      onCall: (call) => metrics.called(call),
    }),
  )
  const asking = createAskTushare({
    client,
    budget,
    signal: stopping.signal,
    concurrent,
    maxWaiting: 2000,
  })
  const metrics = createLookUpMetrics(options.metrics, () => ({
    source: client.state(),
    queue: asking.queue(),
    memory: memory.size(),
    cacheFileOpen: file.state().open,
    archiveDropped: archive.state().dropped,
  }))
  const flights = resources.use(
    createLookUp({ ...options, memory, file, tushare: asking, archive, metrics, log }),
  )
  resources.defer(() =>
    stopping.abort(
      new SourceFailure('aborted', 'this process is stopping', { source: 'tushare', api: '-' }),
    ),
  )
  const opened = resources.move()
  return {
    lookUp: flights.lookUp,
    checks: [
      createTushareHealth({ state: () => client.state(), queue: () => asking.queue() }),
      createCacheFileHealth({
        state: () => file.state(),
        budget: () => budget.state(),
        archive: () => archive.state(),
      }),
    ],
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

// Tushare slows down a client that asks for more at once.
const concurrent = 4
