import { derivedSource } from './claim.ts'
import { crossCheckHolds } from './cross-check.ts'
import { compare, fromNumber, numberMatchesText } from './decimal.ts'
import type { FindingCode } from './finding.ts'
import type { NormalCite, NormalClaim } from './read-claim.ts'
import { clockSkewMs, shanghaiDate } from './shanghai-date.ts'

/** What a claim must fulfil on its own, without its answer, its arguments or its record. */
export function verifyClaim(claim: NormalClaim, nowMs: number): ClaimFault[] {
  const { cite } = claim
  const faults = [...verifyCiteTimes(cite, nowMs)]
  if (!valueFits(claim)) faults.push({ code: 'value_mismatch', pointer: '/value_text' })
  if (claim.value_text === null && claim.null_reason === undefined) {
    faults.push({ code: 'null_without_reason', pointer: '/value' })
  }
  const fetchedOn = shanghaiDate(Date.parse(cite.fetched_at))
  for (const field of ['as_of', 'as_of_from'] as const) {
    if ((claim[field] ?? '') > fetchedOn) {
      faults.push({ code: 'as_of_after_fetch', pointer: `/${field}` })
    }
  }
  if (!cite.upstreams.includes(cite.source) && cite.source !== derivedSource) {
    faults.push({ code: 'source_not_listed', pointer: '/cite/served_by' })
  }
  if (!staleFits(claim)) faults.push({ code: 'stale_mismatch', pointer: '/stale' })
  if (!crossCheckFits(claim)) {
    faults.push({ code: 'cross_check_mismatch', pointer: '/cite/cross_check' })
  }
  return faults
}

/** The times of a cite against the verifier's clock. */
export function verifyCiteTimes(cite: NormalCite, nowMs: number): ClaimFault[] {
  const fetchedMs = Date.parse(cite.fetched_at)
  const latestMs = nowMs + clockSkewMs
  if (fetchedMs > latestMs) return [{ code: 'fetched_in_future', pointer: '/cite/fetched_at' }]
  if (fetchedMs + cite.cache_age_seconds * 1000 > latestMs) {
    return [{ code: 'cache_age_mismatch', pointer: '/cite/cache_age_seconds' }]
  }
  return []
}

export type ClaimFault = { code: FindingCode; pointer: string }

function valueFits({ value, value_text: text, unit }: NormalClaim): boolean {
  if (text === null || unit === 'date') return value === null
  return value !== null && numberMatchesText(value, text)
}

function staleFits({ stale = false, as_of, expected_as_of }: NormalClaim): boolean {
  // Stale without an expected date is said of what could not be fetched again.
  if (expected_as_of === undefined) return true
  return stale || expected_as_of <= as_of
}

function crossCheckFits({ cite, metric, adjust = 'none', value_text: text }: NormalClaim): boolean {
  const check = cite.cross_check
  if (!check) return true
  if (!crossCheckHolds(check)) return false
  if (metric !== 'close' || adjust !== 'none' || text === null) return true
  if (cite.source === 'tushare') return compare(fromNumber(check.tushare_close), text) === 0
  if (cite.source === 'tdx') return compare(fromNumber(check.tdx_close), text) === 0
  return true
}
