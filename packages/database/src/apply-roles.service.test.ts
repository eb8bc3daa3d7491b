import { sql } from 'kysely'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dumpSchema } from './dump-schema.ts'
import { migrate } from './migrate.ts'
import { type OpenDatabase, openDatabase } from './open-database.ts'
import type { Role } from './roles.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'

let database: TestDatabase
let root: OpenDatabase<unknown>

beforeAll(async () => {
  database = await createTestDatabase({ durable: false })
  root = openDatabase({ connectionString: database.url })
})

afterAll(async () => {
  await root[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

test('what was granted by hand is taken away by the next migrate, what was taken is given back', async () => {
  const before = await dumpSchema(root.db)
  await sql`grant select (key_hash), delete on api_keys to payments`.execute(root.db)
  await sql`grant select on users to public`.execute(root.db)
  await sql`revoke all on usage_log from data_api`.execute(root.db)
  await sql`grant create on schema public to landing`.execute(root.db)
  await sql.raw(`alter role payments in database postgres set lock_timeout = 0`).execute(root.db)
  await migrate({ url: database.url })
  expect(await dumpSchema(root.db)).toBe(before)
  await using landing = openDatabase({ connectionString: database.urlFor('landing') })
  await expect(sql`create table public.mine ()`.execute(landing.db)).rejects.toThrow(
    'permission denied for schema public',
  )
})

test('a role is refused when it is more than a login', async () => {
  await sql`alter role landing createdb`.execute(root.db)
  await sql`grant pg_read_all_data to landing`.execute(root.db)
  await expect(migrate({ url: database.url })).rejects.toThrow(
    /The role landing exists and is more than a plain login \(createdb, member of pg_read_all_data\)/,
  )
  await sql`alter role landing nocreatedb`.execute(root.db)
  await sql`revoke pg_read_all_data from landing`.execute(root.db)
  await expect(migrate({ url: database.url })).resolves.toHaveProperty('applied', [])
})

test('a login that may not create roles is told so', async () => {
  const url = new URL(database.url)
  await sql`create role weak login password 'weak'`.execute(root.db)
  await sql`create database weak owner weak`.execute(root.db)
  Object.assign(url, { username: 'weak', password: 'weak', pathname: '/weak' })
  await expect(migrate({ url: url.href })).rejects.toThrow(
    /not applied \(permission denied.*\): migrate with a login that owns the tables and may create roles/,
  )
})

test('a role without a password cannot log in, with one it can, and keeps it when none is named', async () => {
  const odd = String.raw`';"$1\--%s`
  await sql`alter role ingest password null`.execute(root.db)
  await migrate({ url: database.url })
  await expect(logIn('ingest', odd)).rejects.toThrow(/password authentication failed/)
  await migrate({ url: database.url, rolePasswords: { ingest: odd } })
  await expect(logIn('ingest', odd)).resolves.toBe('ingest')
  await migrate({ url: database.url })
  await expect(logIn('ingest', odd)).resolves.toBe('ingest')
  await expect(logIn('ingest', 'another')).rejects.toThrow(/password authentication failed/)
})

test('a password reaches neither a server log that records every statement nor an error', async () => {
  await sql`alter system set log_statement = 'all'`.execute(root.db)
  await sql`select pg_reload_conf()`.execute(root.db)
  const password = `secret-${randomUUID()}`
  await migrate({ url: database.url, rolePasswords: { ingest: password } })
  const log = await readFile(join(database.postgres.dataDir, 'server.log'), 'utf8')
  expect(log).toContain('alter role "ingest" password')
  expect(log).not.toContain(password)
  const error = await migrate({
    url: database.url,
    rolePasswords: { ingest: '口令 with a blank' },
  }).catch((cause: unknown) => cause)
  expect(String(error)).toBe('Error: The password given for the role ingest cannot be used.')
})

async function logIn(role: Role, password: string): Promise<string | undefined> {
  const url = Object.assign(new URL(database.url), { username: role })
  await using session = openDatabase({
    host: url.hostname,
    port: Number(url.port),
    database: 'postgres',
    user: role,
    password,
  })
  const { rows } = await sql<{ who: string }>`select current_user as who`.execute(session.db)
  return rows[0]?.who
}
