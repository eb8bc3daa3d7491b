import { derivedSource } from './claim.ts'
import { deriveFigure } from './derive-figure.ts'
import { DecimalError } from './decimal.ts'
import type { FindingCode } from './finding.ts'
import type { NormalClaim } from './read-claim.ts'

/** Computes a derived claim again from its arguments; undefined when it is no derived claim, or a right one. */
export function verifyDerived(
  claim: NormalClaim,
  argument: (toolCallId: string) => NormalClaim | undefined,
): { code: FindingCode; detail?: string } | undefined {
  const { op, derived_from: ids, rounding } = claim
  const parts = [op, ids, rounding].filter((part) => part !== undefined).length
  if (parts === 0 && claim.cite.source !== derivedSource) return undefined
  if (!op || !ids || rounding === undefined) return { code: 'derived_incomplete' }
  if (restsOnItself(claim, argument)) return { code: 'derived_cycle' }
  const args: NormalClaim[] = []
  for (const id of ids) {
    const arg = argument(id)
    if (!arg) return { code: 'derived_input_missing', detail: id }
    args.push(arg)
  }
  const digits = Number(/\d+$/.exec(rounding)?.[0] ?? 0)
  const wrong = differences(claim, op, args, digits)
  return wrong === undefined ? undefined : { code: 'derived_mismatch', detail: wrong }
}

function differences(
  claim: NormalClaim,
  op: NonNullable<NormalClaim['op']>,
  args: NormalClaim[],
  digits: number,
): string | undefined {
  try {
    const derived = deriveFigure(op, args, digits)
    if ('refused' in derived) return derived.refused
    const { upstreams, name: _name, ...expected } = derived
    const stated: Record<string, unknown> = claim
    const optional = { as_of_from: undefined, period: undefined, adjust: undefined }
    const wrong = Object.entries({ ...optional, ...expected })
      .filter(([field, value]) => stated[field] !== value)
      .map(([field]) => field)
    if (upstreams.toSorted().join() !== claim.cite.upstreams.toSorted().join()) {
      wrong.push('served_by')
    }
    if (args.some((arg) => arg.stale) && !claim.stale) wrong.push('stale')
    return wrong.length === 0 ? undefined : wrong.join(', ')
  } catch (error) {
    // Arguments from outside can make a result longer than the limit of digits: then it is not what is stated.
    if (error instanceof DecimalError) return error.code
    throw error
  }
}

/** Follows the arguments, each id once. */
function restsOnItself(
  claim: NormalClaim,
  argument: (toolCallId: string) => NormalClaim | undefined,
): boolean {
  const seen = new Set<string>()
  const open = [...(claim.derived_from ?? [])]
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (id === claim.cite.tool_call_id) return true
    if (seen.has(id)) continue
    seen.add(id)
    open.push(...(argument(id)?.derived_from ?? []))
  }
  return false
}
