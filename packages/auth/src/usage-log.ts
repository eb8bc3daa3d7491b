import type { Database } from '@twilight/database/schema'
import { type Kysely, sql } from 'kysely'
import type { UsageRecord } from './usage-event.ts'

/**
 * Writes usage records and adds them to the daily totals: in one statement, once per request id however
 * often they come, by the bus or past it. Returns how many were new.
 *
 *     await recordUsage(postgres.db, records)
 *
 * Left out are records of keys that are not there, and those too old for their twin to be still there.
 */
export async function recordUsage(
  db: Kysely<Database>,
  records: readonly UsageRecord[],
): Promise<number> {
  const { rows } = await sql<{ added: number }>`
    with arrived as (
      select distinct on (request_id) r.*
        from jsonb_to_recordset(${JSON.stringify(records)}::jsonb) as r (
          request_id text, user_id uuid, key_id uuid, endpoint text, method text, status int,
          duration_ms int, cached boolean, cost_points int, at timestamptz)
        join api_keys k on k.id = r.key_id and k.user_id = r.user_id
       where r.at > now() - make_interval(days => ${acceptDays})
         and r.at < now() + interval '1 day'
       order by request_id
    ), added as (
      insert into usage_log (request_id, user_id, key_id, endpoint, method, status, duration_ms, cached, cost_points, at)
      select request_id, user_id, key_id, endpoint, method, status, duration_ms, cached, cost_points, at
        from arrived order by request_id
      on conflict (request_id) do nothing
      returning *
    ), totals as (
      -- Always in the order of the key, so that two writers never wait for each other.
      insert into usage_daily as d (user_id, day, endpoint, requests, failed, cached, cost_points, duration_ms)
      select user_id, to_char(at at time zone 'Asia/Shanghai', 'YYYY-MM-DD') as day, endpoint,
             count(*), count(*) filter (where status >= 400), count(*) filter (where cached),
             sum(cost_points), sum(duration_ms)
        from added group by 1, 2, 3 order by 1, 2, 3
      on conflict (user_id, day, endpoint) do update
        set requests = d.requests + excluded.requests, failed = d.failed + excluded.failed,
            cached = d.cached + excluded.cached, cost_points = d.cost_points + excluded.cost_points,
            duration_ms = d.duration_ms + excluded.duration_ms
    )
    select count(*)::int as added from added`.execute(db)
  return rows[0]?.added ?? 0
}

/**
 * Deletes raw rows older than 35 days, a thousand at a time and a hundred times at most; their totals
 * stay. Records older than 30 days are not accepted any more, so none can count twice.
 */
export async function pruneUsageLog(db: Kysely<Database>): Promise<number> {
  let deleted = 0
  for (let batch = 0; batch < 100; batch += 1) {
    const { numAffectedRows = 0n } = await sql`
      delete from usage_log where request_id in (
        select request_id from usage_log
         where at < now() - make_interval(days => ${keepDays}) limit 1000)`.execute(db)
    deleted += Number(numAffectedRows)
    if (numAffectedRows < 1000n) break
  }
  return deleted
}

/** What one user asked for, by endpoint by day (of Shanghai), the newest day first. */
export async function usageByEndpointByDay(
  db: Kysely<Database>,
  { userId, fromDay, toDay }: UsageQuestion,
): Promise<UsageOfDay[]> {
  const { rows } = await sql<{ [Column in keyof UsageOfDay]: string }>`
    select day, endpoint, requests, failed, cached, cost_points, duration_ms from usage_daily
     where user_id = ${userId} and day between ${fromDay} and ${toDay}
     order by day desc, endpoint limit 10000`.execute(db)
  return rows.map((row) => ({
    day: row.day,
    endpoint: row.endpoint,
    requests: Number(row.requests),
    failed: Number(row.failed),
    cached: Number(row.cached),
    cost_points: Number(row.cost_points),
    duration_ms: Number(row.duration_ms),
  }))
}

/** Days as YYYY-MM-DD, both included. */
export type UsageQuestion = { userId: string; fromDay: string; toDay: string }

export type UsageOfDay = {
  day: string
  endpoint: string
  requests: number
  /** answered with 400 or above */
  failed: number
  /** answered from a cache */
  cached: number
  cost_points: number
  /** of all requests together */
  duration_ms: number
}

const acceptDays = 30
const keepDays = 35
