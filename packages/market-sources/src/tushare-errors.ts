import { addDays, marketDateAt, shanghaiInstant } from './market-date.ts'
import type { FailureKind, QuotaLimit, QuotaPeriod } from './source.ts'

export type TushareVerdict = {
  kind: FailureKind
  /** before then the same call is pointless */
  retryAt?: Date
  limit?: QuotaLimit
}

/**
 * What an error answer means. The number 40203 means both "too fast" and "not allowed", and both
 * sentences can hold 权限: the words decide, those about frequency first.
 *
 *     classifyTushareError(40203, '抱歉，您每分钟最多访问该接口500次', now)
 *     // { kind: 'quota', retryAt: <next minute>, limit: { calls: 500, per: 'minute' } }
 */
export function classifyTushareError(code: number, message: string, now: Date): TushareVerdict {
  const period = periodOf(message)
  if (period !== undefined) return quota(period, message, now)
  if (/没有.*权限|积分/.test(message)) {
    return { kind: 'no_permission', retryAt: later(now, permissionRecheckMs) }
  }
  if (/IP数量/i.test(message)) {
    return { kind: 'too_many_addresses', retryAt: later(now, haltRecheckMs) }
  }
  // 40101 also answers a body it cannot read, which is our bug and not the token's.
  if (/必填|参数|json/i.test(message) || code === -2001) return { kind: 'bad_request' }
  if (/token/i.test(message) || code === 40101) {
    return { kind: 'bad_token', retryAt: later(now, haltRecheckMs) }
  }
  if (code === -2002 || code === 2002) {
    return { kind: 'no_permission', retryAt: later(now, permissionRecheckMs) }
  }
  if (code >= 40200 && code <= 40299) return quota('minute', message, now)
  return { kind: 'unknown_error' }
}

// Permission can be bought while we run, and a token repaired upstream: look again, but rarely.
const permissionRecheckMs = 3_600_000
const haltRecheckMs = 900_000

// 频率超限 heads the sentence for every period, so hour and day are looked for before it.
function periodOf(message: string): QuotaPeriod | undefined {
  if (/每天|次\/天|每日|次\/日/.test(message)) return 'day'
  if (/每小时|次\/小时/.test(message)) return 'hour'
  return /每分钟|次\/分钟|频率超限|频繁/.test(message) ? 'minute' : undefined
}

function quota(per: QuotaPeriod, message: string, now: Date): TushareVerdict {
  const calls = Number(/(?:最多访问该接口|\()(\d{1,9})次/.exec(message)?.[1])
  return {
    kind: 'quota',
    retryAt: endOf(per, now),
    ...(calls > 0 && { limit: { calls, per } }),
  }
}

function endOf(period: QuotaPeriod, now: Date): Date {
  if (period === 'day') return shanghaiInstant(addDays(marketDateAt(now), 1), '00:00')
  const lengthMs = period === 'minute' ? 60_000 : 3_600_000
  return new Date((Math.floor(now.getTime() / lengthMs) + 1) * lengthMs)
}

function later(now: Date, ms: number): Date {
  return new Date(now.getTime() + ms)
}
