import type { Bus } from '@twilight/service/nats'
import type { NatsServer } from '@twilight/stack/nats-server'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { hashApiKey } from './api-key.ts'
import { issueKey, revokeKey } from './issue-key.ts'
import { watchRevocations } from './revocation.ts'
import { startTestWorld, type TestWorld } from './test-world.ts'
import { createKeyVerifier, type KeyVerifier } from './verify-key.ts'

let world: TestWorld
let nats: NatsServer
let provisionerBus: Bus

beforeAll(async () => {
  world = await startTestWorld()
  nats = await world.startNats()
  provisionerBus = await world.bus(nats, 'provisioner')
})
afterAll(() => world[Symbol.asyncDispose]())

/** An instance of a guarded app: connections, verifier and watch of its own. */
async function startInstance(
  resources: AsyncDisposableStack,
  options: { pollEveryMs?: number } = {},
): Promise<KeyVerifier> {
  const { db } = world.postgres('data_api')
  const bus = await world.bus(nats, 'data-api')
  const verifier = createKeyVerifier({ db, log: world.log })
  resources.use(watchRevocations({ bus, db, verifier, log: world.log, ...options }))
  return verifier
}

function isRevoked(verifier: KeyVerifier, key: string): boolean {
  try {
    const known = verifier.verify(key)
    if (known instanceof Promise) throw new Error('The key should be known here.')
    return false
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'key_revoked'
  }
}

async function revokeAsProvisioner(keyId: string): Promise<void> {
  await revokeKey({ db: world.postgres('provisioner').db, bus: provisionerBus }, keyId)
}

describe('a revoked key', () => {
  test('dies in every instance in less than a second, by the word of the bus', async () => {
    await using resources = new AsyncDisposableStack()
    // Their own looking is out of the picture.
    const instances = [
      await startInstance(resources, { pollEveryMs: 600_000 }),
      await startInstance(resources, { pollEveryMs: 600_000 }),
    ]
    const { key, keyId } = await world.addKey()
    for (const verifier of instances) await verifier.verify(key)
    const startedAt = performance.now()
    await revokeAsProvisioner(keyId)
    await vi.waitFor(
      () => expect(instances.map((verifier) => isRevoked(verifier, key))).toEqual([true, true]),
      { timeout: 5000, interval: 5 },
    )
    expect(performance.now() - startedAt).toBeLessThan(1000)
  })

  test('that is being looked up at that very moment stays dead, whatever the look-up had read', async () => {
    const { key } = await world.addKey()
    const verifier = createKeyVerifier({ db: world.postgres('data_api').db, log: world.log })
    const lookUp = verifier.verify(key)
    // The word arrives first; the row read before says that the key lives.
    verifier.revoke(hashApiKey(key).toString('hex'), Date.now())
    await expect(lookUp).rejects.toMatchObject({ code: 'key_revoked' })
    expect(isRevoked(verifier, key)).toBe(true)
  })

  test('kills no other key', async () => {
    await using resources = new AsyncDisposableStack()
    const verifier = await startInstance(resources)
    const [dead, alive] = [await world.addKey(), await world.addKey()]
    for (const { key } of [dead, alive]) await verifier.verify(key)
    await revokeAsProvisioner(dead.keyId)
    await vi.waitFor(() => expect(isRevoked(verifier, dead.key)).toBe(true))
    expect(verifier.verify(alive.key)).toMatchObject({ keyId: alive.keyId })
  })

  test('revoked twice keeps its first moment, and tells everyone again', async () => {
    const { keyId } = await world.addKey()
    const from = { db: world.postgres('provisioner').db, bus: provisionerBus }
    const first = await revokeKey(from, keyId)
    expect(await revokeKey(from, keyId)).toEqual(first)
    await expect(revokeKey(from, crypto.randomUUID())).rejects.toMatchObject({ code: 'not_found' })
  })
})

test('with the bus stopped a revocation reaches two instances within the poll, and again by the bus when it is back', async () => {
  await using resources = new AsyncDisposableStack()
  // The default is 10 s; a shorter one proves the same way in less time.
  const instances = [
    await startInstance(resources, { pollEveryMs: 500 }),
    await startInstance(resources, { pollEveryMs: 500 }),
  ]
  const keys = [await world.addKey(), await world.addKey()]
  for (const verifier of instances) for (const { key } of keys) await verifier.verify(key)
  await nats.stop()
  await revokeAsProvisioner(keys[0]?.keyId ?? '')
  const dead = () => instances.map((verifier) => isRevoked(verifier, keys[0]?.key ?? ''))
  await vi.waitFor(() => expect(dead()).toEqual([true, true]), { timeout: 10_000, interval: 50 })
  nats = await world.startNats(nats.port)
  const again = () => instances.map((verifier) => isRevoked(verifier, keys[1]?.key ?? ''))
  await revokeAsProvisioner(keys[1]?.keyId ?? '')
  await vi.waitFor(() => expect(again()).toEqual([true, true]), { timeout: 15_000, interval: 50 })
}, 40_000)

test('a revocation whose hint was never sent is found by looking, also when it was committed late', async () => {
  await using resources = new AsyncDisposableStack()
  const verifier = await startInstance(resources, { pollEveryMs: 200 })
  const { key, keyId } = await world.addKey()
  await verifier.verify(key)
  // As when the one who revoked was killed right after a long transaction.
  await world.owner.db
    .updateTable('api_keys')
    .set({ revoked_at: new Date(Date.now() - 30_000) })
    .where('id', '=', keyId)
    .execute()
  await vi.waitFor(() => expect(isRevoked(verifier, key)).toBe(true), { timeout: 5000 })
})

test('the provisioner issues keys and revokes them, and cannot read the hash of one that lives', async () => {
  const { db } = world.postgres('provisioner')
  const issued = await issueKey(db, {
    userId: await world.addUser(),
    keyClass: 'admin',
    scopes: [],
  })
  await expect(db.selectFrom('api_keys').select('key_hash').execute()).rejects.toThrow(
    'permission denied',
  )
  const { revoked_sha256: hash } = await db
    .selectFrom('api_keys')
    .select('revoked_sha256')
    .where('id', '=', issued.keyId)
    .executeTakeFirstOrThrow()
  expect(hash).toBeNull()
})
