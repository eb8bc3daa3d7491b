import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { migrationsFolder, readMigrationFiles } from './migration-files.ts'

test('the migrations of this release are numbered from 1 without a gap', async () => {
  const files = await readMigrationFiles(migrationsFolder)
  expect(files.map((file) => Number.parseInt(file.name, 10))).toEqual(files.map((_, i) => i + 1))
})

test.each([
  ['a gap', ['0001-a.sql', '0003-c.sql'], /0003-c\.sql should carry the number 0002/],
  [
    'a number given twice',
    ['0001-a.sql', '0001-b.sql'],
    /0001-b\.sql should carry the number 0002/,
  ],
  ['a start after 1', ['0002-b.sql'], /0002-b\.sql should carry the number 0001/],
  ['a name that does not fit', ['1_first.sql'], /1_first\.sql needs a name like 0001-what-it-does/],
  ['no file at all', [], /No \.sql files in .*: is the checkout complete/],
])('%s is refused in words', async (_, names, message) => {
  const folder = await mkdtemp(join(tmpdir(), 'migration-files-'))
  try {
    for (const name of names) await writeFile(join(folder, name), 'select 1;')
    await expect(readMigrationFiles(folder)).rejects.toThrow(message)
  } finally {
    await rm(folder, { recursive: true })
  }
})
