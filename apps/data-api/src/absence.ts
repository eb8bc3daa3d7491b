import type { AbsenceReason } from '@twilight/market-sources/explain-absence'
import type { Bilingual } from '@twilight/market-sources/instrument'
import type { MarketDate } from '@twilight/market-sources/market-date'
import { SourceFailure } from '@twilight/market-sources/source'
import { Problem } from '@twilight/service/errors'

/** Why there is no figure, as the problem a client gets; `instead` is a day that may well have one. */
export function absent(
  code: Problem['code'],
  { zh, en }: Bilingual,
  instead?: MarketDate,
): Problem {
  return new Problem(code, {
    detail: en,
    detailZh: zh,
    ...(instead !== undefined && { extensions: { instead } }),
    ...(code === 'source_unavailable' && { retryAfterSeconds: 60 }),
  })
}

export const absenceCodes = {
  future: 'future_date',
  before_listing: 'before_listing',
  delisted: 'delisted',
  not_trading_day: 'not_trading_day',
  suspended: 'suspended',
  not_published_yet: 'not_published_yet',
  // The calendar begins before any data does: a day outside of it has none.
  calendar_unknown: 'no_data',
  // The answer was empty where a row must be: the source's failure, not a fact.
  unexplained: 'source_unavailable',
} as const satisfies Record<AbsenceReason, Problem['code']>

/** Our licence of the source ends here: for good, so it is not "could not fetch". */
export function isNotLicensed(error: unknown): boolean {
  return (
    error instanceof Problem &&
    error.cause instanceof SourceFailure &&
    error.cause.kind === 'no_permission'
  )
}

/** The source cannot be asked now; what we hold of earlier days may still be served. */
export function isOutage(error: unknown): error is Problem {
  return (
    error instanceof Problem &&
    (error.code === 'source_unavailable' ||
      error.code === 'upstream_timeout' ||
      error.code === 'overloaded')
  )
}
