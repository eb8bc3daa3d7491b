import type { Database } from '@twilight/database/schema'
import type { Logger } from '@twilight/service/log'
import type { Kysely } from 'kysely'
import { type BucketCopy, type BucketOwner, createBucketCache } from './bucket-cache.ts'
import { type TakeAnswer, type TakeRequest, takeTokens } from './rate-limit-store.ts'
import { hasToken, msToNextToken, spendTokens, tokensOf } from './token-bucket.ts'

/**
 * A token bucket per key, shared by all instances through Postgres: a minute's worth at once at most,
 * refilled evenly.
 *
 *     await using limiter = createRateLimiter({ db: postgres.db, log })
 *     const answer = await limiter.take({ keyId, perMinute: 60, paying: true })
 *     answer.admitted // or wait answer.nextTokenMs
 *
 * A request is decided from memory: this instance's copy of the bucket, on credit of at most a twentieth
 * of the limit, which is booked in the shared one within 20 ms, all keys in one statement. Beyond the
 * credit, and at the first sight of a key, a request waits for that booking.
 * So `n` instances together admit at most `(n - 1) * creditOf(perMinute)` more than the bucket holds;
 * it is booked as debt, so not again before that is paid off. One instance alone never exceeds it.
 * With the database away each instance goes on with its copy: the whole bucket for who pays, a quarter
 * for others. What the copies then lack is booked afterwards.
 */
export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  const { db, log, maxKeys = 20_000, monotonicMs = () => performance.now() } = options
  const copies = createBucketCache(maxKeys)
  const unsettled = new Set<BucketCopy>()
  let timer: NodeJS.Timeout | undefined
  let booking: Promise<void> | undefined
  let stopping = false
  let awayUntilMs = -Infinity
  let warnedAtMs = -Infinity

  function take(owner: BucketOwner): RateAnswer | Promise<RateAnswer> {
    const nowMs = monotonicMs()
    const copy = copies.of(owner, nowMs)
    if (nowMs < awayUntilMs) return decideAlone(copy, nowMs)
    if (!copy.known) return queue(copy, nowMs)
    if (!hasToken(copy, nowMs)) return answer(copy, false, nowMs)
    if (copy.unbooked + copy.beingBooked >= creditOf(copy.perMinute)) return queue(copy, nowMs)
    return spend(copy, nowMs)
  }

  function spend(copy: BucketCopy, nowMs: number): RateAnswer {
    spendTokens(copy, 1, nowMs)
    copy.unbooked += 1
    schedule(copy)
    return answer(copy, true, nowMs)
  }

  function decideAlone(copy: BucketCopy, nowMs: number): RateAnswer {
    const withheld = copy.paying ? 0 : copy.perMinute * 0.75
    return hasToken(copy, nowMs, withheld) ? spend(copy, nowMs) : answer(copy, false, nowMs)
  }

  function queue(copy: BucketCopy, nowMs: number): RateAnswer | Promise<RateAnswer> {
    // No more can wait than could be admitted.
    if (copy.waiters.length >= Math.min(copy.perMinute, maxWaitersPerKey))
      return answer(copy, false, nowMs)
    const waiter = Promise.withResolvers<RateAnswer>()
    copy.waiters.push(waiter)
    schedule(copy)
    if (!booking) startBooking()
    return waiter.promise
  }

  function schedule(copy: BucketCopy): void {
    unsettled.add(copy)
    if (timer || booking || stopping) return
    timer = setTimeout(startBooking, Math.max(bookEveryMs, awayUntilMs - monotonicMs()))
  }

  function startBooking(): void {
    clearTimeout(timer)
    timer = undefined
    booking = book().finally(() => {
      booking = undefined
      const [next] = unsettled
      if (next && unsettled.values().some((copy) => copy.waiters.length > 0)) startBooking()
      else if (next) schedule(next)
    })
  }

  /** One statement for everything unsettled. Those who wait for it wait 300 ms at most. */
  async function book(): Promise<void> {
    const claims = [...unsettled.values().take(maxKeysPerBooking)].map((copy) => claim(copy))
    const patience = setTimeout(() => {
      beAway(new Error(`no answer within ${patienceMs} ms`))
      for (const { copy, waiters } of claims) letAlone(copy, waiters)
    }, patienceMs)
    try {
      const answers = await takeTokens(
        db,
        claims.map(({ request }) => request),
      )
      awayUntilMs = -Infinity
      for (const one of claims) settle(one, answers.get(one.copy.keyId), monotonicMs())
    } catch (error) {
      beAway(error)
      for (const { copy, waiters, request } of claims) {
        // Whether it was booked is unknown: booking it twice is the strict side.
        copy.beingBooked -= request.spent
        copy.unbooked += request.spent
        if (copy.unbooked > 0) unsettled.add(copy)
        letAlone(copy, waiters)
      }
    } finally {
      clearTimeout(patience)
    }
  }

  function claim(copy: BucketCopy): Claim {
    unsettled.delete(copy)
    const { keyId, perMinute, waiters } = copy
    // After an outage: what the copy lacks now, not all that was spent and has been refilled since.
    const lacking = Math.ceil(perMinute - tokensOf(copy, monotonicMs()))
    const spent = Math.max(0, Math.min(copy.unbooked, lacking))
    copy.waiters = []
    copy.unbooked = 0
    copy.beingBooked += spent
    return { copy, waiters, request: { keyId, perMinute, spent, wanted: waiters.length } }
  }

  function settle(
    { copy, waiters, request }: Claim,
    given: TakeAnswer | undefined,
    nowMs: number,
  ): void {
    // Without a bucket the key itself is gone, and dies at its next look-up.
    const { granted, fullInMs } = given ?? { granted: 0, fullInMs: 60_000 }
    copy.known = true
    copy.beingBooked -= request.spent
    // Waiters that were let in alone meanwhile have been paid for by what was granted to them.
    if (waiters.length === 0) copy.unbooked = Math.max(0, copy.unbooked - granted)
    copy.fullAtMs = nowMs + fullInMs
    spendTokens(copy, copy.unbooked + copy.beingBooked, nowMs)
    copies.keep(copy)
    waiters.forEach((waiter, index) => waiter.resolve(answer(copy, index < granted, nowMs)))
  }

  function letAlone(copy: BucketCopy, waiters: BucketCopy['waiters']): void {
    for (const waiter of waiters.splice(0)) waiter.resolve(decideAlone(copy, monotonicMs()))
  }

  function beAway(error: unknown): void {
    const nowMs = monotonicMs()
    awayUntilMs = nowMs + retryEveryMs
    for (const copy of unsettled) letAlone(copy, copy.waiters)
    if (nowMs - warnedAtMs < warnEveryMs) return
    warnedAtMs = nowMs
    log.warn({ err: error }, 'rate limits cannot be shared; each instance counts for itself')
  }

  return {
    take,
    size: copies.size,
    [Symbol.asyncDispose]: async () => {
      stopping = true
      clearTimeout(timer)
      await booking
      // Once: what cannot be booked now is at most one credit per key.
      if (unsettled.size > 0) await book()
    },
  }
}

