import type { Database } from '@twilight/database/schema'
import type { QuotaLimit } from '@twilight/market-sources/source'
import { type Kysely, sql } from 'kysely'

export type BookRequest = {
  source: string
  api: string
  limits: { minute: number; day?: number }
  wanted: number
  /** made already, booked whatever the level */
  debt: number
}

export type Booking = {
  granted: number
  /** how long ago the minute began that it is good for, and how long it still lasts, by the database's clock */
  minuteBeganMs: number
  minuteEndsMs: number
  /** with nothing granted: how long until a window ends that is spent */
  blockedMs?: number
}

/** Books calls of one interface in the minute, the hour and the day that have a limit: one statement. */
export async function bookCalls(db: Kysely<Database>, request: BookRequest): Promise<Booking> {
  const booking = await book(db, request)
  if (booking) return booking
  const { source, api, limits } = request
  const periods = ['minute', ...(limits.day === undefined ? [] : ['day'])]
  await sql`
    insert into upstream_budget (source, api, period, window_at)
    select ${source}, ${api}, period, 'epoch' from unnest(${periods}::text[]) as new (period)
    on conflict do nothing`.execute(db)
  const second = await book(db, request)
  if (!second)
    throw new Error(`The budget of ${source} ${api} has no row although one was just made.`)
  return second
}

async function book(
  db: Kysely<Database>,
  { source, api, limits, wanted, debt }: BookRequest,
): Promise<Booking | undefined> {
  const { rows } = await sql<BookedRow>`
    with windows (period, begins, ends, configured) as (values
      ('minute', date_trunc('minute', now()), date_trunc('minute', now()) + interval '1 minute', ${limits.minute}::int),
      ('hour', date_trunc('hour', now()), date_trunc('hour', now()) + interval '1 hour', null),
      ('day', ${shanghaiDay}, ${shanghaiDay} + interval '1 day', ${limits.day ?? null}::int)
    ), locked as (
      -- Always in the same order, so that two instances never wait for each other.
      select b.period, greatest(b.window_at, w.begins) as begins,
             w.ends + greatest(b.window_at - w.begins, interval '0') as ends,
             case when b.window_at >= w.begins then b.spent else 0 end + ${debt}::int as spent,
             case when b.learned_at > now() - interval '1 day' then b.learned_limit else w.configured end as calls
        from upstream_budget b join windows w using (period)
       where b.source = ${source} and b.api = ${api}
       order by b.period for no key update of b
    ), decided as (
      -- Small limits are booked call by call: what is booked and not made is lost.
      select *, greatest(0, least(${wanted}::int, min(calls - spent) over (),
                                  greatest(1, min(calls) over () / 50)))::int as granted
        from locked
    )
    update upstream_budget b
       set window_at = d.begins, spent = d.spent + d.granted
      from decided d where b.source = ${source} and b.api = ${api} and b.period = d.period
    returning d.period, d.granted, coalesce(d.spent + d.granted >= d.calls, false) as is_spent,
              (extract(epoch from clock_timestamp() - d.begins) * 1000)::double precision as began_ms,
              (extract(epoch from d.ends - clock_timestamp()) * 1000)::double precision as ends_ms`.execute(
    db,
  )
  const minute = rows.find(({ period }) => period === 'minute')
  if (!minute) return undefined
  const spentFor = rows.filter((row) => row.is_spent).map((row) => row.ends_ms)
  return {
    granted: minute.granted,
    minuteBeganMs: minute.began_ms,
    minuteEndsMs: minute.ends_ms,
    ...(minute.granted === 0 && { blockedMs: Math.max(0, ...spentFor) }),
  }
}

type BookedRow = {
  period: string
  granted: number
  is_spent: boolean
  began_ms: number
  ends_ms: number
}

/** Stores the limit the upstream named; the window it refused in counts as spent for everybody. */
export async function learnLimit(
  db: Kysely<Database>,
  { source, api, limit }: { source: string; api: string; limit: QuotaLimit },
): Promise<void> {
  const { calls, per } = limit
  const begins = per === 'day' ? shanghaiDay : sql<Date>`date_trunc(${sql.lit(per)}, now())`
  await sql`
    insert into upstream_budget as b (source, api, period, window_at, spent, learned_limit, learned_at)
    values (${source}, ${api}, ${per}, ${begins}, ${calls}, ${calls}, now())
    on conflict (source, api, period) do update
      set window_at = greatest(b.window_at, excluded.window_at),
          spent = case when b.window_at > excluded.window_at then b.spent
                       when b.window_at = excluded.window_at then greatest(b.spent, excluded.spent)
                       else excluded.spent end,
          learned_limit = excluded.learned_limit, learned_at = excluded.learned_at`.execute(db)
}

const shanghaiDay = sql<Date>`date_trunc('day', now() at time zone 'Asia/Shanghai') at time zone 'Asia/Shanghai'`
