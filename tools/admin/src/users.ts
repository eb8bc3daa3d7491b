import type { Database } from '@twilight/database/schema'
import { StartError } from '@twilight/service/errors'
import type { Postgres } from '@twilight/service/postgres'
import { randomUUID } from 'node:crypto'

/** The user of this name; made when there is none. A plan that is asked for must be the one it has. */
export async function findOrCreateUser(
  db: Postgres<Database>['db'],
  { name, plan }: { name: string; plan: Plan | undefined },
): Promise<User> {
  const made = await db
    .insertInto('users')
    .values({ id: randomUUID(), name, plan: plan ?? 'free' })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .returning(['id', 'name', 'plan'])
    .executeTakeFirst()
  const user =
    made ??
    (await db
      .selectFrom('users')
      .select(['id', 'name', 'plan'])
      .where('name', '=', name)
      .executeTakeFirstOrThrow())
  if (plan !== undefined && user.plan !== plan) {
    throw new StartError(
      `The user ${name} exists with the plan ${user.plan}: leave --plan out, or choose another name.`,
    )
  }
  return user
}

export type User = { id: string; name: string; plan: Plan }

type Plan = 'free' | 'pro'
