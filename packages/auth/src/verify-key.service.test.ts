import { Problem } from '@twilight/service/errors'
import * as fc from 'fast-check'
import { type KyselyPlugin, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { generateApiKey, hashApiKey } from './api-key.ts'
import { startTestWorld, type TestWorld } from './test-world.ts'
import { createKeyVerifier, type KeyVerifierOptions } from './verify-key.ts'

let world: TestWorld

beforeAll(async () => {
  world = await startTestWorld({ durable: true })
})
afterAll(() => world[Symbol.asyncDispose]())

function start(options: Partial<KeyVerifierOptions> = {}) {
  return createKeyVerifier({ db: world.postgres('data_api').db, log: world.log, ...options })
}

async function refusal(verify: () => unknown): Promise<{ code: string; status: number }> {
  try {
    await verify()
  } catch (error) {
    if (error instanceof Problem) return { code: error.code, status: error.status }
    throw error
  }
  throw new Error('It was let in.')
}

/** A verifier, and how many statements it has sent. */
function startCounted() {
  let statements = 0
  const counter: KyselyPlugin = {
    transformQuery: ({ node }) => {
      statements += 1
      return node
    },
    transformResult: ({ result }) => Promise.resolve(result),
  }
  const verifier = start({ db: world.postgres('data_api').db.withPlugin(counter) })
  return { verifier, statements: () => statements }
}

describe('a key', () => {
  test('is its owner, with scopes, limit and plan', async () => {
    const key = await world.addKey({ scopes: ['data:read', 'search:read'], ratePerMinute: 120 })
    await expect(start().verify(key.key)).resolves.toMatchObject({
      keyId: key.keyId,
      userId: key.userId,
      class: 'user',
      scopes: ['data:read', 'search:read'],
      ratePerMinute: 120,
      plan: 'pro',
      revokedAtMs: undefined,
    })
  })

  test('is asked for once by a thousand requests at once, and then known without a promise', async () => {
    const { key, userId } = await world.addKey()
    const { verifier, statements } = startCounted()
    const answers = Array.from({ length: 1000 }, async () => await verifier.verify(key))
    for (const record of await Promise.all(answers)) expect(record.userId).toBe(userId)
    expect(statements()).toBe(1)
    expect(verifier.verify(key)).not.toBeInstanceOf(Promise)
    expect(verifier.size()).toEqual({ found: 1, unknown: 0, revoked: 0 })
  })

  test('of nobody, mistyped, cut or decorated is 401', async () => {
    const verifier = start()
    const { key } = await world.addKey()
    const wrong = [
      generateApiKey('user').text,
      generateApiKey('admin').text,
      key.slice(0, -1),
      `${key}x`,
      key.toLowerCase(),
      key.replace('td_', 'tda_'),
      '',
      'x'.repeat(100_000),
    ]
    for (const text of wrong) {
      expect(await refusal(() => verifier.verify(text))).toEqual({
        code: 'invalid_token',
        status: 401,
      })
    }
  })

  test('revoked is 403, past its own end 401', async () => {
    const verifier = start()
    const revoked = await world.addKey()
    await sql`update api_keys set revoked_at = now() where id = ${revoked.keyId}`.execute(
      world.owner.db,
    )
    expect(await refusal(() => verifier.verify(revoked.key))).toEqual({
      code: 'key_revoked',
      status: 403,
    })
    const ended = await world.addKey({ expiresAt: new Date(Date.now() - 1000) })
    expect(await refusal(() => verifier.verify(ended.key))).toEqual({
      code: 'invalid_token',
      status: 401,
    })
  })

  test('that passes for a user key by its form and is an admin key by its row does not exist', async () => {
    const { text } = generateApiKey('user')
    const { keyId } = await world.addKey()
    await sql`update api_keys set key_hash = ${hashApiKey(text)}, class = 'admin' where id = ${keyId}`.execute(
      world.owner.db,
    )
    expect(await refusal(() => start().verify(text))).toEqual({
      code: 'invalid_token',
      status: 401,
    })
  })

  test('is read again when 30 s have passed, and ahead of that when it is in use', async () => {
    let nowMs = 0
    const verifier = start({ monotonicMs: () => nowMs })
    const { key, keyId } = await world.addKey()
    await verifier.verify(key)
    await sql`update api_keys set rate_limit_per_min = 7 where id = ${keyId}`.execute(
      world.owner.db,
    )
    expect(await verifier.verify(key)).toMatchObject({ ratePerMinute: 60 })
    nowMs = 16_000
    expect(await verifier.verify(key)).toMatchObject({ ratePerMinute: 60 })
    await vi.waitFor(() => expect(verifier.verify(key)).toMatchObject({ ratePerMinute: 7 }))
    await sql`update api_keys set rate_limit_per_min = 8 where id = ${keyId}`.execute(
      world.owner.db,
    )
    nowMs = 47_000
    expect(await verifier.verify(key)).toMatchObject({ ratePerMinute: 8 })
  })
})

describe('a guessing flood', () => {
  test('of texts without a right checksum never reaches the database', async () => {
    const { verifier, statements } = startCounted()
    fc.assert(
      fc.property(fc.stringMatching(/^tda?_[0-9A-Za-z]{49}$/), (text) => {
        expect(() => verifier.verify(text)).toThrow(Problem)
      }),
      { numRuns: 5000 },
    )
    expect(statements()).toBe(0)
    expect(verifier.size()).toEqual({ found: 0, unknown: 0, revoked: 0 })
  })

  test('of well-formed keys is bounded in memory and statements, answers 401 or 503, and pushes out nobody', async () => {
    const { verifier, statements } = startCounted()
    const { key, userId } = await world.addKey()
    await verifier.verify(key)
    const codes = new Map<string, number>()
    for (let round = 0; round < 8; round += 1) {
      const guesses = Array.from({ length: 2500 }, () => generateApiKey('user').text)
      const answers = guesses.map((guess) => refusal(() => verifier.verify(guess)))
      for (const { code } of await Promise.all(answers)) codes.set(code, (codes.get(code) ?? 0) + 1)
    }
    expect([...codes.keys()].toSorted()).toEqual(['invalid_token', 'service_unavailable'])
    // 20 000 guesses: two thousand of each wave are looked up, two hundred per statement.
    expect(statements()).toBeLessThanOrEqual(1 + 8 * 12)
    expect(verifier.size().unknown).toBeLessThanOrEqual(10_000)
    expect(verifier.verify(key)).toMatchObject({ userId })
  })

  test('with the same unknown key costs one look-up in five seconds, and the key works soon after it was issued', async () => {
    let nowMs = 0
    const verifier = start({ monotonicMs: () => nowMs })
    const { text } = generateApiKey('user')
    await refusal(() => verifier.verify(text))
    expect(() => verifier.verify(text)).toThrow(Problem)
    const { keyId, userId } = await world.addKey()
    await sql`update api_keys set key_hash = ${hashApiKey(text)} where id = ${keyId}`.execute(
      world.owner.db,
    )
    expect(() => verifier.verify(text)).toThrow(Problem)
    nowMs = 5001
    expect(await verifier.verify(text)).toMatchObject({ userId })
  })
})

describe('with the database away', () => {
  test('known keys work for ten minutes, unknown ones get 503 and not 401, and all is well once it is back', async () => {
    let nowMs = 0
    const verifier = start({ monotonicMs: () => nowMs })
    const known = await world.addKey()
    const other = await world.addKey()
    const later = await world.addKey()
    await verifier.verify(known.key)
    await verifier.verify(later.key)
    await world.database.postgres.stop()

    expect(await verifier.verify(known.key)).toMatchObject({ userId: known.userId })
    nowMs = 300_000
    expect(await verifier.verify(known.key)).toMatchObject({ userId: known.userId })
    // Right after a failure nobody waits for the next one.
    expect(verifier.verify(known.key)).not.toBeInstanceOf(Promise)
    const unavailable = { code: 'service_unavailable', status: 503 }
    expect(await refusal(() => verifier.verify(other.key))).toEqual(unavailable)
    verifier.revoke(hashApiKey(later.key).toString('hex'), Date.now())
    expect(await refusal(() => verifier.verify(later.key))).toMatchObject({ code: 'key_revoked' })
    nowMs = 600_001
    expect(await refusal(() => verifier.verify(known.key))).toEqual(unavailable)

    await world.database.restart()
    nowMs = 700_000
    const back = { timeout: 10_000, interval: 100 }
    await vi.waitFor(
      async () => expect(await verifier.verify(known.key)).toMatchObject({ userId: known.userId }),
      back,
    )
    expect(await verifier.verify(other.key)).toMatchObject({ userId: other.userId })
  })

  test('answering no more, a known key waits less than a second', async () => {
    let nowMs = 0
    const verifier = start({ monotonicMs: () => nowMs })
    const { key, userId } = await world.addKey()
    await verifier.verify(key)
    nowMs = 40_000
    const release = Promise.withResolvers<void>()
    const locked = Promise.withResolvers<void>()
    const holding = world.owner.transaction(async (trx) => {
      await sql`lock table api_keys in access exclusive mode`.execute(trx)
      locked.resolve()
      await release.promise
    })
    await locked.promise
    const startedAt = performance.now()
    expect(await verifier.verify(key)).toMatchObject({ userId })
    expect(performance.now() - startedAt).toBeGreaterThan(300)
    expect(performance.now() - startedAt).toBeLessThan(900)
    release.resolve()
    await holding
  })
})
