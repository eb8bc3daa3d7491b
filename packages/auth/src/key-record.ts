import type { Database } from '@twilight/database/schema'
import { type Kysely, sql } from 'kysely'
import { type KeyClass, sameHash } from './api-key.ts'

/** A key and its owner as the guard needs them; times in milliseconds since 1970. */
export type KeyRecord = {
  keyId: string
  userId: string
  userName: string
  class: KeyClass
  scopes: readonly string[]
  ratePerMinute: number
  plan: string
  /** end of the pass; undefined: never paid, or admitted by an operator without an end */
  paidUntilMs: number | undefined
  expiresAtMs: number | undefined
  revokedAtMs: number | undefined
}

/** Reads the keys behind these hashes in one statement; hashes nobody has are left out. */
export async function loadKeyRecords(
  db: Kysely<Database>,
  hashes: readonly Buffer[],
): Promise<Map<string, KeyRecord>> {
  const rows = await db
    .selectFrom('api_keys as k')
    .innerJoin('users as u', 'u.id', 'k.user_id')
    .select(['k.id', 'k.user_id', 'k.key_hash', 'k.class', 'k.scopes', 'k.rate_limit_per_min'])
    .select(['k.expires_at', 'k.revoked_at', 'u.name', 'u.plan', 'u.paid_until'])
    .where('k.key_hash', '=', sql<Buffer>`any(${[...hashes]}::bytea[])`)
    .execute()
  const wanted = new Map(hashes.map((hash) => [hash.toString('hex'), hash]))
  const records = new Map<string, KeyRecord>()
  for (const row of rows) {
    const hex = row.key_hash.toString('hex')
    const hash = wanted.get(hex)
    // The index found it by equality; this is the comparison that counts.
    if (!hash || !sameHash(hash, row.key_hash)) continue
    records.set(hex, {
      keyId: row.id,
      userId: row.user_id,
      userName: row.name,
      class: row.class,
      scopes: row.scopes,
      ratePerMinute: row.rate_limit_per_min,
      plan: row.plan,
      paidUntilMs: row.paid_until?.getTime(),
      expiresAtMs: row.expires_at?.getTime(),
      revokedAtMs: row.revoked_at?.getTime(),
    })
  }
  return records
}
