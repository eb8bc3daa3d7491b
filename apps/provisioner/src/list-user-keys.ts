import { listKeys } from '@twilight/auth/issue-key'
import type { Database } from '@twilight/database/schema'
import type { Kysely } from 'kysely'
import { z } from 'zod'
import { findUser } from './users.ts'

const moment = z.iso.datetime().nullable()

export const userKeys = z.object({
  keys: z.array(
    z.object({
      id: z.uuid(),
      prefix: z.string().describe('Its first characters, to tell it from others'),
      class: z.enum(['user', 'admin']),
      name: z.string(),
      scopes: z.array(z.string()),
      rate_limit_per_min: z.int(),
      created_at: z.iso.datetime(),
      last_used_at: moment,
      expires_at: moment,
      revoked_at: moment,
    }),
  ),
})

/** The keys of a user, the newest first; nothing in the answer opens anything. */
export async function listUserKeys(
  db: Kysely<Database>,
  userId: string,
): Promise<z.input<typeof userKeys>> {
  await findUser(db, userId)
  const rows = await listKeys(db, { userId })
  return {
    keys: rows.map((row) => ({
      id: row.id,
      prefix: row.prefix,
      class: row.class,
      name: row.name,
      scopes: row.scopes,
      rate_limit_per_min: row.rate_limit_per_min,
      created_at: row.created_at.toISOString(),
      last_used_at: row.last_used_at?.toISOString() ?? null,
      expires_at: row.expires_at?.toISOString() ?? null,
      revoked_at: row.revoked_at?.toISOString() ?? null,
    })),
  }
}
