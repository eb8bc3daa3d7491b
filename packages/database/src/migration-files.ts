import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** The migrations of this release, next to src so that a pruned copy of the workspace carries them. */
export const migrationsFolder = fileURLToPath(new URL('../migrations', import.meta.url))

/**
 * Reads the numbered .sql files of a folder, in order, and refuses a gap, a number given twice or a
 * name that does not fit.
 *
 *     const files = await readMigrationFiles(migrationsFolder)
 *     files.at(-1)?.number // the schema version of this release
 */
export async function readMigrationFiles(folder: string): Promise<MigrationFile[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).toSorted()
  if (names.length === 0) throw new Error(`No .sql files in ${folder}: is the checkout complete?`)
  return Promise.all(
    names.map(async (name, index) => {
      assertNextNumber(name, index + 1)
      const text = await readFile(`${folder}/${name}`, 'utf8')
      return {
        number: index + 1,
        name: name.slice(0, -'.sql'.length),
        text,
        sha256: createHash('sha256').update(text).digest('hex'),
        transactional: !/^-- transactional: no$/m.test(text),
      }
    }),
  )
}

export type MigrationFile = {
  number: number
  /** The file's name without .sql; what the database remembers it by. */
  name: string
  text: string
  sha256: string
  transactional: boolean
}

function assertNextNumber(name: string, wanted: number): void {
  const prefix = String(wanted).padStart(4, '0')
  if (!/^\d{4}-[a-z0-9-]+\.sql$/.test(name)) {
    throw new Error(`Migration ${name} needs a name like ${prefix}-what-it-does.sql: rename it.`)
  }
  if (!name.startsWith(prefix)) {
    throw new Error(
      `Migration ${name} should carry the number ${prefix}: numbers have no gap and none comes twice, so give yours the next free one.`,
    )
  }
}
