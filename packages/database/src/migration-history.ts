import { type Kysely, sql } from 'kysely'
import type { MigrationFile } from './migration-files.ts'

// Our own schema for what migrating remembers, so that "public" holds the house's tables and nothing else.
export const bookkeepingSchema = 'migration'
export const appliedTable = 'applied'
export const lockTable = 'lock'

/** Creates the table of file hashes; Kysely's Migrator creates its own two beside it. */
export async function createHistory(db: Kysely<unknown>): Promise<void> {
  await sql`create schema if not exists migration`.execute(db)
  await sql`
    create table if not exists migration.file (
      name        text primary key,
      sha256      text not null check (length(sha256) = 64),
      applied_at  timestamptz not null default now())`.execute(db)
}

/** Written in the transaction of the migration itself. */
export async function recordFile(db: Kysely<unknown>, file: MigrationFile): Promise<void> {
  await sql`insert into migration.file (name, sha256) values (${file.name}, ${file.sha256})`.execute(
    db,
  )
}

/** The sha256 of each applied file, by name. */
export async function readHistory(db: Kysely<unknown>): Promise<Map<string, string>> {
  const { rows } = await sql<{ name: string; sha256: string }>`
    select name, sha256 from migration.file order by name`.execute(db)
  return new Map(rows.map((row) => [row.name, row.sha256]))
}

/** Fails, in words, when what the database went through is not the beginning of what the files say. */
export function assertHistoryMatches(files: MigrationFile[], history: Map<string, string>): void {
  const known = new Map(files.map((file) => [file.name, file]))
  for (const [name, sha256] of history) {
    const file = known.get(name)
    if (!file) throw unknownMigration(name, files)
    if (file.sha256 !== sha256) {
      throw new Error(
        `Migration ${name}.sql was changed after it was applied to this database. Restore the file as it was (git log shows it) and put the change into a new migration.`,
      )
    }
  }
}

function unknownMigration(name: string, files: MigrationFile[]): Error {
  if (Number.parseInt(name, 10) > files.length) {
    return new Error(
      `This database is newer than this release: it has migration ${name}, and this code ends at ${files.at(-1)?.name}. Run a release that knows it; nothing was changed.`,
    )
  }
  return new Error(
    `This database has migration ${name}, which this release does not: a file was renamed or removed. Restore it (git log shows it); nothing was changed.`,
  )
}
