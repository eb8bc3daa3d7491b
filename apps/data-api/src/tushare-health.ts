import type { SourceState } from '@twilight/market-sources/source'
import type { HealthCheck } from '@twilight/service/health'
import type { CacheFileState } from './cache-file.ts'
import type { RawArchive } from './raw-archive.ts'
import type { UpstreamBudget } from './upstream-budget.ts'

/**
 * Tushare as /healthz shows it: never required, because what is cached is served without it. It calls
 * nobody: it tells how the last real calls went.
 */
export function createTushareHealth({
  state,
  queue,
}: {
  state: () => SourceState
  queue: () => { running: number; waiting: number }
}): HealthCheck {
  return {
    name: 'tushare',
    required: false,
    check: () => {
      const { enabled, ok, lastSuccessAt, lastFailure, callsLastMinute, circuits } = state()
      const open = circuits.filter((circuit) => circuit.state !== 'closed')
      return Promise.resolve({
        // What the licence leaves out is closed for good, and no outage.
        ok: ok && open.every(({ reason }) => reason === 'no_permission'),
        enabled,
        last_success_at: lastSuccessAt ?? null,
        ...(lastFailure && { last_failure: lastFailure }),
        calls_last_minute: callsLastMinute,
        waiting: queue().waiting,
        // Absent members are left out of the answer.
        circuits: open.slice(0, 20).map((circuit) => ({
          api: circuit.api,
          state: circuit.state,
          reason: circuit.reason,
          open_until: circuit.openUntil,
        })),
      })
    },
  }
}

/** What is kept on disk and in Postgres for Tushare; without any of it answers are still served. */
export function createCacheFileHealth(read: {
  state: () => CacheFileState
  budget: UpstreamBudget['state']
  archive: RawArchive['state']
}): HealthCheck {
  return {
    name: 'cache_file',
    required: false,
    check: () => {
      const { open, trouble, lastWriteAt, setAside } = read.state()
      const { kept, dropped } = read.archive()
      return Promise.resolve({
        ok: open && trouble === undefined,
        ...(trouble && { trouble }),
        last_write_at: lastWriteAt ?? null,
        files_set_aside: setAside,
        raw_answers_kept: kept,
        raw_answers_dropped: dropped,
        budget_shared: read.budget().shared,
      })
    },
  }
}
