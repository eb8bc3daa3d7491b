import { type PostgresServer, startPostgresServer } from '@twilight/stack/postgres-server'
import { sql } from 'kysely'
import { randomUUID } from 'node:crypto'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { migrate } from './migrate.ts'
import { migrationsFolder, readMigrationFiles } from './migration-files.ts'
import { openDatabase } from './open-database.ts'
import { roles } from './roles.ts'
import { assertSchemaAtLeast, schemaVersion } from './schema-version.ts'

let server: PostgresServer
let released: number
const folders: string[] = []

beforeAll(async () => {
  const dataDir = join(tmpdir(), `migrate-test-${randomUUID()}`)
  server = await startPostgresServer({ dataDir, temporary: true })
  released = (await readMigrationFiles(migrationsFolder)).length
})

afterAll(async () => {
  await server.stop()
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true })))
})

// First, while the cluster has none of the roles yet.
test('two databases of one cluster, migrated at once, both get the roles of the cluster', async () => {
  const urls = await Promise.all([1, 2, 3, 4].map(() => createDatabase()))
  const results = await Promise.all(urls.map((url) => migrate({ url })))
  const names = (await readMigrationFiles(migrationsFolder)).map((file) => file.name)
  expect(results.map((result) => result.applied)).toEqual(urls.map(() => names))
  await using root = openDatabase({ connectionString: server.url })
  const { rows } = await sql<{ name: string }>`
    select rolname as name from pg_roles where rolname <> 'twilight' and rolname not like 'pg\\_%'`.execute(
    root.db,
  )
  expect(rows.map((row) => row.name).toSorted()).toEqual(roles.toSorted())
})

test('a second run finds nothing to do', async () => {
  const url = await createDatabase()
  const { applied, version } = await migrate({ url })
  expect(applied).toHaveLength(version)
  await expect(migrate({ url })).resolves.toEqual({ applied: [], version })
})

test('a database whose name needs quoting is migrated like any other', async () => {
  const url = await createDatabase(`it's "odd" -- drop table users`)
  await expect(migrate({ url })).resolves.toHaveProperty('applied.0', '0001-users-keys-payments')
})

test('of several migrators at once one works, the others wait, and all end well', async () => {
  const url = await createDatabase()
  const folder = await writeMigrations({ [named(1, 'gated')]: waitAtGate })
  const logs: string[] = []
  const openGate = await closeGate(url)
  const run = () => migrate({ url, folder, log: (line) => logs.push(line) })
  const running = Promise.all([run(), run(), run()])
  const countWaiting = () => logs.filter((line) => line.includes('waiting for it')).length
  await expect.poll(countWaiting, { timeout: 10_000 }).toBe(2)
  await openGate()
  const workers = (await running).filter((result) => result.applied.includes(named(1, 'gated')))
  expect(workers).toHaveLength(1)
})

test('waiting for another migrator ends with a sentence that says where to look', async () => {
  const url = await createDatabase()
  const folder = await writeMigrations({ [named(1, 'gated')]: waitAtGate })
  const openGate = await closeGate(url)
  const first = migrate({ url, folder })
  await findWaiting(url)
  await expect(migrate({ url, folder, waitMs: 200 })).rejects.toThrow(
    /still runs after 200 ms: .*pg_stat_activity/,
  )
  await openGate()
  await expect(first).resolves.toHaveProperty('version', released + 1)
})

test('a migrator that is cut off in the middle leaves nothing half done, and the next one finishes', async () => {
  const url = await createDatabase()
  const folder = await writeMigrations({
    [named(1, 'gated')]: `create table half (); ${waitAtGate}`,
  })
  const openGate = await closeGate(url)
  const first = migrate({ url, folder })
  const failure = first.catch((cause: unknown) => cause)
  process.kill(await findWaiting(url), 'SIGTERM')
  expect(String(await failure)).toMatch(/gated failed: .*Nothing of this file was kept/)
  await openGate()
  await expect(migrate({ url, folder })).resolves.toHaveProperty('applied', [named(1, 'gated')])
})

