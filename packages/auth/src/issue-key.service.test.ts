import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { classOfApiKey, generateApiKey, hashApiKey } from './api-key.ts'
import { issueKey, listKeys } from './issue-key.ts'
import { startTestWorld, type TestWorld } from './test-world.ts'
import { whoami } from './whoami.ts'

let world: TestWorld

beforeAll(async () => {
  world = await startTestWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

test('a key is shown once: the database holds 32 bytes of hash and a beginning that opens nothing', async () => {
  const { key, keyId, prefix, last4 } = await world.addKey({ name: 'laptop' })
  expect(classOfApiKey(key)).toBe('user')
  expect([key.startsWith(prefix), key.endsWith(last4), prefix.length]).toEqual([true, true, 9])
  const row = await world.owner.db
    .selectFrom('api_keys')
    .selectAll()
    .where('id', '=', keyId)
    .executeTakeFirstOrThrow()
  expect(row.key_hash).toEqual(hashApiKey(key))
  const { rows } = await sql<{
    text: string
  }>`select api_keys::text as text from api_keys where id = ${keyId}`.execute(world.owner.db)
  expect(rows[0]?.text).toContain('laptop')
  expect(rows[0]?.text).not.toContain(key.slice(10))
})

test('a key is issued with the rest of its transaction or not at all', async () => {
  const userId = await world.addUser()
  const failing = world.postgres('provisioner').transaction(async (trx) => {
    await issueKey(trx, { userId, keyClass: 'user', scopes: [] })
    throw new Error('the rest failed')
  })
  await expect(failing).rejects.toThrow('the rest failed')
  expect(await listKeys(world.owner.db, { userId })).toEqual([])
})

test('nobody gets a key who is no user', async () => {
  const order = { userId: crypto.randomUUID(), keyClass: 'user' as const, scopes: [] }
  await expect(issueKey(world.owner.db, order)).rejects.toMatchObject({
    code: 'not_found',
    status: 404,
  })
})

test('a list shows whose keys there are, the newest first, as the provisioner, and no hash', async () => {
  const first = await world.addKey()
  const second = await world.addKey({ userId: first.userId, keyClass: 'admin', ratePerMinute: 600 })
  const keys = await listKeys(world.postgres('provisioner').db, { userId: first.userId })
  expect(keys).toMatchObject([
    {
      id: second.keyId,
      class: 'admin',
      rate_limit_per_min: 600,
      prefix: second.prefix,
      revoked_at: null,
    },
    {
      id: first.keyId,
      class: 'user',
      rate_limit_per_min: 60,
      prefix: first.prefix,
      last_used_at: null,
    },
  ])
  expect(JSON.stringify(keys)).not.toContain(hashApiKey(first.key).toString('hex'))
  expect((await listKeys(world.owner.db)).length).toBeGreaterThan(keys.length)
})

test('whoami knows a key that opens nothing any more, and no other', async () => {
  const { key, keyId, userId } = await world.addKey()
  await sql`update api_keys set revoked_at = now() where id = ${keyId}`.execute(world.owner.db)
  const { db } = world.postgres('data_api')
  const known = await whoami(db, key)
  expect(known).toMatchObject({ keyId, userId })
  expect(known?.revokedAtMs).toBeDefined()
  expect(await whoami(db, generateApiKey('user').text)).toBeUndefined()
  expect(await whoami(db, 'not a key')).toBeUndefined()
})
