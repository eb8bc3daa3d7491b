import { claimSchema, type Claim } from '@twilight/cite-envelope/claim'
import { toolCallIdPattern } from '@twilight/cite-envelope/tool-call-id'
import type { Database } from '@twilight/database/schema'
import { Problem } from '@twilight/service/errors'
import type { Logger } from '@twilight/service/log'
import type { Kysely } from 'kysely'
import { hash } from 'node:crypto'
import { z } from 'zod'
import { createClaimRecorder } from './claim-recorder.ts'
import type { PreparedClaim } from './prepared-claim.ts'

export type Claims = AsyncDisposable & {
  /** A prepared claim for one reader: with its id for this user, its age, and what else this answer says. */
  serve<Extra extends object>(prepared: PreparedClaim, userId: string, extra?: Extra): Claim & Extra
  /** Records a claim that was not prepared here, such as a derived one. */
  record(userId: string, claim: Claim): void
  /** What was served to this user under an id; undefined for anybody else's. */
  find(userId: string, toolCallId: string): Promise<Claim | undefined>
}

/**
 * Hands out claims and records what was handed out, off the hot path. The id is the same each time a user
 * gets the same figure, so that a cache hit writes nothing.
 *
 *     await using claims = createClaims({ db: postgres.db, log })
 *     claims.serve(prepared, userId).cite.tool_call_id // 'tc_…'
 */
export function createClaims({ db, log }: { db: Kysely<Database>; log: Logger }): Claims {
  const recorder = createClaimRecorder({ db, log })

  return {
    serve(prepared, userId, extra) {
      const { claim, fetchedMs, print, ids } = prepared
      const known = ids.get(userId)
      const toolCallId =
        known ?? `tc_${hash('sha256', `${userId} ${print}`, 'base64url').slice(0, 32)}`
      const ageSeconds = Math.max(0, Math.floor((Date.now() - fetchedMs) / 1000))
      const served = Object.assign({}, claim, extra, {
        cite: { ...claim.cite, cache_age_seconds: ageSeconds, tool_call_id: toolCallId },
      })
      if (known === undefined && recorder.add({ userId, claim: served })) {
        if (ids.size >= maxReaders) ids.clear()
        ids.set(userId, toolCallId)
      }
      return served
    },
    record(userId, claim) {
      if (!recorder.add({ userId, claim })) {
        log.error({ tool_call_id: claim.cite.tool_call_id }, 'a served claim was not recorded')
      }
    },
    async find(userId, toolCallId) {
      const pending = recorder.pending(toolCallId)
      if (pending) return pending.userId === userId ? pending.claim : undefined
      const row = await db
        .selectFrom('claims')
        .select('claim')
        .where('tool_call_id', '=', toolCallId)
        .where('user_id', '=', userId)
        .executeTakeFirst()
      return row && claimSchema.parse(row.claim)
    },
    [Symbol.asyncDispose]: () => recorder[Symbol.asyncDispose](),
  }
}

/** Of one figure; who comes after them makes the earlier ones be recorded once more, which changes nothing. */
const maxReaders = 1000

export const claimParams = z.object({
  tool_call_id: z.string().regex(toolCallIdPattern, 'is no tool_call_id'),
})

/** The recorded claim, for its owner alone; of another's not even that it exists. */
export async function findClaim(
  claims: Claims,
  userId: string,
  toolCallId: string,
): Promise<Claim> {
  const claim = await claims.find(userId, toolCallId)
  if (claim) return claim
  throw new Problem('not_found', {
    detail: 'No claim was served to you under this id.',
    detailZh: '您名下没有这个编号的数据记录。',
  })
}
