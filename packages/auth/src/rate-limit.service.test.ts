import { sql } from 'kysely'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BucketOwner } from './bucket-cache.ts'
import { createRateLimiter, creditOf, type RateAnswer, type RateLimiter } from './rate-limit.ts'
import { startTestWorld, type TestWorld } from './test-world.ts'

let world: TestWorld

beforeAll(async () => {
  world = await startTestWorld({ durable: true })
})
afterAll(() => world[Symbol.asyncDispose]())

function start(options: { maxKeys?: number } = {}): RateLimiter {
  // Each with a pool of its own, as in processes of their own.
  return createRateLimiter({ db: world.postgres('data_api').db, log: world.log, ...options })
}

async function owner(perMinute: number, paying = true): Promise<BucketOwner> {
  const { keyId } = await world.addKey({ ratePerMinute: perMinute })
  return { keyId, perMinute, paying }
}

async function count(answers: (RateAnswer | Promise<RateAnswer>)[]): Promise<number> {
  const settled = await Promise.all(answers.map(async (answer) => await answer))
  return settled.filter((answer) => answer.admitted).length
}

describe('one instance', () => {
  test('admits exactly the minute at once, says how many are left, and when the next comes', async () => {
    await using limiter = start()
    const key = await owner(60)
    const first = await limiter.take(key)
    expect(first).toMatchObject({ admitted: true, remaining: 59, perMinute: 60 })
    const answers: RateAnswer[] = [first]
    for (let i = 0; i < 100; i += 1) answers.push(await limiter.take(key))
    const admitted = await count(answers)
    expect(answers.filter((answer) => !answer.admitted && answer.remaining > 0)).toEqual([])
    const last = await limiter.take(key)
    expect(last.nextTokenMs).toBeGreaterThan(0)
    expect(last.nextTokenMs).toBeLessThanOrEqual(1001)
    // One token drips in per second, and this took less than one.
    expect(admitted).toBeGreaterThanOrEqual(60)
    expect(admitted).toBeLessThanOrEqual(61)
  })

  test('admits exactly the minute of a thousand at once', async () => {
    await using limiter = start()
    const key = await owner(60)
    expect(await count(Array.from({ length: 1000 }, () => limiter.take(key)))).toBe(60)
  })

  test('a key it knows within its credit is decided without waiting, and the database hears of it', async () => {
    const key = await owner(60)
    await using other = start()
    {
      await using limiter = start()
      await limiter.take(key)
      for (let i = 0; i < creditOf(60); i += 1)
        expect(limiter.take(key)).not.toBeInstanceOf(Promise)
      // Then for the booking.
      expect(limiter.take(key)).toBeInstanceOf(Promise)
    }
    expect(await other.take(key)).toMatchObject({ remaining: 60 - 6 })
  })

  test('ten thousand requests of a large key wait for a handful of statements', async () => {
    await using limiter = start()
    const key = await owner(1_000_000)
    await limiter.take(key)
    let waited = 0
    for (let i = 0; i < 10_000; i += 1) {
      const answer = limiter.take(key)
      if (answer instanceof Promise) waited += 1
      expect((await answer).admitted).toBe(true)
    }
    expect(waited).toBe(0)
  })

  test('keys have buckets of their own, and memory holds a bounded number of them', async () => {
    await using limiter = start({ maxKeys: 10 })
    const keys = await Promise.all(Array.from({ length: 40 }, () => owner(2)))
    for (const key of keys) expect(await count([1, 2, 3].map(() => limiter.take(key)))).toBe(2)
    expect(limiter.size()).toBeLessThanOrEqual(11)
    // Forgotten here, remembered in the database.
    for (const key of keys) expect(await count([limiter.take(key)])).toBe(0)
  })

  test('a limit that was changed holds at once', async () => {
    await using limiter = start()
    const key = await owner(60)
    await limiter.take(key)
    expect(
      await count(Array.from({ length: 20 }, () => limiter.take({ ...key, perMinute: 5 }))),
    ).toBeLessThanOrEqual(5)
  })

  test('refills evenly', async () => {
    await using limiter = start()
    const key = await owner(600)
    expect(await count(Array.from({ length: 700 }, () => limiter.take(key)))).toBe(600)
    await sleep(1000)
    const later = await count(Array.from({ length: 100 }, () => limiter.take(key)))
    expect(later).toBeGreaterThanOrEqual(9)
    expect(later).toBeLessThanOrEqual(13)
  })
})

