/**
 * A token bucket as one moment, "full again at": nothing has to tick. All times in milliseconds of a
 * clock that is never set back. It holds a minute's worth of tokens and refills evenly.
 */
export type TokenBucket = { perMinute: number; fullAtMs: number }

/** Tokens there are; less than zero when more was taken than there was. */
export function tokensOf(bucket: TokenBucket, nowMs: number): number {
  return bucket.perMinute - (Math.max(0, bucket.fullAtMs - nowMs) * bucket.perMinute) / minuteMs
}

/** `withheld`: how many of them are not to be had. */
export function hasToken(bucket: TokenBucket, nowMs: number, withheld = 0): boolean {
  return tokensOf(bucket, nowMs) - withheld >= 1 - rounding
}

export function spendTokens(bucket: TokenBucket, count: number, nowMs: number): void {
  bucket.fullAtMs = Math.max(bucket.fullAtMs, nowMs) + (count * minuteMs) / bucket.perMinute
}

/** How long until there is one token, or one more than now. */
export function msToNextToken(bucket: TokenBucket, nowMs: number): number {
  const tokens = tokensOf(bucket, nowMs)
  const next = Math.max(1, Math.floor(tokens + rounding) + 1)
  return ((Math.min(next, bucket.perMinute) - tokens) * minuteMs) / bucket.perMinute
}

const minuteMs = 60_000
const rounding = 0.001