test('a migration that cannot have its lock makes way and gets it later', async () => {
  const url = await createDatabase()
  const one = { [named(1, 'table')]: 'create table busy (id int);' }
  await migrate({ url, folder: await writeMigrations(one) })
  const folder = await writeMigrations({
    ...one,
    [named(2, 'column')]: 'alter table busy add column b int;',
  })

  await using reader = openDatabase({ connectionString: url })
  await sql`begin`.execute(reader.db)
  await sql`select * from busy`.execute(reader.db)
  const madeWay = Promise.withResolvers<string>()
  const migrating = migrate({
    url,
    folder,
    log: (line) => line.includes('made way') && madeWay.resolve(line),
  })
  await madeWay.promise
  await sql`commit`.execute(reader.db)
  await expect(migrating).resolves.toEqual({ applied: [named(2, 'column')], version: released + 2 })
})

test('of a migration that fails nothing is kept, and what came before it is', async () => {
  const url = await createDatabase()
  const folder = await writeMigrations({
    [named(1, 'good')]: 'create table good ();',
    [named(2, 'bad')]: 'create table half ();\n\ncreate table bad (id nonsense);',
  })
  await expect(migrate({ url, folder })).rejects.toThrow(
    /Migration \d+-bad failed at line 3: type "nonsense" does not exist\. Nothing of this file was kept/,
  )
  await using session = openDatabase({ connectionString: url })
  const { rows } = await sql`
    select to_regclass('good') is not null as good, to_regclass('half') as half`.execute(session.db)
  expect(rows).toEqual([{ good: true, half: null }])
  expect(await schemaVersion(session.db)).toBe(released + 1)
})

test('a file changed after it was applied is named, and nothing is done', async () => {
  const url = await createDatabase()
  await migrate({ url, folder: await writeMigrations({ [named(1, 'a')]: 'create table a ();' }) })
  const folder = await writeMigrations({
    [named(1, 'a')]: 'create table a (id int);',
    [named(2, 'b')]: 'create table b ();',
  })
  await expect(migrate({ url, folder })).rejects.toThrow(
    /\d+-a\.sql was changed after it was applied.*Restore the file.*new migration/,
  )
  await using session = openDatabase({ connectionString: url })
  expect(await schemaVersion(session.db)).toBe(released + 1)
})

test('a database newer than the code is left alone', async () => {
  const url = await createDatabase()
  const old = { [named(1, 'a')]: 'create table a ();' }
  await migrate({
    url,
    folder: await writeMigrations({ ...old, [named(2, 'b')]: 'create table b ();' }),
  })
  await expect(migrate({ url, folder: await writeMigrations(old) })).rejects.toThrow(
    /newer than this release: it has migration \d+-b, and this code ends at \d+-a/,
  )
})

test('a renamed file is told apart from a newer database', async () => {
  const url = await createDatabase()
  await migrate({ url, folder: await writeMigrations({ [named(1, 'a')]: 'create table a ();' }) })
  const folder = await writeMigrations({ [named(1, 'renamed')]: 'create table a ();' })
  await expect(migrate({ url, folder })).rejects.toThrow(/\d+-a.*was renamed or removed/)
})

test('an index is built beside the traffic by a file that says it is not transactional', async () => {
  const url = await createDatabase()
  const folder = await writeMigrations({
    [named(1, 'table')]: 'create table wide (id int);',
    [named(2, 'index')]:
      '-- transactional: no\ncreate index concurrently if not exists wide_id on wide (id);',
  })
  await expect(migrate({ url, folder })).resolves.toHaveProperty('version', released + 2)
})

test('a broken index that a failed try left behind is not mistaken for a finished one', async () => {
  const url = await createDatabase()
  const folder = await writeMigrations({
    [named(1, 'table')]: 'create table twice as select 1 as id from generate_series(1, 2);',
    [named(2, 'index')]:
      '-- transactional: no\ncreate unique index concurrently if not exists twice_id on twice (id);',
  })
  await expect(migrate({ url, folder })).rejects.toThrow(/\d+-index failed.*look what it left/)
  await expect(migrate({ url, folder })).rejects.toThrow(/run "drop index concurrently twice_id"/)
  await using session = openDatabase({ connectionString: url })
  await sql`delete from twice`.execute(session.db)
  await sql`drop index concurrently twice_id`.execute(session.db)
  await expect(migrate({ url, folder })).resolves.toHaveProperty('applied', [named(2, 'index')])
})

