import { usageByEndpointByDay } from '@twilight/auth/usage-log'
import type { Database } from '@twilight/database/schema'
import { Problem } from '@twilight/service/errors'
import type { Kysely } from 'kysely'
import { z } from 'zod'
import { findUser } from './users.ts'

export const usageDays = z.object({
  from: z.iso.date().optional().describe('First day, in Shanghai; default 29 days before the last'),
  to: z.iso.date().optional().describe('Last day, in Shanghai; default today'),
})

export const userUsage = z.object({
  user_id: z.uuid(),
  from: z.iso.date(),
  to: z.iso.date(),
  usage: z.array(
    z.object({
      day: z.iso.date(),
      endpoint: z.string(),
      requests: z.int(),
      failed: z.int().describe('Answered with status 400 or above'),
      cached: z.int().describe('Answered from a cache'),
      cost_points: z.int().describe('Spent at the source, in its points'),
      duration_ms: z.int().describe('Of all requests together'),
    }),
  ),
})

/** What a user asked for, by endpoint by day, the newest day first. */
export async function readUserUsage(
  db: Kysely<Database>,
  userId: string,
  days: z.output<typeof usageDays>,
): Promise<z.input<typeof userUsage>> {
  const to = days.to ?? shanghaiDay(Date.now())
  const from = days.from ?? dayBefore(to, 29)
  if (from > to || from < dayBefore(to, 366)) {
    throw new Problem('invalid_parameter', {
      detail: 'from must not be after to, and not more than 366 days before it.',
      errors: [
        { detail: 'at most 366 days before to, and not after it', parameter: 'from', in: 'query' },
      ],
    })
  }
  await findUser(db, userId)
  const usage = await usageByEndpointByDay(db, { userId, fromDay: from, toDay: to })
  return { user_id: userId, from, to, usage }
}

const dayMs = 86_400_000

/** Shanghai has had one offset and no summer time since 1991. */
function shanghaiDay(ms: number): string {
  return new Date(ms + 8 * 3_600_000).toISOString().slice(0, 10)
}

function dayBefore(day: string, days: number): string {
  return new Date(Date.parse(day) - days * dayMs).toISOString().slice(0, 10)
}
