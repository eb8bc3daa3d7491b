import { Problem } from '@twilight/service/errors'
import type { RateAnswer } from './rate-limit.ts'

/**
 * The two fields of draft-ietf-httpapi-ratelimit-headers: `q` tokens at most in `w` seconds; `r` of them
 * left now and one more in `t` seconds, rounded up.
 */
export function rateLimitHeaders({ perMinute, remaining, nextTokenMs }: RateAnswer): Header[] {
  const seconds = Math.ceil(nextTokenMs / 1000)
  return [
    ['ratelimit-policy', policyOf(perMinute)],
    ['ratelimit', `"minute";r=${remaining};t=${seconds}`],
  ]
}

export function tooManyRequests(answer: RateAnswer): Problem {
  return new Problem('rate_limited', {
    detail: `This key may ask ${answer.perMinute} times per minute. Wait as Retry-After says.`,
    detailZh: `该密钥每分钟最多请求 ${answer.perMinute} 次，请按 Retry-After 稍后再试。`,
    // Never earlier than the token comes, and never "at once".
    retryAfterSeconds: Math.max(1, Math.ceil(answer.nextTokenMs / 1000)),
    headers: Object.fromEntries(rateLimitHeaders(answer)),
    extensions: { 'violated-policies': ['minute'] },
  })
}

type Header = [name: string, value: string]

const policies = new Map<number, string>()

function policyOf(perMinute: number): string {
  const known = policies.get(perMinute)
  if (known !== undefined) return known
  const policy = `"minute";q=${perMinute};w=60`
  // There are a handful of limits; were there many, nothing is lost by writing them anew.
  if (policies.size < 100) policies.set(perMinute, policy)
  return policy
}