test('a server that is not there is one clear sentence without the password', async () => {
  const url = 'postgres://someone:hunter2@127.0.0.1:1/house'
  const error = await migrate({ url }).catch((cause: unknown) => cause)
  expect(String(error)).toMatch(
    /Cannot reach the database house at 127\.0\.0\.1:1 as someone \(.*ECONNREFUSED.*\): start Postgres/,
  )
  expect(inspect(error)).not.toContain('hunter2')
})

test.each([
  'someone:hunter2@host',
  'postgres://some one:hunter2@ho st/a',
  'hunter2',
  'postgres:///x',
])('a url that is none (%s) is refused without being repeated', async (url) => {
  const error = await migrate({ url }).catch((cause: unknown) => cause)
  expect(inspect(error)).toContain('write postgres://user:password@host:5432/name')
  expect(inspect(error)).not.toContain('hunter2')
})

test.each(['somebody-else', 'twilight'])(
  'a login that is refused (%s) is told apart',
  async (user) => {
    const url = new URL(server.url)
    url.username = user
    url.password = 'hunter2'
    await expect(migrate({ url: url.href })).rejects.toThrow(/password authentication failed/)
  },
)

test('a service is ready from the schema version it needs, and says what to do before', async () => {
  const url = await createDatabase()
  await using session = openDatabase({ connectionString: url })
  await expect(assertSchemaAtLeast(session.db)).rejects.toThrow(
    /at schema version 0, this release needs \d+: run "npm run admin -- migrate"/,
  )
  const { version } = await migrate({ url, rolePasswords: { landing: 'only-the-least' } })
  const asLanding = Object.assign(new URL(url), { username: 'landing', password: 'only-the-least' })
  await using landing = openDatabase({ connectionString: asLanding.href })
  await expect(assertSchemaAtLeast(landing.db)).resolves.toBe(version)
  await expect(assertSchemaAtLeast(landing.db, version + 1)).rejects.toThrow(/needs/)
})

async function createDatabase(name: string = `db-${randomUUID()}`): Promise<string> {
  await using root = openDatabase({ connectionString: server.url })
  await sql`create database ${sql.id(name)}`.execute(root.db)
  return Object.assign(new URL(server.url), { pathname: `/${encodeURIComponent(name)}` }).href
}

/** The name of the nth migration after those of this release. */
function named(n: number, name: string): string {
  return `${String(released + n).padStart(4, '0')}-${name}`
}

/** A release that has these migrations on top of the present ones. */
async function writeMigrations(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'migrations-'))
  folders.push(folder)
  await cp(migrationsFolder, folder, { recursive: true })
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(folder, `${name}.sql`), text)
  }
  return folder
}

const waitAtGate = 'select pg_advisory_xact_lock(42);'

/** Holds up every migration that waits at the gate, until the function it returns is called. */
async function closeGate(url: string): Promise<() => Promise<void>> {
  const keeper = openDatabase({ connectionString: url })
  await sql`select pg_advisory_lock(42)`.execute(keeper.db)
  return async () => keeper[Symbol.asyncDispose]()
}

/** The process id of the session that waits at the gate, once there is one. */
async function findWaiting(url: string): Promise<number> {
  await using session = openDatabase({ connectionString: url })
  const query = sql<{ pid: number }>`
    select pid from pg_stat_activity where datname = current_database() and wait_event = 'advisory'`
  // Awaited here: the session is closed when this function returns.
  return await vi.waitFor(
    async () => {
      const [waiting] = (await query.execute(session.db)).rows
      if (!waiting) throw new Error('Nobody waits at the gate.')
      return waiting.pid
    },
    { timeout: 10_000 },
  )
}
