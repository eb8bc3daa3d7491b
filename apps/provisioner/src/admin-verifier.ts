import { classOfApiKey, hashApiKey, sameHash } from '@twilight/auth/api-key'
import { challenge, type KeyVerifier } from '@twilight/auth/verify-key'
import type { Database } from '@twilight/database/schema'
import { Problem } from '@twilight/service/errors'
import type { Kysely } from 'kysely'

/**
 * Says whose admin key a text is, by the database each time: operators ask rarely, and a key they revoke
 * is dead with its row. This role may read the hashes of admin keys and of no other, so a user key is
 * refused for its class, whether it exists or not.
 *
 *     const { adminKey } = createGuards({ verifier: createAdminVerifier({ db }), limiter, lastUsed })
 */
export function createAdminVerifier({ db }: { db: Kysely<Database> }): KeyVerifier {
  return {
    async verify(text) {
      const keyClass = classOfApiKey(text)
      if (keyClass === undefined) throw invalidToken()
      if (keyClass === 'user') {
        throw new Problem('forbidden', { detail: 'This needs an admin key.' })
      }
      const hash = hashApiKey(text)
      const row = await findKey(db, hash)
      if (!row) throw invalidToken()
      if (row.revoked_at) {
        throw new Problem('key_revoked', { detail: 'This key was revoked. Use another one.' })
      }
      if (row.expires_at && row.expires_at.getTime() <= Date.now()) {
        throw invalidToken('This key has expired. Issue a new one.')
      }
      return {
        keyId: row.id,
        userId: row.user_id,
        userName: row.user_name,
        class: keyClass,
        scopes: row.scopes,
        ratePerMinute: row.rate_limit_per_min,
        plan: row.plan,
        paidUntilMs: row.paid_until?.getTime(),
        expiresAtMs: row.expires_at?.getTime(),
        revokedAtMs: undefined,
      }
    },
    // Nothing is remembered, so there is nothing to forget.
    revoke: () => undefined,
    forgetAll: () => undefined,
    size: () => ({ found: 0, unknown: 0, revoked: 0 }),
  }
}

async function findKey(db: Kysely<Database>, hash: Buffer) {
  const hex = hash.toString('hex')
  try {
    const row = await db
      .selectFrom('api_keys as k')
      .innerJoin('users as u', 'u.id', 'k.user_id')
      .select(['k.id', 'k.user_id', 'k.admin_sha256', 'k.scopes', 'k.rate_limit_per_min'])
      .select(['k.expires_at', 'k.revoked_at', 'u.name as user_name', 'u.plan', 'u.paid_until'])
      .where('k.admin_sha256', '=', hex)
      .executeTakeFirst()
    // The index found it by equality; this is the comparison that counts.
    return row && sameHash(Buffer.from(row.admin_sha256 ?? '', 'hex'), hash) ? row : undefined
  } catch (cause) {
    throw new Problem('service_unavailable', {
      detail: 'The key cannot be checked at the moment. Try again.',
      retryAfterSeconds: 2,
      cause,
    })
  }
}

function invalidToken(
  detail = 'This key is not one of ours. Check that it was copied whole.',
): Problem {
  return new Problem('invalid_token', { detail, headers: challenge('invalid_token') })
}