describe.each([2, 3])('%i instances', (instances) => {
  test('together never exceed the bucket by more than the credit of all but one, under load on all', async () => {
    await using resources = new AsyncDisposableStack()
    const limiters = Array.from({ length: instances }, () => resources.use(start()))
    const key = await owner(60)
    const startedAt = performance.now()
    let admitted = 0
    // Each of them hammers for three seconds.
    await Promise.all(
      limiters.map(async (limiter) => {
        while (performance.now() - startedAt < 3000) {
          const more = await count(Array.from({ length: 5 }, () => limiter.take(key)))
          admitted += more
          await sleep(1)
        }
      }),
    )
    const dripped = Math.ceil((performance.now() - startedAt) / 1000)
    expect(admitted).toBeGreaterThanOrEqual(60 + 2)
    expect(admitted).toBeLessThanOrEqual(60 + dripped + (instances - 1) * creditOf(60))
  })

  test('all knowing the key and asked in the same instant stay within the same bound, and what was too much is paid off', async () => {
    await using resources = new AsyncDisposableStack()
    const limiters = Array.from({ length: instances }, () => resources.use(start()))
    const key = await owner(60)
    for (const limiter of limiters) await limiter.take(key)
    const startedAt = performance.now()
    const burst = await count(
      limiters.flatMap((limiter) => Array.from({ length: 200 }, () => limiter.take(key))),
    )
    expect(burst + instances).toBeGreaterThanOrEqual(60)
    expect(burst + instances).toBeLessThanOrEqual(61 + (instances - 1) * creditOf(60))
    await sleep(100)
    const { rows } = await sql<{ ahead_s: number }>`
      select extract(epoch from full_at - now())::float8 as ahead_s from rate_limits where key_id = ${key.keyId}`.execute(
      world.owner.db,
    )
    // A token is a second: the shared bucket knows of every single one that was admitted.
    const elapsedS = (performance.now() - startedAt) / 1000
    expect((rows[0]?.ahead_s ?? 0) + elapsedS).toBeGreaterThanOrEqual(burst + instances - 1.5)
  })

  test('an even load below the limit is never refused', async () => {
    await using resources = new AsyncDisposableStack()
    const limiters = Array.from({ length: instances }, () => resources.use(start()))
    const key = await owner(6000)
    let refused = 0
    for (let i = 0; i < 300; i += 1) {
      const answer = await limiters[i % instances]?.take(key)
      if (!answer?.admitted) refused += 1
      if (i % 10 === 0) await sleep(20)
    }
    expect(refused).toBe(0)
  })
})

describe('with the database away', () => {
  test('each instance goes on with its own bucket, a quarter of it for who does not pay, and says so in the log', async () => {
    await using one = start()
    await using two = start()
    const paying = await owner(60)
    const free = await owner(60, false)
    await one.take(paying)
    await one.take(free)
    await two.take(paying)
    await sleep(100)
    await world.database.postgres.stop()
    try {
      world.lines.length = 0
      const startedAt = performance.now()
      const burst = (limiter: RateLimiter, key: BucketOwner) =>
        count(Array.from({ length: 200 }, () => limiter.take(key)))
      expect(await burst(one, paying)).toBeGreaterThanOrEqual(58)
      // Two instances, two buckets: that is the bound now.
      expect(await burst(two, paying)).toBeGreaterThanOrEqual(58)
      expect(await burst(one, free)).toBeLessThanOrEqual(18)
      expect(await burst(one, paying)).toBeLessThanOrEqual(3)
      expect(performance.now() - startedAt).toBeLessThan(2000)
      // A key seen for the first time is counted as well.
      const unseen = { keyId: crypto.randomUUID(), perMinute: 10, paying: true }
      expect(await burst(two, unseen)).toBeLessThanOrEqual(11)
      expect(
        world.lines.some(
          (line) => line.level === 'warn' && line.msg.startsWith('rate limits cannot be shared'),
        ),
      ).toBe(true)
    } finally {
      await world.database.restart()
    }
    // Back in business: the debt is known to all.
    await using third = start()
    await expect
      .poll(async () => (await third.take(paying)).remaining, { timeout: 10_000, interval: 200 })
      .toBeLessThan(30)
  })

  test('frozen, a request waits a third of a second at most', async () => {
    await using limiter = start()
    const key = await owner(60)
    await limiter.take(key)
    const [blocker] = [world.postgres('data_api')]
    const held = Promise.withResolvers<void>()
    const holding = blocker.transaction(async (trx) => {
      await sql`select from rate_limits where key_id = ${key.keyId} for update`.execute(trx)
      await held.promise
    })
    await sleep(100)
    const startedAt = performance.now()
    const admitted = await count(Array.from({ length: 20 }, () => limiter.take(key)))
    expect(performance.now() - startedAt).toBeLessThan(800)
    expect(admitted).toBe(20)
    held.resolve()
    await holding
  })
})
