import { type Kysely, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { setTimeout as sleep } from 'node:timers/promises'
import { DatabaseError } from 'pg'
import { applyRoles } from './apply-roles.ts'
import { type MigrationFile, migrationsFolder, readMigrationFiles } from './migration-files.ts'
import {
  appliedTable,
  assertHistoryMatches,
  bookkeepingSchema,
  createHistory,
  lockTable,
  readHistory,
  recordFile,
} from './migration-history.ts'
import { type OpenDatabase, openDatabase } from './open-database.ts'
import type { Role } from './roles.ts'

/**
 * Brings a database to the schema of this release: every pending migration, then roles and grants.
 * Several callers may do so at once: one works, the others wait and find nothing left to do.
 *
 *     const { applied, version } = await migrate({ url, rolePasswords: { payments: '…' }, log: console.log })
 */
export async function migrate(options: MigrateOptions): Promise<MigrateResult> {
  const { url, rolePasswords = {}, log = () => {}, folder = migrationsFolder } = options
  assertDatabaseUrl(url)
  const files = await readMigrationFiles(folder)
  await using database = connect(url)
  const { db } = database
  await assertReachable(db, url)
  await takeLock(db, options.waitMs ?? 60_000, log)
  await createHistory(db)
  const history = await readHistory(db)
  assertHistoryMatches(files, history)
  const pending = files.filter((file) => !history.has(file.name))
  const migrator = createMigrator(db, files)
  for (const file of pending) await applyFile(migrator, file, log)
  await applyRoles({ db, passwords: rolePasswords })
  return { applied: pending.map((file) => file.name), version: files.length }
}

export type MigrateOptions = {
  /** Of a login that may create tables and roles: never an app's own. */
  url: string
  /** A role named here gets this password; one not named keeps what it has, a new one has none. */
  rolePasswords?: Partial<Record<Role, string>>
  log?: (line: string) => void
  /** Another folder of .sql files, for tests of the migrator itself. */
  folder?: string
  /** How long to wait for another migrator. Default 60 s. */
  waitMs?: number
}

export type MigrateResult = {
  /** Names of the files applied now, in order; empty when there was nothing to do. */
  applied: string[]
  version: number
}

const lockId = 5_817_219_804
const lockTimeoutMs = 2_000
const statementTimeoutMs = 30_000
// An index built beside the traffic waits for old transactions and harms nobody meanwhile.
const concurrentTimeoutMs = 600_000
const maxTries = 10

function connect(url: string): OpenDatabase<unknown> {
  return openDatabase({
    connectionString: url,
    application_name: 'twilight-migrate',
    options: '-c search_path=public',
    connectionTimeoutMillis: 10_000,
    // Never wait long for a lock: behind a waiting "alter table" every reader of that table waits too.
    lock_timeout: lockTimeoutMs,
    statement_timeout: statementTimeoutMs,
    // A server that froze never sends a timeout error, so the client has one of its own.
    query_timeout: concurrentTimeoutMs + 10_000,
  })
}

/** Checked first, because what mistakes such a text for a url repeats it in its error, password and all. */
function assertDatabaseUrl(url: string): void {
  if (/^postgres(ql)?:\/\/[^/]/.test(url) && URL.canParse(url)) return
  throw new Error('The database url is not one: write postgres://user:password@host:5432/name.')
}

async function assertReachable(db: Kysely<unknown>, url: string): Promise<void> {
  const { host, pathname, username } = new URL(url)
  const name = decodeURIComponent(pathname.slice(1))
  try {
    const { rows } = await sql<{ version: number }>`
      select current_setting('server_version_num')::int as version`.execute(db)
    if ((rows[0]?.version ?? 0) >= 150_000) return
  } catch (cause) {
    // A name with two addresses fails as a group whose own message is empty.
    const reason = cause instanceof AggregateError ? cause.errors.join(', ') : messageOf(cause)
    throw new Error(
      `Cannot reach the database ${name} at ${host} as ${username} (${reason}): start Postgres there or correct the url.`,
      { cause },
    )
  }
  throw new Error(`Postgres at ${host} is older than 15: upgrade it first.`)
}

/**
 * Asks again and again instead of waiting inside Postgres: a session that waits there holds a
 * snapshot, and "create index concurrently" of the migrator at work would wait for it for ever.
 */
async function takeLock(
  db: Kysely<unknown>,
  waitMs: number,
  log: (line: string) => void,
): Promise<void> {
  const deadline = Date.now() + waitMs
  for (let attempt = 0; ; attempt += 1) {
    const { rows } = await sql<{ taken: boolean }>`
      select pg_try_advisory_lock(${sql.lit(lockId)}) as taken`.execute(db)
    if (rows[0]?.taken) return
    if (attempt === 0) log('Another migration of this database is running: waiting for it.')
    if (Date.now() >= deadline) {
      throw new Error(
        `Another migration of this database still runs after ${waitMs} ms: let it end, or find it in pg_stat_activity as "twilight-migrate" and end it.`,
      )
    }
    await sleep(100)
  }
}

function createMigrator(db: Kysely<unknown>, files: MigrationFile[]): Migrator {
  const migrations = files.map((file) => [
    file.name,
    { up: (transaction: Kysely<unknown>) => runFile(transaction, file) },
  ])
  return new Migrator({
    db,
    provider: { getMigrations: async () => Object.fromEntries(migrations) },
    migrationTableSchema: bookkeepingSchema,
    migrationTableName: appliedTable,
    migrationLockTableName: lockTable,
  })
}

/** One file at a time, each in its own transaction, so that no lock is held longer than its file needs. */
async function applyFile(
  migrator: Migrator,
  file: MigrationFile,
  log: (line: string) => void,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const startedAt = performance.now()
    const { error } = await migrator.migrateUp({ disableTransactions: !file.transactional })
    if (error === undefined) {
      log(`Applied ${file.name} in ${Math.round(performance.now() - startedAt)} ms.`)
      return
    }
    const lockTimeout = error instanceof DatabaseError && error.code === '55P03'
    if (!lockTimeout || tries === maxTries) throw describeFailure(file, error)
    log(
      `${file.name} waited ${lockTimeoutMs} ms for a lock and made way; try ${tries + 1} of ${maxTries} follows.`,
    )
    await sleep(Math.random() * Math.min(5_000, 250 * 2 ** tries))
  }
}

