import type { Database } from '@twilight/database/schema'
import { Problem } from '@twilight/service/errors'
import type { Kysely } from 'kysely'
import { randomUUID } from 'node:crypto'
import { z } from 'zod'

export const newUser = z.strictObject({
  /** A handle such as alpha-001: it stands in logs and lists, so no phone number and no address. */
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'a handle of a-z, 0-9, dot, dash, underscore'),
  plan: z.enum(['free', 'pro']).optional(),
})

export const user = z
  .object({
    id: z.uuid(),
    name: z.string(),
    plan: z.enum(['free', 'pro']),
    paid_until: z.iso.datetime().nullable(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'User' })

export type User = z.infer<typeof user>

export const userPage = z.object({
  users: z.array(user),
  next: z.string().nullable().describe('give it as after= for the next page; null: that was all'),
})

export const pageOfUsers = z.object({
  after: z.string().max(64).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(50),
})

/**
 * The user of this name, made if there is none. The name is what makes a repeat harmless: of twenty
 * equal requests at once one makes the user and all get it.
 */
export async function createUser(
  db: Kysely<Database>,
  { name, plan }: z.output<typeof newUser>,
): Promise<{ user: User; created: boolean }> {
  const made = await db
    .insertInto('users')
    .values({ id: randomUUID(), name, plan: plan ?? 'free' })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .returning(columns)
    .executeTakeFirst()
  if (made) return { user: describeUser(made), created: true }
  const known = await db
    .selectFrom('users')
    .select(columns)
    .where('name', '=', name)
    .executeTakeFirstOrThrow()
  if (plan !== undefined && known.plan !== plan) {
    throw new Problem('conflict', {
      detail: `The user ${name} exists with the plan ${known.plan}.`,
      extensions: { user_id: known.id },
    })
  }
  return { user: describeUser(known), created: false }
}

export async function findUser(db: Kysely<Database>, userId: string): Promise<User> {
  const row = await db
    .selectFrom('users')
    .select(columns)
    .where('id', '=', userId)
    .executeTakeFirst()
  if (!row) throw new Problem('not_found', { detail: `There is no user ${userId}.` })
  return describeUser(row)
}

/** By name, a page at a time. */
export async function listUsers(
  db: Kysely<Database>,
  { after, limit }: z.output<typeof pageOfUsers>,
): Promise<z.input<typeof userPage>> {
  const rows = await db
    .selectFrom('users')
    .select(columns)
    .$if(after !== undefined, (query) => query.where('name', '>', after ?? ''))
    .orderBy('name')
    .limit(limit + 1)
    .execute()
  const users = rows.slice(0, limit).map(describeUser)
  return { users, next: rows.length > limit ? (users.at(-1)?.name ?? null) : null }
}

const columns = ['id', 'name', 'plan', 'paid_until', 'created_at'] as const

type UserRow = Omit<User, 'paid_until' | 'created_at'> & {
  paid_until: Date | null
  created_at: Date
}

function describeUser({ id, name, plan, paid_until, created_at }: UserRow): User {
  return {
    id,
    name,
    plan,
    paid_until: paid_until?.toISOString() ?? null,
    created_at: created_at.toISOString(),
  }
}
