import { keyRevoked } from '@twilight/contracts/events'
import type { Database } from '@twilight/database/schema'
import { Problem } from '@twilight/service/errors'
import type { Bus } from '@twilight/service/nats'
import { type Kysely, sql } from 'kysely'
import { randomUUID } from 'node:crypto'
import { type KeyClass, generateApiKey } from './api-key.ts'

/**
 * Makes a key for a user. The answer holds the only copy of its text there will ever be: show it once.
 *
 *     const { key } = await issueKey(trx, { userId, keyClass: 'user', scopes: ['data:read'] })
 *
 * Run it in the transaction of whatever else must happen with it.
 */
export async function issueKey(db: Kysely<Database>, order: KeyOrder): Promise<IssuedKey> {
  const { userId, keyClass, scopes, name = '', ratePerMinute = 60, expiresAt = null } = order
  const { text, sha256, prefix, last4 } = generateApiKey(keyClass)
  const id = randomUUID()
  const { rows } = await sql`
    insert into api_keys (id, user_id, key_hash, prefix, class, name, scopes, rate_limit_per_min, expires_at)
    select ${id}::uuid, u.id, ${sha256}::bytea, ${prefix}::text, ${keyClass}::text, ${name}::text,
           ${[...scopes]}::text[], ${ratePerMinute}::int, ${expiresAt}::timestamptz
      from users u where u.id = ${userId}
    returning id`.execute(db)
  if (rows.length === 0) throw new Problem('not_found', { detail: `There is no user ${userId}.` })
  return { keyId: id, key: text, prefix, last4 }
}

export type KeyOrder = {
  userId: string
  keyClass: KeyClass
  /** what it may do; an empty list opens only what asks for no scope */
  scopes: readonly string[]
  /** what its owner calls it, at most 64 characters */
  name?: string
  /** default 60 */
  ratePerMinute?: number
  /** default: never */
  expiresAt?: Date | null
}

export type IssuedKey = { keyId: string; key: string; prefix: string; last4: string }

/**
 * Revokes a key for ever. The database has it first; then every instance is told, and one that was not
 * reached finds out by itself within 30 s. Doing it twice is harmless and tells them again.
 */
export async function revokeKey(
  { db, bus }: { db: Kysely<Database>; bus: Bus },
  keyId: string,
): Promise<{ revokedAt: Date }> {
  const { rows } = await sql<{ revoked_at: Date; revoked_sha256: string }>`
    update api_keys set revoked_at = coalesce(revoked_at, now()) where id = ${keyId}
    returning revoked_at, revoked_sha256`.execute(db)
  const [row] = rows
  if (!row) throw new Problem('not_found', { detail: `There is no key ${keyId}.` })
  bus.publish(keyRevoked, {
    key_sha256: row.revoked_sha256,
    revoked_at: row.revoked_at.toISOString(),
  })
  return { revokedAt: row.revoked_at }
}

/** Keys, newest first, at most a thousand: of one user, or of all. Nothing in it opens anything. */
export async function listKeys(
  db: Kysely<Database>,
  { userId }: { userId?: string } = {},
): Promise<ListedKey[]> {
  return await db
    .selectFrom('api_keys as k')
    .innerJoin('users as u', 'u.id', 'k.user_id')
    .select([
      'k.id',
      'k.user_id',
      'u.name as user_name',
      'k.prefix',
      'k.class',
      'k.name',
      'k.scopes',
    ])
    .select([
      'k.rate_limit_per_min',
      'k.created_at',
      'k.last_used_at',
      'k.expires_at',
      'k.revoked_at',
    ])
    .$if(userId !== undefined, (query) => query.where('k.user_id', '=', userId ?? ''))
    .orderBy('k.created_at', 'desc')
    .limit(1000)
    .execute()
}

export type ListedKey = {
  id: string
  user_id: string
  user_name: string
  prefix: string
  class: KeyClass
  name: string
  scopes: string[]
  rate_limit_per_min: number
  created_at: Date
  last_used_at: Date | null
  expires_at: Date | null
  revoked_at: Date | null
}