async function runFile(db: Kysely<unknown>, file: MigrationFile): Promise<void> {
  if (file.transactional) {
    // Kysely raised it for its own lock.
    await sql`select set_config('lock_timeout', ${String(lockTimeoutMs)}, true)`.execute(db)
    await sql.raw(file.text).execute(db)
  } else {
    await setTimeouts(db, { lock: 0, statement: concurrentTimeoutMs })
    try {
      await sql.raw(file.text).execute(db)
    } finally {
      await setTimeouts(db, { lock: lockTimeoutMs, statement: statementTimeoutMs })
    }
    await assertIndexesValid(db)
  }
  await recordFile(db, file)
}

async function setTimeouts(
  db: Kysely<unknown>,
  timeoutsMs: { lock: number; statement: number },
): Promise<void> {
  await sql`select set_config('lock_timeout', ${String(timeoutsMs.lock)}, false),
                   set_config('statement_timeout', ${String(timeoutsMs.statement)}, false)`.execute(
    db,
  )
}

/** "create index concurrently if not exists" skips the broken index a failed try left behind. */
async function assertIndexesValid(db: Kysely<unknown>): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select indexrelid::regclass::text as name from pg_index where not indisvalid`.execute(db)
  if (rows.length === 0) return
  const names = rows.map((row) => row.name).join(', ')
  throw new Error(
    `An earlier try left a broken index: run "drop index concurrently ${names}", then migrate again.`,
  )
}

function describeFailure(file: MigrationFile, cause: unknown): Error {
  const position = cause instanceof DatabaseError ? Number(cause.position) : Number.NaN
  const line = file.text.slice(0, position).split('\n').length
  const place = Number.isNaN(position) ? '' : ` at line ${line}`
  const outcome = file.transactional
    ? 'Nothing of this file was kept: correct it and migrate again.'
    : 'It does not run in a transaction, so look what it left before you migrate again.'
  return new Error(`Migration ${file.name} failed${place}: ${messageOf(cause)}. ${outcome}`, {
    cause,
  })
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
