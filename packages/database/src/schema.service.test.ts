import { type Kysely, sql } from 'kysely'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dumpSchema } from './dump-schema.ts'
import { generateTypes } from './generate-types.ts'
import { type OpenDatabase, openDatabase } from './open-database.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'

let database: TestDatabase
let session: OpenDatabase<unknown>
let db: Kysely<unknown>

beforeAll(async () => {
  database = await createTestDatabase({ durable: false })
  session = openDatabase({ connectionString: database.url })
  db = session.db
})

afterAll(async () => {
  await session[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

// When one of these two fails: pnpm --filter @twilight/database dump, then read the difference.
test('schema.sql is what the migrations make', async () => {
  const file = await readFile(new URL('../schema.sql', import.meta.url), 'utf8')
  expect(await dumpSchema(db)).toBe(file)
})

test('schema.ts holds the types of what the migrations make', async () => {
  const file = await readFile(new URL('schema.ts', import.meta.url), 'utf8')
  expect(await generateTypes(db)).toBe(file)
})

test('every table says what it is for', async () => {
  expect(
    await names(sql`
      select relname as name from pg_class
       where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm')
         and obj_description(oid) is null`),
  ).toEqual([])
})

test('every time has a zone, and no column holds a float or a money type', async () => {
  expect(
    await names(sql`
      select table_name || '.' || column_name || ' ' || data_type as name
        from information_schema.columns
       where table_schema in ('public', 'migration')
         and data_type in ('timestamp without time zone', 'time without time zone', 'real', 'double precision', 'numeric', 'money')`),
  ).toEqual([])
})

test('every amount is a whole number of fen', async () => {
  expect(
    await names(sql`
      select table_name || '.' || column_name as name from information_schema.columns
       where table_schema = 'public' and data_type <> 'bigint'
         and (column_name like '%\_fen' or column_name like '%amount%' or column_name like '%price%')`),
  ).toEqual([])
})

test('every foreign key can be followed backwards by an index of the whole table', async () => {
  expect(
    await names(sql`
      select k.conname as name from pg_constraint k
       where k.contype = 'f' and not exists (
         select from pg_index i
          where i.indrelid = k.conrelid and i.indpred is null and i.indisvalid
            and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)`),
  ).toEqual([])
})

test('every table has a primary key', async () => {
  expect(
    await names(sql`
      select relname as name from pg_class
       where relnamespace = 'public'::regnamespace and relkind = 'r'
         and not exists (select from pg_constraint where conrelid = pg_class.oid and contype = 'p')`),
  ).toEqual([])
})

test("a function that runs with its owner's rights pins where it looks for names", async () => {
  expect(
    await names(sql`
      select proname as name from pg_proc
       where pronamespace = 'public'::regnamespace and prosecdef
         and not coalesce(proconfig::text like '%search_path=pg_catalog, pg_temp%', false)`),
  ).toEqual([])
})

test('a key hash that is not 32 bytes, a payment without proof and a second live profile are refused', async () => {
  const user = '00000000-0000-7000-8000-000000000001'
  await sql`insert into users (id, name) values (${user}, 'alpha-001')`.execute(db)
  await expect(
    sql`insert into api_keys (id, user_id, key_hash, prefix) values (${user}, ${user}, 'td_the_key_itself', 'td_')`.execute(
      db,
    ),
  ).rejects.toThrow('api_keys_key_hash_check')
  await expect(
    sql`insert into payments (id, processor, out_trade_no, amount_fen, status) values (${user}, 'wechat', 'T1', 19800, 'paid')`.execute(
      db,
    ),
  ).rejects.toThrow('payments_paid_has_proof')
  const profile = (name: string) =>
    sql`insert into hermes_profiles (id, user_id, profile_name) values (gen_random_uuid(), ${user}, ${name})`.execute(
      db,
    )
  await profile('alpha-001')
  await expect(profile('alpha-001-again')).rejects.toThrow('hermes_profiles_one_per_user')
})

// Last two: they add a table.
test('a long list of allowed words is laid out as the formatter would', async () => {
  const words = [
    'created',
    'awaiting_payment',
    'failed_create',
    'settled',
    'part_refunded',
    'refunded',
    'disputed',
  ]
  const list = sql.join(words.map((word) => sql.lit(word)))
  await sql`create table tryout (state text not null check (state in (${list})))`.execute(db)
  expect(await generateTypes(db)).toContain(
    `export type TryoutState =\n${words.map((word) => `  | '${word}'\n`).join('')}`,
  )
})

test('a column type nobody has decided on is refused in words', async () => {
  await sql`create table undecided (area point)`.execute(db)
  await expect(generateTypes(db)).rejects.toThrow(
    /undecided\.area is a point: say in generate-types\.ts/,
  )
})

async function names(query: ReturnType<typeof sql<{ name: string }>>): Promise<string[]> {
  return (await query.execute(db)).rows.map((row) => row.name)
}
