import type { SourceState } from '@twilight/market-sources/source'
import type { TushareOptions } from '@twilight/market-sources/tushare-client'
import type { Metrics } from '@twilight/service/metrics'
import type { Answer } from './look-up.ts'

type CallRecord = Parameters<NonNullable<TushareOptions['onCall']>>[0]

export type LookUpMetrics = {
  answered(table: string, layer: Answer<unknown>['from'], stale: boolean): void
  called(call: CallRecord): void
}

/** What only the parts know; read when somebody scrapes. */
export type Watched = {
  source: SourceState
  queue: { running: number; waiting: number }
  memory: { entries: number; bytes: number }
  cacheFileOpen: boolean
  archiveDropped: number
}

/**
 * What the look-up does, for Prometheus. It counts in plain numbers, because a labelled counter costs more
 * than a whole answer from memory, and the registry reads them when it is scraped.
 */
export function createLookUpMetrics({ registry }: Metrics, watch: () => Watched): LookUpMetrics {
  const answers = new Map<string, number>()
  const stale = new Map<string, number>()
  const calls = new Map<string, number>()
  const callSeconds = new Map<string, number>()

  const add = (name: string, help: string, type: 'counter' | 'gauge', read: () => Reading[]) => {
    // The registry asks no more of a metric than its name and what get() gives.
    const metric = {
      name,
      help,
      type,
      get: () => Promise.resolve({ name, help, type, values: read() }),
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its type names the library's own classes only
    registry.registerMetric(metric as unknown as Parameters<typeof registry.registerMetric>[0])
  }
  const addGauge = (name: string, help: string, read: (watched: Watched) => number) => {
    add(name, help, 'gauge', () => [{ labels: {}, value: read(watch()) }])
  }
  add(
    'twilight_look_up_answers_total',
    'Answers given, by table and by the layer that had them',
    'counter',
    () => readings(answers, ['table', 'layer']),
  )
  add(
    'twilight_look_up_stale_total',
    'Answers given although they should have been refreshed',
    'counter',
    () => readings(stale, ['table']),
  )
  add(
    'twilight_upstream_calls_total',
    'Calls of Tushare, by interface and outcome',
    'counter',
    () => readings(calls, ['api', 'outcome']),
  )
  add('twilight_upstream_call_seconds_total', 'Time spent in calls of Tushare', 'counter', () =>
    readings(callSeconds, ['api', 'outcome']),
  )
  add(
    'twilight_upstream_circuit_open',
    '1 while an interface of Tushare is not called',
    'gauge',
    () =>
      watch().source.circuits.map(({ api, state }) => ({
        labels: { api },
        value: Number(state === 'open'),
      })),
  )
  addGauge(
    'twilight_upstream_last_success_seconds',
    'Unix time of the last answer of Tushare; 0: none',
    (it) =>
      it.source.lastSuccessAt === undefined ? 0 : Date.parse(it.source.lastSuccessAt) / 1000,
  )
  addGauge(
    'twilight_upstream_queue_running',
    'Questions asked upstream now',
    (it) => it.queue.running,
  )
  addGauge(
    'twilight_upstream_queue_waiting',
    'Questions that wait for a place',
    (it) => it.queue.waiting,
  )
  addGauge('twilight_memory_cache_entries', 'Answers in memory', (it) => it.memory.entries)
  addGauge(
    'twilight_memory_cache_bytes',
    'Memory of these answers, estimated',
    (it) => it.memory.bytes,
  )
  addGauge('twilight_cache_file_open', '1 while the cache file can be used', (it) =>
    Number(it.cacheFileOpen),
  )
  addGauge(
    'twilight_raw_archive_dropped',
    'Raw answers not archived since the start',
    (it) => it.archiveDropped,
  )

  return {
    answered(table, layer, isStale) {
      count(answers, `${table}\n${layer}`, 1)
      if (isStale) count(stale, table, 1)
    },
    called({ api, outcome, durationMs }) {
      count(calls, `${api}\n${outcome}`, 1)
      count(callSeconds, `${api}\n${outcome}`, durationMs / 1000)
    },
  }
}

type Reading = { labels: Record<string, string>; value: number }

// Tables, interfaces and outcomes are ours, never a user's words: there are only so many.
function count(counts: Map<string, number>, key: string, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by)
}

function readings(counts: Map<string, number>, names: string[]): Reading[] {
  return [...counts].map(([key, value]) => {
    const parts = key.split('\n')
    return { labels: Object.fromEntries(names.map((name, at) => [name, parts[at] ?? ''])), value }
  })
}
