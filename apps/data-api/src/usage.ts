import type { Caller } from '@twilight/auth/caller'
import { usageByEndpointByDay } from '@twilight/auth/usage-log'
import type { Database } from '@twilight/database/schema'
import { addDays, marketDateAt } from '@twilight/market-sources/market-date'
import { Problem } from '@twilight/service/errors'
import { type Guard, type HttpEnv, type Route, route } from '@twilight/service/route'
import type { Context } from 'hono'
import type { Kysely } from 'kysely'
import { z } from 'zod'

/**
 * `GET /v1/usage`: what the asking key's user has used, what is left of the limit, and until when it is paid.
 *
 *     createHttpApp({ …, routes: usageRoutes({ guard: userKey(), db: postgres.db }) })
 */
export function usageRoutes({ guard, db }: UsageDependencies): Route[] {
  return [
    route(
      'GET',
      '/v1/usage',
      {
        summary: 'Your own usage by endpoint by day, your limit and what is left of it',
        guard,
        query: usageDays,
        answers: ownUsage,
      },
      ({ caller, query }, c) => readOwnUsage(db, { caller, limit: limitOf(c), ...query }),
    ),
  ]
}

export type UsageDependencies = { guard: Guard<Caller>; db: Kysely<Database> }

const usageDays = z.object({
  from: z.iso.date().optional().describe('First day, in Shanghai; default 29 days before the last'),
  to: z.iso.date().optional().describe('Last day, in Shanghai; default today'),
})

const limitSchema = z.object({
  per_minute: z.int().describe('Requests a minute, and as many at once at most'),
  remaining: z.int().describe('Requests left now, as the RateLimit header of this answer says'),
  next_in_seconds: z.int().describe('When there will be one more'),
})

const ownUsage = z.object({
  user_id: z.uuid(),
  key_id: z.uuid(),
  plan: z.string(),
  paid_until: z.iso.datetime().nullable().describe('End of the pass; null: no end'),
  limit: limitSchema,
  from: z.iso.date(),
  to: z.iso.date(),
  usage: z
    .array(
      z.object({
        day: z.iso.date(),
        endpoint: z.string().describe('The path; for MCP the path and the tool'),
        requests: z.int(),
        failed: z.int().describe('Answered with status 400 or above'),
        cached: z.int().describe('Answered from a cache'),
        cost_points: z.int().describe('Spent at the source, in its points'),
        duration_ms: z.int().describe('Of all requests together'),
      }),
    )
    .describe('Of all keys of this user, the newest day first; a request takes a second to appear'),
})

async function readOwnUsage(
  db: Kysely<Database>,
  { caller, limit, ...days }: UsageQuestion,
): Promise<z.input<typeof ownUsage>> {
  const { userId, keyId, plan } = caller
  const to = days.to ?? marketDateAt(new Date())
  const from = days.from ?? addDays(to, -29)
  if (from > to || from < addDays(to, -maxDays)) {
    const detail = `at most ${maxDays} days before to, and not after it`
    throw new Problem('invalid_parameter', {
      detail: `from must be ${detail}.`,
      errors: [{ detail, parameter: 'from', in: 'query' }],
    })
  }
  const [usage, user] = await Promise.all([
    usageByEndpointByDay(db, { userId, fromDay: from, toDay: to }),
    db.selectFrom('users').select('paid_until').where('id', '=', userId).executeTakeFirstOrThrow(),
  ])
  const paid_until = user.paid_until?.toISOString() ?? null
  return { user_id: userId, key_id: keyId, plan, paid_until, limit, from, to, usage }
}

type UsageQuestion = z.output<typeof usageDays> & {
  caller: Caller
  limit: z.output<typeof limitSchema>
}

const maxDays = 366

/** From the headers that the guard has set on this very answer: one counter, one truth. */
function limitOf(c: Context<HttpEnv>): z.output<typeof limitSchema> {
  const header = (name: string) =>
    String(c.env?.outgoing?.getHeader(name) ?? c.res.headers.get(name) ?? '')
  const now = header('ratelimit')
  return {
    per_minute: parameterOf(header('ratelimit-policy'), 'q'),
    remaining: parameterOf(now, 'r'),
    next_in_seconds: parameterOf(now, 't'),
  }
}

function parameterOf(field: string, name: string): number {
  return Number(new RegExp(`;${name}=(\\d+)`).exec(field)?.[1])
}