export type RateLimiterOptions = {
  db: Kysely<Database>
  log: Logger
  /** buckets kept in memory; default 20 000 */
  maxKeys?: number
  /** default performance.now: a clock nobody sets back */
  monotonicMs?: () => number
}

export type RateLimiter = AsyncDisposable & {
  take: (owner: BucketOwner) => RateAnswer | Promise<RateAnswer>
  /** buckets held */
  size: () => number
}

export type RateAnswer = {
  admitted: boolean
  perMinute: number
  /** whole tokens left, of the same counter that decided */
  remaining: number
  nextTokenMs: number
}

/** What one instance may admit before the shared bucket knows: 3 of 60 per minute. */
export function creditOf(perMinute: number): number {
  return Math.max(1, Math.floor(perMinute / 20))
}

type Claim = { copy: BucketCopy; waiters: BucketCopy['waiters']; request: TakeRequest }

const bookEveryMs = 20
const patienceMs = 300
const retryEveryMs = 1000
const warnEveryMs = 10_000
const maxKeysPerBooking = 500
const maxWaitersPerKey = 1000

function answer(copy: BucketCopy, admitted: boolean, nowMs: number): RateAnswer {
  return {
    admitted,
    perMinute: copy.perMinute,
    remaining: Math.max(0, Math.floor(tokensOf(copy, nowMs) + 0.001)),
    nextTokenMs: msToNextToken(copy, nowMs),
  }
}
