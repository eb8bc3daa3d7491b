import { SourceFailure } from '@twilight/market-sources/source'
import type { QuotaLimit, SpendBudget } from '@twilight/market-sources/source'
import type { Database } from '@twilight/database/schema'
import type { Logger } from '@twilight/service/log'
import type { Kysely } from 'kysely'
import { bookCalls, learnLimit } from './budget-table.ts'
import type { Booking } from './budget-table.ts'

export type UpstreamBudget = {
  /** books one call before it is made; rejects with `budget_spent` and when the next window begins */
  spend: SpendBudget
  /** what the upstream said its limit is, when it refused; never rejects */
  learn(api: string, limit: QuotaLimit): Promise<void>
  state(): { shared: boolean; bookings: number }
}

export type UpstreamBudgetOptions = {
  db: Kysely<Database>
  source: string
  /** calls of each interface; no day limit when it is absent */
  limits: { minute: number; day?: number }
  log: Logger
  /** how long to do without the shared table after it failed; default 10 000 */
  localMs?: number
}

/**
 * The budget of an upstream, shared by all instances through Postgres. A few calls are booked per round
 * trip and are good for the current minute only. While Postgres is down each instance spends a fifth of
 * the limits on its own and books it afterwards.
 *
 *     createTushareClient({ spend: createUpstreamBudget({ db, source: 'tushare', limits, log }).spend, … })
 */
export function createUpstreamBudget(options: UpstreamBudgetOptions): UpstreamBudget {
  const { db, source, limits, log, localMs = 10_000 } = options
  const meters = new Map<string, Meter>()
  let localUntil = -Infinity
  let bookings = 0

  return {
    async spend({ api, signal }) {
      const meter = meterOf(api)
      // More than one turn only when others took what was booked; each booking is for at least one call.
      for (let turn = 0; turn < 50; turn += 1) {
        signal.throwIfAborted()
        if (performance.now() < localUntil) {
          spendLocally(api, meter)
          return
        }
        if (takeBooked(meter)) return
        if (meter.blockedUntil > performance.now()) throw spent(api, meter.blockedUntil)
        meter.refilling ??= refill(api, meter).finally(() => {
          meter.refilling = undefined
        })
        await meter.refilling
      }
      throw spent(api, performance.now() + 1000)
    },
    async learn(api, limit) {
      meterOf(api).left = 0
      log.warn({ source, api, ...limit }, 'the upstream named a limit that our budget was above')
      try {
        await learnLimit(db, { source, api, limit })
      } catch (error) {
        // Its own circuit is closed until the window ends; the next refusal teaches again.
        log.warn({ err: error, source, api }, 'the limit that the upstream named was not stored')
      }
    },
    state: () => ({ shared: performance.now() >= localUntil, bookings }),
  }

  function meterOf(api: string): Meter {
    const known = meters.get(api)
    if (known) return known
    if (meters.size >= maxApis) throw new Error(`More than ${maxApis} interfaces of ${source}.`)
    const made: Meter = {
      left: 0,
      from: 0,
      until: 0,
      blockedUntil: 0,
      local: { minute: 0, calls: 0 },
      debt: 0,
    }
    meters.set(api, made)
    return made
  }

  /** Never rejects: without the table the local budget takes over. */
  async function refill(api: string, meter: Meter): Promise<void> {
    const { debt } = meter
    try {
      const booking = await bookCalls(db, { source, api, limits, wanted: mostAtOnce, debt })
      bookings += 1
      meter.debt -= debt
      apply(meter, booking)
    } catch (error) {
      log.warn(
        { err: error, source, api },
        'no shared budget: a fifth of the limits until it is back',
      )
      localUntil = performance.now() + localMs
    }
  }

  function spendLocally(api: string, meter: Meter): void {
    const now = Date.now()
    const minute = Math.floor(now / minuteMs)
    if (meter.local.minute !== minute) meter.local = { minute, calls: 0 }
    const endsInMs = (minute + 1) * minuteMs - now
    const allowed = Math.max(1, Math.floor(limits.minute / 5))
    if (meter.local.calls >= allowed || endsInMs <= edgeMs || endsInMs > minuteMs - edgeMs) {
      const waitMs = endsInMs > minuteMs - edgeMs ? edgeMs : endsInMs + edgeMs
      throw spent(api, performance.now() + waitMs)
    }
    meter.local.calls += 1
    meter.debt += 1
  }

  function spent(api: string, until: number): SourceFailure {
    const retryAt = new Date(Date.now() + Math.max(0, until - performance.now()))
    return new SourceFailure('budget_spent', 'the budget of this window is spent', {
      source,
      api,
      retryAt,
    })
  }
}

type Meter = {
  /** booked and not made */
  left: number
  /** between these two moments of performance.now() what is left is good */
  from: number
  until: number
  blockedUntil: number
  local: { minute: number; calls: number }
  /** made without being booked */
  debt: number
  refilling?: Promise<void> | undefined
}

const maxApis = 200
const mostAtOnce = 10
const minuteMs = 60_000
// The upstream counts by its own clock: no call in the moments around a full minute, where it could land
// in the other one.
const edgeMs = 300

function takeBooked(meter: Meter): boolean {
  const now = performance.now()
  if (meter.left < 1 || now < meter.from || now >= meter.until) return false
  meter.left -= 1
  return true
}

function apply(meter: Meter, { granted, minuteBeganMs, minuteEndsMs, blockedMs }: Booking): void {
  const now = performance.now()
  meter.left = granted
  meter.from = now - minuteBeganMs + edgeMs
  meter.until = now + minuteEndsMs - edgeMs
  if (blockedMs !== undefined) meter.blockedUntil = now + blockedMs + edgeMs
  else if (now < meter.from) meter.blockedUntil = meter.from
  else if (now >= meter.until) meter.blockedUntil = now + minuteEndsMs + edgeMs
  else meter.blockedUntil = 0
}
