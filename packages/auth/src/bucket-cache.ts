import type { RateAnswer } from './rate-limit.ts'
import type { TokenBucket } from './token-bucket.ts'

/**
 * This instance's copies of the buckets, at most `maxKeys` of them plus those with work under way. Who
 * was booked longest ago goes first; its next request reads the shared bucket again.
 */
export function createBucketCache(maxKeys: number) {
  const buckets = new Map<string, BucketCopy>()
  return {
    size: () => buckets.size,

    of({ keyId, perMinute, paying }: BucketOwner, nowMs: number): BucketCopy {
      const copy = buckets.get(keyId) ?? add(keyId, perMinute, nowMs)
      if (copy.perMinute !== perMinute) {
        copy.perMinute = perMinute
        // At most empty: how much of the other limit was owed says nothing about this one.
        copy.fullAtMs = Math.min(copy.fullAtMs, nowMs + 60_000)
      }
      copy.paying = paying
      return copy
    },

    /** It was just booked, so it is the last to go. */
    keep(copy: BucketCopy): void {
      if (buckets.delete(copy.keyId)) buckets.set(copy.keyId, copy)
    },
  }

  function add(keyId: string, perMinute: number, nowMs: number): BucketCopy {
    const copy: BucketCopy = {
      keyId,
      perMinute,
      paying: false,
      fullAtMs: nowMs,
      known: false,
      unbooked: 0,
      beingBooked: 0,
      waiters: [],
    }
    dropOldest()
    buckets.set(keyId, copy)
    return copy
  }

  function dropOldest(): void {
    if (buckets.size < maxKeys) return
    for (const copy of buckets.values().take(100)) {
      if (copy.unbooked + copy.beingBooked + copy.waiters.length > 0) continue
      buckets.delete(copy.keyId)
      return
    }
  }
}

export type BucketOwner = { keyId: string; perMinute: number; paying: boolean }

export type BucketCopy = TokenBucket & {
  keyId: string
  paying: boolean
  /** false until the shared bucket was read once */
  known: boolean
  /** admitted here and not yet told to the database */
  unbooked: number
  /** told, not yet answered */
  beingBooked: number
  waiters: PromiseWithResolvers<RateAnswer>[]
}
