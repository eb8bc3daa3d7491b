import { type Kysely, sql } from 'kysely'
import { migrationsFolder, readMigrationFiles } from './migration-files.ts'

/** The number of the last applied migration; 0 for a database that was never migrated. */
export async function schemaVersion<DB>(db: Kysely<DB>): Promise<number> {
  const { rows: found } = await sql<{ exists: boolean }>`
    select to_regclass('migration.applied') is not null as exists`.execute(db)
  if (!found[0]?.exists) return 0
  const { rows } = await sql<{ version: number }>`
    select coalesce(max(left(name, 4)::int), 0) as version from migration.applied`.execute(db)
  return rows[0]?.version ?? 0
}

/**
 * For a service's readiness: fails while the database is behind the code. A newer database is fine,
 * since migrations only add until no running release needs what they take away.
 *
 *     const check = () => assertSchemaAtLeast(postgres.db)
 */
export async function assertSchemaAtLeast<DB>(db: Kysely<DB>, required?: number): Promise<number> {
  const wanted = required ?? (await readMigrationFiles(migrationsFolder)).length
  const version = await schemaVersion(db)
  if (version < wanted) {
    throw new Error(
      `The database is at schema version ${version}, this release needs ${wanted}: run "npm run admin -- migrate".`,
    )
  }
  return version
}
