import type { Database } from '@twilight/database/schema'
import { type Kysely, sql } from 'kysely'

/** What one instance says of one key: admitted already, and asked for. */
export type TakeRequest = { keyId: string; spent: number; wanted: number; perMinute: number }
/** What the shared counter answers: how many of the wanted, and when the bucket is full again. */
export type TakeAnswer = { granted: number; fullInMs: number }

/**
 * Books tokens in the shared buckets, many keys in one statement. A bucket is one moment: when it is full
 * again. What was spent is booked whatever the level (down to two buckets of debt), what is wanted only
 * as far as there is any.
 */
export async function takeTokens(
  db: Kysely<Database>,
  requests: readonly TakeRequest[],
): Promise<Map<string, TakeAnswer>> {
  const answers = await book(db, requests)
  const missing = requests.filter((request) => !answers.has(request.keyId))
  if (missing.length === 0) return answers
  // The first use of a key ever.
  const ids = missing.map((request) => request.keyId)
  await sql`
    insert into rate_limits (key_id, full_at)
    select id, now() from unnest(${ids}::uuid[]) as new (id) order by id
    on conflict (key_id) do nothing`.execute(db)
  return new Map([...answers, ...(await book(db, missing))])
}

async function book(
  db: Kysely<Database>,
  requests: readonly TakeRequest[],
): Promise<Map<string, TakeAnswer>> {
  const column = (name: 'spent' | 'wanted' | 'perMinute') => requests.map((one) => one[name])
  const { rows } = await sql<{ key_id: string; granted: number; full_in_ms: number }>`
    with asked as (
      select * from unnest(
        ${requests.map((request) => request.keyId)}::uuid[],
        ${column('spent')}::int[], ${column('wanted')}::int[], ${column('perMinute')}::int[]
      ) as a (key_id, spent, wanted, per_minute)
    ), locked as (
      -- Always in the order of the keys, so that two instances never wait for each other.
      select a.key_id, a.wanted, a.per_minute, interval '60 s' / a.per_minute as step,
             greatest(l.full_at, now()) + a.spent * (interval '60 s' / a.per_minute) as full_at
        from asked a join rate_limits l using (key_id)
       order by a.key_id for no key update of l
    ), decided as (
      -- The thousandth makes up for steps that are not a whole number of microseconds.
      select *, greatest(0, least(wanted, floor(per_minute + 0.001
               - extract(epoch from full_at - now()) * per_minute / 60)))::int as granted
        from locked
    )
    update rate_limits l
       set full_at = least(d.full_at + d.granted * d.step, now() + interval '120 s')
      from decided d where l.key_id = d.key_id
    returning l.key_id, d.granted,
              (extract(epoch from l.full_at - now()) * 1000)::double precision as full_in_ms`.execute(
    db,
  )
  return new Map(
    rows.map((row) => [row.key_id, { granted: row.granted, fullInMs: row.full_in_ms }]),
  )
}
