import { calculate } from '@twilight/cite-envelope/calc'
import type { Claim, Operation } from '@twilight/cite-envelope/claim'
import { createToolCallId } from '@twilight/cite-envelope/tool-call-id'
import { Problem } from '@twilight/service/errors'

/**
 * A figure computed from claims that were served to this user, itself a recorded claim.
 *
 *     await calculateClaims({ claims, version }, userId, { op: 'pct_change', args: [newerId, olderId] })
 *
 * An id of another user is answered as one that does not exist.
 */
export async function calculateClaims(
  { claims, version }: CalculationDependencies,
  userId: string,
  { op, args }: Calculation,
): Promise<Claim> {
  const served = await Promise.all(args.map((id) => claims.find(userId, id)))
  const unknown = args.filter((_, index) => served[index] === undefined)
  if (unknown.length > 0) {
    throw new Problem('not_found', {
      detail: `No claim was served to you under ${unknown.join(', ')}. Pass the tool_call_id of a cite.`,
      detailZh: `没有向您提供过编号为 ${unknown.join('、')} 的数据，请使用引用中的 tool_call_id。`,
    })
  }
  const result = calculate({
    op,
    args: served,
    toolCallId: createToolCallId(),
    servedVersion: version,
    now: new Date(),
  })
  if (!result.ok) {
    const { code: reason, en, zh } = result.problem
    throw new Problem('invalid_parameter', {
      detail: en,
      detailZh: zh,
      extensions: { reason },
    })
  }
  claims.record(userId, result.claim)
  return result.claim
}

export type Calculation = { op: Operation; args: readonly string[] }

export type CalculationDependencies = {
  claims: {
    /** what was served to this user under an id; undefined for ids of others too */
    find: (userId: string, toolCallId: string) => Promise<Claim | undefined>
    record: (userId: string, claim: Claim) => void
  }
  version: string
}
