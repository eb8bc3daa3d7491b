import { Problem } from '@twilight/service/errors'
import type { Guard, HttpEnv } from '@twilight/service/route'
import type { Context } from 'hono'
import type { KeyClass } from './api-key.ts'
import { bearerToken } from './bearer-token.ts'
import { type Caller, setCaller } from './caller.ts'
import type { KeyRecord } from './key-record.ts'
import type { LastUsed } from './last-used.ts'
import type { RateAnswer, RateLimiter } from './rate-limit.ts'
import { rateLimitHeaders, tooManyRequests } from './rate-limit-headers.ts'
import { challenge, type KeyVerifier } from './verify-key.ts'

/**
 * The guards of a route table: who has the key, may they, and not too often.
 *
 *     const { userKey, adminKey } = createGuards({ verifier, limiter, lastUsed })
 *     route('GET', '/price', { summary: 'Last close', guard: userKey({ scopes: ['data:read'] }) }, price)
 *
 * In this order: 401 without a valid key, 403 revoked, 429, then 403 for the wrong class, an expired
 * pass, a plan too low, a missing scope. With a warm cache all of it happens without a promise.
 */
export function createGuards({ verifier, limiter, lastUsed }: GuardOptions): Guards {
  function guard(name: string, wanted: Wanted): Guard<Caller> {
    return {
      name,
      scheme: { type: 'http', scheme: 'bearer', bearerFormat: bearerFormats[wanted.keyClass] },
      problems: problemsOf(wanted),
      admit(c) {
        const record = verifier.verify(bearerToken(c))
        return record instanceof Promise
          ? record.then((loaded) => limit(c, loaded, wanted))
          : limit(c, record, wanted)
      },
    }
  }

  function limit(c: Context<HttpEnv>, record: KeyRecord, wanted: Wanted): Caller | Promise<Caller> {
    const { keyId, userId, ratePerMinute } = record
    const { fields } = c.get('request')
    fields['user_id'] = userId
    fields['key_id'] = keyId
    const answer = limiter.take({ keyId, perMinute: ratePerMinute, paying: isPaying(record) })
    return answer instanceof Promise
      ? answer.then((given) => admit(c, record, given, wanted))
      : admit(c, record, answer, wanted)
  }

  function admit(
    c: Context<HttpEnv>,
    record: KeyRecord,
    answer: RateAnswer,
    wanted: Wanted,
  ): Caller {
    if (!answer.admitted) throw tooManyRequests(answer)
    // On the success as well: a client should slow down before it is refused.
    for (const [name, value] of rateLimitHeaders(answer)) setHeader(c, name, value)
    lastUsed.touch(record.keyId)
    const { userId, userName, keyId, scopes, plan } = record
    const caller = { userId, userName, keyId, scopes, plan }
    setCaller(c, caller)
    assertAllowed(record, wanted)
    return caller
  }

  return {
    userKey: ({ scopes = [], plan } = {}) => guard('user key', { keyClass: 'user', scopes, plan }),
    adminKey: ({ scopes = [] } = {}) =>
      guard('admin key', { keyClass: 'admin', scopes, plan: undefined }),
  }
}

export type GuardOptions = { verifier: KeyVerifier; limiter: RateLimiter; lastUsed: LastUsed }

export type Guards = {
  /** all of `scopes` must be the key's; `plan: 'pro'` also asks for a pass */
  userKey: (options?: { scopes?: readonly string[]; plan?: 'pro' }) => Guard<Caller>
  adminKey: (options?: { scopes?: readonly string[] }) => Guard<Caller>
}

type Wanted = { keyClass: KeyClass; scopes: readonly string[]; plan: 'pro' | undefined }

const bearerFormats: Record<KeyClass, string> = {
  user: 'td_ and 49 letters and digits',
  admin: 'tda_ and 49 letters and digits',
}

function problemsOf({ keyClass, plan }: Wanted): Guard<Caller>['problems'] {
  const always = [
    'missing_credentials',
    'invalid_token',
    'key_revoked',
    'forbidden',
    'rate_limited',
    'service_unavailable',
  ] as const
  return [
    ...always,
    ...(keyClass === 'user' ? (['subscription_expired'] as const) : []),
    ...(plan === undefined ? [] : (['plan_required'] as const)),
  ]
}

function isPaying({ plan, class: keyClass, paidUntilMs }: KeyRecord): boolean {
  return keyClass === 'admin' || (plan !== 'free' && (paidUntilMs ?? Infinity) > Date.now())
}

function assertAllowed(record: KeyRecord, { keyClass, scopes, plan }: Wanted): void {
  if (record.class !== keyClass) {
    throw new Problem('forbidden', {
      detail: `This needs ${keyClass === 'admin' ? 'an admin' : 'a user'} key.`,
    })
  }
  if (keyClass === 'user') assertPaid(record, plan)
  const missing = scopes.find((scope) => !record.scopes.includes(scope))
  if (missing !== undefined) {
    throw new Problem('forbidden', {
      detail: `This key lacks the scope ${missing}.`,
      headers: challenge('insufficient_scope', scopes.join(' ')),
    })
  }
}

function assertPaid({ plan: currentPlan, paidUntilMs }: KeyRecord, plan: 'pro' | undefined): void {
  if (paidUntilMs !== undefined && paidUntilMs <= Date.now()) {
    throw new Problem('subscription_expired', {
      detail: 'The pass of this key has ended. Buy another one to go on.',
      detailZh: '您的通行证已到期，续费后即可继续使用。',
      extensions: { current_plan: currentPlan, paid_until: new Date(paidUntilMs).toISOString() },
    })
  }
  if (plan !== undefined && currentPlan !== plan) {
    throw new Problem('plan_required', {
      detail: `This needs the plan ${plan}.`,
      detailZh: `该功能需要 ${plan} 套餐。`,
      extensions: { current_plan: currentPlan, required_plan: plan },
    })
  }
}

/** Straight to node's response where there is one: set on a finished answer it would rebuild it. */
function setHeader(c: Context<HttpEnv>, name: string, value: string): void {
  if (c.env?.outgoing) c.env.outgoing.setHeader(name, value)
  else c.header(name, value)
}
