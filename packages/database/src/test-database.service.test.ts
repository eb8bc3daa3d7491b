import { sql } from 'kysely'
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openDatabase } from './open-database.ts'
import { roles } from './roles.ts'
import { createTestDatabase } from './test-database.ts'

test('a test gets a migrated server of its own, and nothing of it is left afterwards', async () => {
  const database = await createTestDatabase()
  const { dataDir, exited } = database.postgres
  try {
    for (const role of roles) {
      await using session = openDatabase({ connectionString: database.urlFor(role) })
      const { rows } = await sql`select current_user as who`.execute(session.db)
      expect(rows).toEqual([{ who: role }])
    }
  } finally {
    await database[Symbol.asyncDispose]()
  }
  await exited
  expect(existsSync(dataDir)).toBe(false)
})

test('what was committed is there after the server was killed and started again, at the same url', async () => {
  await using database = await createTestDatabase()
  const write = async (name: string) => {
    await using session = openDatabase({ connectionString: database.url })
    await sql`insert into users (id, name) values (gen_random_uuid(), ${name})`.execute(session.db)
  }
  await write('before')
  database.postgres.signal('SIGKILL')
  await database.postgres.exited
  await expect(write('between')).rejects.toThrow(/ECONNREFUSED/)
  await database.restart()
  await write('after')
  await database.postgres.stop()
  await database.restart()
  await using session = openDatabase({ connectionString: database.url })
  const { rows } = await sql`select name from users order by name`.execute(session.db)
  expect(rows).toEqual([{ name: 'after' }, { name: 'before' }])
})

test('fsync is off only when the test says that it may be', async () => {
  await using safe = await createTestDatabase()
  await using quick = await createTestDatabase({ durable: false })
  expect([await readFsync(safe.url), await readFsync(quick.url)]).toEqual(['on', 'off'])
})

async function readFsync(url: string): Promise<string | undefined> {
  await using session = openDatabase({ connectionString: url })
  const { rows } = await sql<{ fsync: string }>`select current_setting('fsync') as fsync`.execute(
    session.db,
  )
  return rows[0]?.fsync
}
