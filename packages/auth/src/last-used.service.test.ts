import { afterAll, beforeAll, expect, test } from 'vitest'
import { createLastUsed } from './last-used.ts'
import { startTestWorld, type TestWorld } from './test-world.ts'

let world: TestWorld

beforeAll(async () => {
  world = await startTestWorld({ durable: true })
})
afterAll(() => world[Symbol.asyncDispose]())

async function lastUsedAt(keyId: string): Promise<Date | null> {
  const row = await world.owner.db
    .selectFrom('api_keys')
    .select('last_used_at')
    .where('id', '=', keyId)
    .executeTakeFirstOrThrow()
  return row.last_used_at
}

test('a thousand uses are one write, at the latest at the stop', async () => {
  const { keyId } = await world.addKey()
  const before = Date.now()
  {
    await using lastUsed = createLastUsed({ db: world.postgres('data_api').db, log: world.log })
    for (let i = 0; i < 1000; i += 1) lastUsed.touch(keyId)
    expect(await lastUsedAt(keyId)).toBeNull()
  }
  expect((await lastUsedAt(keyId))?.getTime()).toBeGreaterThanOrEqual(before)
})

test('it is written every interval, and never set back', async () => {
  const { keyId } = await world.addKey()
  const future = new Date(Date.now() + 60_000)
  await using lastUsed = createLastUsed({
    db: world.postgres('data_api').db,
    log: world.log,
    flushEveryMs: 50,
  })
  lastUsed.touch(keyId)
  await expect.poll(() => lastUsedAt(keyId)).not.toBeNull()
  await world.owner.db
    .updateTable('api_keys')
    .set({ last_used_at: future })
    .where('id', '=', keyId)
    .execute()
  lastUsed.touch(keyId)
  await lastUsed.flush()
  expect(await lastUsedAt(keyId)).toEqual(future)
})

test('two instances writing the same keys at once do not wait for each other', async () => {
  const keys = await Promise.all(Array.from({ length: 50 }, () => world.addKey()))
  await using one = createLastUsed({ db: world.postgres('data_api').db, log: world.log })
  await using two = createLastUsed({ db: world.postgres('search_proxy').db, log: world.log })
  world.lines.length = 0
  for (let round = 0; round < 20; round += 1) {
    for (const { keyId } of keys) one.touch(keyId)
    for (const { keyId } of keys.toReversed()) two.touch(keyId)
    await Promise.all([one.flush(), two.flush()])
  }
  expect(world.lines.filter((line) => line.level === 'warn')).toEqual([])
  for (const { keyId } of keys) expect(await lastUsedAt(keyId)).not.toBeNull()
})

test('with the database away uses are kept for later', async () => {
  const { keyId } = await world.addKey()
  await using lastUsed = createLastUsed({ db: world.postgres('data_api').db, log: world.log })
  await world.database.postgres.stop()
  lastUsed.touch(keyId)
  await lastUsed.flush()
  await world.database.restart()
  await expect
    .poll(
      async () => {
        await lastUsed.flush()
        return await lastUsedAt(keyId)
      },
      { timeout: 10_000 },
    )
    .not.toBeNull()
})
