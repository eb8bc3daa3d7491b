import { buildClaim, ClaimError, type ClaimInput } from '@twilight/cite-envelope/build-claim'
import type { Claim } from '@twilight/cite-envelope/claim'
import { Problem } from '@twilight/service/errors'
import { hash } from 'node:crypto'
import packageJson from '../package.json' with { type: 'json' }
import type { Answer } from './look-up.ts'

/** A claim built and checked once, and the ids it was given to its readers under. */
export type PreparedClaim = {
  claim: Claim
  fetchedMs: number
  /** of everything in it that never changes */
  print: string
  /** user -> tool_call_id */
  ids: Map<string, string>
}

/** What the answer itself says, so that no caller has to. */
export type Figure = Omit<
  ClaimInput,
  | 'source'
  | 'servedBy'
  | 'fetchedAt'
  | 'rawSha256'
  | 'servedVersion'
  | 'toolCallId'
  | 'now'
  | 'attribution'
>

/**
 * Builds the claim of a row, once: a cache hit changes only its id and its age.
 *
 *     const prepared = prepareClaim(answer, { figure: '1466.00', unit: 'CNY', metric: 'close', … })
 */
export function prepareClaim(answer: Answer<unknown>, figure: Figure): PreparedClaim {
  const { fetchedAt, rawSha256 } = answer
  try {
    const claim = buildClaim({
      ...figure,
      source: 'tushare',
      servedBy: ['tushare'],
      fetchedAt: fetchedAt.toISOString(),
      rawSha256,
      attribution,
      servedVersion: packageJson.version,
      toolCallId: placeholder,
      now: new Date(),
    })
    const { cache_age_seconds: _age, tool_call_id: _id, ...cite } = claim.cite
    const print = hash('sha256', JSON.stringify({ ...claim, cite }), 'base64url')
    return { claim, fetchedMs: fetchedAt.getTime(), print, ids: new Map() }
  } catch (error) {
    if (!(error instanceof ClaimError)) throw error
    // What the source sent cannot be served as a figure: no answer is better than a wrong one.
    throw new Problem('source_unavailable', {
      detail: 'The data source sent a figure that cannot be right. Try again later.',
      detailZh: '数据源返回的数值异常，暂不提供，请稍后再试。',
      retryAfterSeconds: 300,
      cause: error,
    })
  }
}

/**
 * Keeps what is made of rows beside them: as long as the look-up holds the rows in memory, and no longer.
 *
 *     const beside = keepBeside<PreparedClaim>()
 *     const prepared = beside(answer.rows, 'close none', () => prepareClaim(answer, …))
 */
export function keepBeside<T>(): (rows: object, variant: string, make: () => T) => T {
  const kept = new WeakMap<object, Map<string, T>>()
  return (rows, variant, make) => {
    let variants = kept.get(rows)
    if (!variants || variants.size >= maxVariants) kept.set(rows, (variants = new Map<string, T>()))
    const known = variants.get(variant)
    if (known !== undefined) return known
    const made = make()
    variants.set(variant, made)
    return made
  }
}

const maxVariants = 16
const placeholder = 'tc_prepared'
/** What the licence of the source asks to show. */
const attribution = '数据来源：Tushare数据'
