import { type Kysely, sql } from 'kysely'
import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OpenDatabase, openDatabase } from './open-database.ts'
import { grants, type Role, roles, sessionSettings, type TableGrants } from './roles.ts'
import type { Database } from './schema.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'

let database: TestDatabase
let root: OpenDatabase<Database>
const sessions = new Map<Role, OpenDatabase<Database>>()
const user = { id: randomUUID(), name: 'alpha-001', plan: 'pro' as const }
const key = { id: randomUUID(), user_id: user.id, key_hash: randomBytes(32), prefix: 'td_ab12' }
const payment = {
  id: randomUUID(),
  user_id: user.id,
  processor: 'wechat',
  amount_fen: 19_800,
} as const

beforeAll(async () => {
  database = await createTestDatabase({ durable: false })
  root = openDatabase<Database>({ connectionString: database.url })
  for (const role of roles) {
    sessions.set(role, openDatabase<Database>({ connectionString: database.urlFor(role) }))
  }
  await root.db.insertInto('users').values(user).execute()
  await root.db.insertInto('api_keys').values(key).execute()
  await root.db
    .insertInto('payments')
    .values({ ...payment, out_trade_no: 'T1' })
    .execute()
})

afterAll(async () => {
  for (const session of [...sessions.values(), root]) await session[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const denied = /permission denied for/

test('payments cannot read key hashes, nor anything else about keys', async () => {
  await expect(as('payments').selectFrom('api_keys').select('key_hash').execute()).rejects.toThrow(
    denied,
  )
  await expect(as('payments').selectFrom('api_keys').select('id').execute()).rejects.toThrow(denied)
})

test('data_api cannot write money', async () => {
  const more = { ...payment, id: randomUUID(), out_trade_no: 'T2' }
  const paidUntil = new Date('2030-01-01')
  const db = as('data_api')
  await expect(db.insertInto('payments').values(more).execute()).rejects.toThrow(denied)
  await expect(db.updateTable('payments').set({ status: 'paid' }).execute()).rejects.toThrow(denied)
  await expect(db.deleteFrom('payments').execute()).rejects.toThrow(denied)
  await expect(db.updateTable('users').set({ paid_until: paidUntil }).execute()).rejects.toThrow(
    denied,
  )
  await expect(db.updateTable('users').set({ plan: 'pro' }).execute()).rejects.toThrow(denied)
})

test('data_api finds a key by its hash, sees what is paid for and meters the request', async () => {
  const found = await as('data_api')
    .selectFrom('api_keys')
    .innerJoin('users', 'users.id', 'api_keys.user_id')
    .select(['api_keys.id', 'plan', 'paid_until', 'revoked_at', 'rate_limit_per_min'])
    .where('key_hash', '=', key.key_hash)
    .executeTakeFirst()
  expect(found).toEqual({
    id: key.id,
    plan: 'pro',
    paid_until: null,
    revoked_at: null,
    rate_limit_per_min: 60,
  })
  await as('data_api').updateTable('api_keys').set({ last_used_at: new Date() }).execute()
  await as('data_api')
    .insertInto('usage_log')
    .values({
      request_id: randomUUID(),
      user_id: user.id,
      key_id: key.id,
      endpoint: '/price',
      method: 'GET',
      status: 200,
      duration_ms: 3,
    })
    .execute()
  await expect(
    as('data_api').updateTable('api_keys').set({ revoked_at: null }).execute(),
  ).rejects.toThrow(denied)
})

test('provisioner writes key hashes and cannot read one back', async () => {
  const second = { ...key, id: randomUUID(), key_hash: randomBytes(32) }
  await as('provisioner').insertInto('api_keys').values(second).execute()
  const keys = as('provisioner').selectFrom('api_keys')
  await expect(keys.select('id').where('id', '=', second.id).execute()).resolves.toHaveLength(1)
  await expect(keys.select('key_hash').execute()).rejects.toThrow(denied)
  await expect(keys.select('id').where('key_hash', '=', second.key_hash).execute()).rejects.toThrow(
    denied,
  )
})

test('provisioner makes a user but cannot say until when it has paid', async () => {
  const made = { id: randomUUID(), name: 'alpha-002' }
  await as('provisioner').insertInto('users').values(made).execute()
  const paid = { id: randomUUID(), name: 'alpha-003', paid_until: new Date('2030-01-01') }
  await expect(as('provisioner').insertInto('users').values(paid).execute()).rejects.toThrow(denied)
})

test('payments books money and moves paid_until, and deletes nothing', async () => {
  const db = as('payments')
  const more = { ...payment, id: randomUUID(), out_trade_no: 'T3' }
  await db.insertInto('payments').values(more).execute()
  await db
    .updateTable('users')
    .set({ paid_until: new Date('2030-01-01') })
    .execute()
  await expect(db.deleteFrom('payments').execute()).rejects.toThrow(denied)
  await expect(db.deleteFrom('users').execute()).rejects.toThrow(denied)
})

test.each(roles)(
  '%s may do exactly what roles.ts says, table by table, column by column',
  async (role) => {
    expect(await readGrants(role)).toEqual(expectedGrants(role, await readColumnNames()))
  },
)

test.each(roles)('%s cannot change the schema', async (role) => {
  const attempts = [
    sql`create table public.mine ()`,
    sql`create temporary table mine ()`,
    sql`create schema mine`,
    sql`create function public.mine() returns int language sql as 'select 1'`,
    sql`alter table public.users add column mine int`,
    sql`drop table public.outbox`,
    sql`truncate public.outbox`,
    sql`alter table public.outbox disable row level security`,
    sql`update migration.applied set name = '0000-mine'`,
    sql`create role mine`,
  ]
  for (const attempt of attempts) {
    await expect(attempt.execute(as(role))).rejects.toThrow(/permission denied|must be owner/)
  }
})

test('what everybody may do (PUBLIC) in the house is nothing', async () => {
  const { rows } = await sql`
    select c.relname as what from pg_class c, aclexplode(c.relacl) a
     where a.grantee = 0 and c.relnamespace in ('public'::regnamespace, 'migration'::regnamespace)
    union all
    select p.proname from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
     where a.grantee = 0 and p.pronamespace = 'public'::regnamespace
    union all
    select n.nspname from pg_namespace n, aclexplode(n.nspacl) a
     where a.grantee = 0 and n.nspname in ('public', 'migration')
    union all
    select d.datname from pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
     where a.grantee = 0 and d.datname = current_database()`.execute(root.db)
  expect(rows).toEqual([])
})

test('a role sees and touches only its own rows of outbox, inbox and outbox_streams', async () => {
  for (const role of ['payments', 'provisioner'] as const) {
    const db = as(role)
    const event = { id: randomUUID(), aggregate: `${role}:1`, subject: 'a.b', payload: {} }
    await db.insertInto('outbox').values(event).execute()
    await db
      .insertInto('inbox')
      .values({ consumer: `${role}-x`, event_id: event.id })
      .execute()
    const stream = { stream: `${role}:EVENTS`, created: new Date(), last_seq: 1 }
    await db.insertInto('outbox_streams').values(stream).execute()
  }
  for (const role of ['payments', 'provisioner'] as const) {
    const db = as(role)
    await expect(db.selectFrom('outbox').select('producer').execute()).resolves.toEqual([
      { producer: role },
    ])
    await expect(db.selectFrom('inbox').select('owner').execute()).resolves.toEqual([
      { owner: role },
    ])
    await expect(db.selectFrom('outbox_streams').select('producer').execute()).resolves.toEqual([
      { producer: role },
    ])
  }
  const { numUpdatedRows } = await as('payments')
    .updateTable('outbox')
    .set({ sent_at: new Date() })
    .executeTakeFirst()
  expect(numUpdatedRows).toBe(1n)
  const forged = {
    id: randomUUID(),
    aggregate: 'x:1',
    subject: 'a.b',
    payload: {},
    producer: 'provisioner',
  }
  await expect(as('payments').insertInto('outbox').values(forged).execute()).rejects.toThrow(
    /row-level security/,
  )
})

test.each(roles)('%s logs in to sessions that the server bounds', async (role) => {
  const { rows } = await sql`
    select current_setting('statement_timeout') as statement_timeout,
           current_setting('lock_timeout') as lock_timeout,
           current_setting('idle_in_transaction_session_timeout') as idle_in_transaction_session_timeout`.execute(
    as(role),
  )
  expect(rows).toEqual([sessionSettings[role]])
})

function as(role: Role): Kysely<Database> {
  const session = sessions.get(role)
  if (!session) throw new Error(`No session of ${role}.`)
  return session.db
}

async function readColumnNames(): Promise<Map<string, string[]>> {
  const { rows } = await sql<{ table: string; name: string }>`
    select c.relname as "table", a.attname as name
      from pg_attribute a join pg_class c on c.oid = a.attrelid
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0`.execute(
    root.db,
  )
  const grouped = Map.groupBy(rows, (row) => row.table)
  return new Map([...grouped].map(([table, columns]) => [table, columns.map(({ name }) => name)]))
}

/** Lines such as "update users.plan" and "delete outbox", as Postgres itself answers. */
async function readGrants(role: Role): Promise<string[]> {
  const { rows } = await sql<{ line: string }>`
    select p || ' ' || c.relname || '.' || a.attname as line
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
     cross join unnest(array['select', 'insert', 'update', 'references']) as p
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
       and has_column_privilege(${role}, c.oid, a.attnum, p)
    union all
    select p || ' ' || c.relname
      from pg_class c cross join unnest(array['delete', 'truncate', 'trigger']) as p
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
       and has_table_privilege(${role}, c.oid, p)
    union all
    select p || ' ' || s.relname
      from pg_class s cross join unnest(array['usage', 'select', 'update']) as p
     where s.relkind = 'S' and s.relnamespace = 'public'::regnamespace
       and has_sequence_privilege(${role}, s.oid, p)
    union all
    select 'execute ' || f.proname from pg_proc f
     where f.pronamespace = 'public'::regnamespace and has_function_privilege(${role}, f.oid, 'execute')`.execute(
    root.db,
  )
  return rows.map((row) => row.line).toSorted()
}

function expectedGrants(role: Role, columnNames: Map<string, string[]>): string[] {
  const tables: [string, TableGrants][] = Object.entries(grants[role])
  const lines: string[] = []
  for (const [table, { delete: mayDelete, ...byColumn }] of tables) {
    if (mayDelete) lines.push(`delete ${table}`)
    for (const [privilege, named] of Object.entries(byColumn)) {
      const columns = named === 'all' ? (columnNames.get(table) ?? []) : named
      for (const column of columns) lines.push(`${privilege} ${table}.${column}`)
    }
  }
  return lines.toSorted()
}
