import { SourceFailure } from '@twilight/market-sources/source'
import { Problem } from '@twilight/service/errors'

/**
 * Why the source gave no answer, as the problem a client gets: when to ask again, and none of the
 * upstream's own words. What is no failure of the source stays what it is.
 */
export function toProblem(error: unknown): unknown {
  if (!(error instanceof SourceFailure)) return error
  return new Problem('source_unavailable', {
    internal: error.message,
    cause: error,
    detail: 'The data source gave no usable answer.',
    detailZh: '数据源暂时没有给出可用的答复。',
    retryAfterSeconds: (retryAt(error) - Date.now()) / 1000,
  })
}

/** Epoch milliseconds before which asking again is pointless: one second to an hour ahead. */
export function retryAt(error: unknown): number {
  const named = error instanceof SourceFailure ? error.retryAt?.getTime() : undefined
  const now = Date.now()
  return Math.min(Math.max(named ?? now + 5000, now + 1000), now + 3_600_000)
}
