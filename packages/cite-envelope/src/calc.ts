import { calcReasons, maxArguments, type CalcReason } from './calc-rules.ts'
import { claimSchema, derivedSource, serviceName, type Claim, type Operation } from './claim.ts'
import { DecimalError, numberMatchesText } from './decimal.ts'
import { deriveFigure, type Derived } from './derive-figure.ts'
import { readClaim, type NormalClaim } from './read-claim.ts'

/**
 * A new claim computed exactly from recorded ones: `diff` a−b, `ratio` a/b, `pct_change` (a−b)/b in percent (so the
 * newer figure comes first), `sum` and `mean`. What would mean nothing is refused with a reason, never guessed.
 *
 *     const result = calculate({ op: 'pct_change', args: [today, yesterday], toolCallId, servedVersion, now: new Date() })
 *     if (result.ok) result.claim.value_text // '1.234500', with derived_from and rounding
 */
export function calculate(input: {
  op: Operation
  /** claims as they were recorded, in any form the reader takes */
  args: readonly unknown[]
  /** after the point, for ratio, pct_change and mean; diff and sum are exact */
  digits?: number
  toolCallId: string
  servedVersion: string
  now: Date
}): CalcResult {
  const { op, digits = 6 } = input
  if (!Number.isInteger(digits) || digits < 0 || digits > 30) return refusal('bad_digits')
  if (input.args.length > maxArguments) return refusal('bad_arguments')
  const args: NormalClaim[] = []
  for (const arg of input.args) {
    const read = readClaim(arg)
    if (!read.ok) return refusal('unreadable_argument')
    args.push(read.claim)
  }
  try {
    const derived = deriveFigure(op, args, digits)
    if ('refused' in derived) return refusal(derived.refused)
    const value = Number(derived.value_text)
    if (!numberMatchesText(value, derived.value_text)) return refusal('out_of_range')
    return { ok: true, claim: claimOf(derived, args, input) }
  } catch (error) {
    // Only a result with more digits than the limit comes here: the arguments have been read.
    if (error instanceof DecimalError) return refusal('out_of_range')
    throw error
  }
}

export type CalcResult = { ok: true; claim: Claim } | { ok: false; problem: CalcProblem }

export type CalcProblem = { code: CalcReason; zh: string; en: string }

function claimOf(
  { upstreams, ...figure }: Derived,
  args: NormalClaim[],
  { op, toolCallId, servedVersion, now }: Parameters<typeof calculate>[0],
): Claim {
  // The latest fetch, so that no argument is newer than the answer it went into.
  const fetchedMs = Math.max(...args.map((claim) => Date.parse(claim.cite.fetched_at)))
  return claimSchema.parse({
    value: Number(figure.value_text),
    ...figure,
    ...(args.some((claim) => claim.stale) && { stale: true }),
    op,
    derived_from: args.map((claim) => claim.cite.tool_call_id),
    cite: {
      kind: 'tool',
      source: derivedSource,
      served_by: upstreams,
      service: serviceName,
      served_version: servedVersion,
      table: 'calc',
      fetched_at: new Date(fetchedMs).toISOString(),
      cache_age_seconds: Math.max(0, Math.floor((now.getTime() - fetchedMs) / 1000)),
      tool_call_id: toolCallId,
    },
  })
}

function refusal(code: CalcReason): CalcResult {
  return { ok: false, problem: { code, ...calcReasons[code] } }
}
