import { type Kysely, sql } from 'kysely'
import { setTimeout as sleep } from 'node:timers/promises'
import { DatabaseError } from 'pg'
import { bookkeepingSchema } from './migration-history.ts'
import { grants, type Role, roles, sessionSettings, type TableGrants } from './roles.ts'
import { scramVerifier } from './scram-verifier.ts'

/**
 * Makes roles and grants what roles.ts says, in one transaction: what is missing is given, all else is
 * taken away, running sessions never see a state between.
 */
export async function applyRoles(options: {
  db: Kysely<unknown>
  passwords: Partial<Record<Role, string>>
}): Promise<void> {
  const { db, passwords } = options
  // Slow on purpose (that is what protects a password), so before the transaction and once.
  const verifiers = new Map(roles.map((role) => [role, verifierOf(role, passwords[role])]))
  const database = await currentDatabase(db)
  for (let tries = 1; ; tries += 1) {
    try {
      await db.transaction().execute(async (transaction) => {
        await closeToPublic(transaction, database)
        for (const role of roles) {
          await createRole(transaction, role, verifiers.get(role))
          await setSessionBounds(transaction, role, database)
          await grantAll(transaction, role, database)
        }
      })
      return
    } catch (error) {
      if (tries === maxTries || !lostRace(error)) throw explain(error)
    }
    await sleep(Math.random() * 100 * tries)
  }
}

const maxTries = 10

/**
 * Roles belong to the whole cluster while our lock belongs to one database: another database of the
 * cluster may be migrated now, create the same role or alter it ("tuple concurrently updated", XX000).
 */
function lostRace(error: unknown): boolean {
  return (
    error instanceof DatabaseError &&
    ['23505', '42710', '40P01', '55P03', 'XX000'].includes(error.code ?? '')
  )
}

function explain(error: unknown): unknown {
  if (!(error instanceof DatabaseError) || error.code !== '42501') return error
  return new Error(
    `Roles and grants were not applied (${error.message}): migrate with a login that owns the tables and may create roles.`,
    { cause: error },
  )
}

function verifierOf(role: Role, password: string | undefined): string | undefined {
  if (password === undefined) return undefined
  try {
    return scramVerifier(password)
  } catch (cause) {
    throw new Error(`The password given for the role ${role} cannot be used.`, { cause })
  }
}

async function closeToPublic(db: Kysely<unknown>, database: string): Promise<void> {
  await sql`revoke all on database ${sql.id(database)} from public`.execute(db)
  await sql`revoke all on schema public from public`.execute(db)
  for (const kind of objectKinds) {
    await sql`revoke all on all ${sql.raw(kind)} in schema public from public`.execute(db)
  }
  // Postgres lets everyone execute a new function unless told otherwise.
  await sql`alter default privileges revoke execute on functions from public`.execute(db)
}

async function createRole(
  db: Kysely<unknown>,
  role: Role,
  verifier: string | undefined,
): Promise<void> {
  const { rows } = await sql`select from pg_roles where rolname = ${role}`.execute(db)
  if (rows.length === 0) await sql`create role ${sql.id(role)} login`.execute(db)
  await assertHarmless(db, role)
  if (verifier !== undefined) {
    await sql`alter role ${sql.id(role)} password ${sql.lit(verifier)}`.execute(db)
  }
}

/** Per database, so that two databases of one cluster do not write the same row. */
async function setSessionBounds(db: Kysely<unknown>, role: Role, database: string): Promise<void> {
  const here = sql`alter role ${sql.id(role)} in database ${sql.id(database)}`
  await sql`${here} reset all`.execute(db)
  for (const [name, value] of Object.entries(sessionSettings[role])) {
    await sql`${here} set ${sql.id(name)} = ${sql.lit(value)}`.execute(db)
  }
}

/** A role that was there before us may be more than a login; what it could do then, no grant limits. */
async function assertHarmless(db: Kysely<unknown>, role: Role): Promise<void> {
  const { rows } = await sql<{ power: string }>`
    select unnest(array_remove(array[
      case when rolsuper then 'superuser' end,
      case when rolcreatedb then 'createdb' end,
      case when rolcreaterole then 'createrole' end,
      case when rolreplication then 'replication' end,
      case when rolbypassrls then 'bypassrls' end,
      case when not rolcanlogin then 'nologin' end], null)) as power
      from pg_roles where rolname = ${role}
    union all
    select 'member of ' || roleid::regrole from pg_auth_members where member = ${role}::regrole
    union all
    select 'owner of ' || oid::regclass from pg_class
     where relowner = ${role}::regrole and relnamespace = 'public'::regnamespace`.execute(db)
  if (rows.length === 0) return
  const powers = rows.map((row) => row.power).join(', ')
  throw new Error(
    `The role ${role} exists and is more than a plain login (${powers}): take that from it, or drop it, and migrate again.`,
  )
}

async function grantAll(db: Kysely<unknown>, role: Role, database: string): Promise<void> {
  const grantee = sql.id(role)
  await sql`revoke all on database ${sql.id(database)} from ${grantee}`.execute(db)
  await sql`grant connect on database ${sql.id(database)} to ${grantee}`.execute(db)
  for (const schema of ['public', bookkeepingSchema]) {
    await sql`revoke all on schema ${sql.id(schema)} from ${grantee}`.execute(db)
    await sql`grant usage on schema ${sql.id(schema)} to ${grantee}`.execute(db)
    for (const kind of objectKinds) {
      await sql`revoke all on all ${sql.raw(kind)} in schema ${sql.id(schema)} from ${grantee}`.execute(
        db,
      )
    }
  }
  // For readiness: is the database as new as the code?
  await sql`grant select on migration.applied to ${grantee}`.execute(db)
  for (const [table, tableGrants] of Object.entries(grants[role])) {
    await grantTable(db, role, table, tableGrants)
  }
}

// Routines are functions and procedures; taking all rights on a table takes those on its columns too.
const objectKinds = ['tables', 'sequences', 'routines']

async function grantTable(
  db: Kysely<unknown>,
  role: Role,
  table: string,
  tableGrants: TableGrants,
): Promise<void> {
  for (const [privilege, columns] of Object.entries(tableGrants)) {
    const on =
      columns === 'all' ? sql`` : sql` (${sql.join(columns.map((column) => sql.id(column)))})`
    await sql`grant ${sql.raw(privilege)}${on} on ${sql.id('public', table)} to ${sql.id(role)}`.execute(
      db,
    )
  }
}

async function currentDatabase(db: Kysely<unknown>): Promise<string> {
  const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db)
  if (!rows[0]) throw new Error('Postgres did not name the current database.')
  return rows[0].name
}
