import { setTimeout as sleep } from 'node:timers/promises'
import { BulkheadFull } from './bulkhead.ts'
import type { Bulkhead } from './bulkhead.ts'
import type { CircuitBreaker, Outcome } from './circuit-breaker.ts'
import { outcomeOf, retryDelay } from './failure-policy.ts'
import type { RetryBudget } from './retry-budget.ts'
import { SourceFailure } from './source.ts'
import type { FailureKind, SpendBudget } from './source.ts'
import { postToTushare } from './tushare-post.ts'
import type { TusharePage } from './tushare-post.ts'
import type { UpstreamHttp } from './upstream-http.ts'

export type TushareCall = {
  api: string
  params: Record<string, string>
  fields: readonly string[]
  points: number
  /** epoch milliseconds */
  deadline: number
  signal: AbortSignal
}

export type CallRecord = {
  api: string
  outcome: FailureKind | 'ok'
  durationMs: number
  bytes: number
  attempt: number
}

type Deps = {
  http: UpstreamHttp
  breaker: CircuitBreaker
  bulkhead: Bulkhead
  retries: RetryBudget
  token: { reveal(): string }
  spend: SpendBudget
  onCall: (record: CallRecord) => void
  retryBaseMs: number
  now: () => number
}

/** One page: circuit, budget, place, call, verdict; again while that is worth it and allowed. */
export function createTushareCall(deps: Deps): (call: TushareCall) => Promise<TusharePage> {
  const { retries, now } = deps

  return async (call) => {
    const begun = now()
    for (let attempt = 1; ; attempt += 1) {
      await waitForQuota(deps, call)
      try {
        return await attemptCall(deps, call, attempt)
      } catch (error) {
        if (!(error instanceof SourceFailure)) throw error
        const { deadline } = call
        const delayMs = retryDelay({
          failure: error,
          attempt,
          begun,
          now: now(),
          deadline,
          baseMs: deps.retryBaseMs,
        })
        if (delayMs === undefined || !retries.allowRetry()) throw error
        await pause(delayMs, call)
      }
    }
  }
}

async function waitForQuota({ breaker, now }: Deps, call: TushareCall): Promise<void> {
  const blocked = breaker.blockedUntil(call.api)
  if (blocked?.reason !== 'quota') return
  // Jitter, so that all who waited do not call in the first millisecond of the minute.
  const resumeAt = blocked.until + Math.random() * 500
  if (resumeAt < call.deadline) await pause(resumeAt - now(), call)
}

async function pause(ms: number, call: TushareCall): Promise<void> {
  try {
    await sleep(ms, undefined, { signal: call.signal })
  } catch (error) {
    throw endedBySignal(call, error)
  }
}

async function attemptCall(deps: Deps, call: TushareCall, attempt: number): Promise<TusharePage> {
  const { api, signal } = call
  try {
    // Asked before the budget is spent, and again by enter: the circuit may open while we queue.
    deps.breaker.check(api)
    await spendOne(deps, call)
    const place = await enterBulkhead(deps, call)
    try {
      return await guardedPost(deps, call, attempt)
    } finally {
      place[Symbol.dispose]()
    }
  } catch (error) {
    throw error instanceof SourceFailure || !signal.aborted ? error : endedBySignal(call, error)
  }
}

async function guardedPost(deps: Deps, call: TushareCall, attempt: number): Promise<TusharePage> {
  const { api } = call
  // A call that cannot be answered in time any more would be held against the upstream.
  if (call.deadline - deps.now() < leastCallMs) {
    throw new SourceFailure('timeout', 'too little time was left to call', { source, api })
  }
  const settle = deps.breaker.enter(api)
  const started = performance.now()
  let outcome: Outcome = { kind: 'neutral' }
  let bytes = 0
  const record = (kind: FailureKind | 'ok') => {
    deps.onCall({ api, outcome: kind, durationMs: performance.now() - started, bytes, attempt })
  }
  deps.retries.countCall()
  try {
    const page = await postToTushare(deps, call, (size) => {
      bytes = size
    })
    outcome = { kind: 'success' }
    record('ok')
    return page
  } catch (error) {
    if (!(error instanceof SourceFailure) && !call.signal.aborted) throw error
    const failure = error instanceof SourceFailure ? error : endedBySignal(call, error)
    outcome = outcomeOf(failure, deps.now())
    record(failure.kind)
    throw failure
  } finally {
    settle(outcome)
  }
}

async function spendOne({ spend }: Deps, { api, points, signal }: TushareCall): Promise<void> {
  try {
    await spend({ api, points, signal })
  } catch (error) {
    if (error instanceof SourceFailure || signal.aborted) throw error
    throw new SourceFailure('budget_spent', 'the shared budget allows no call now', {
      source,
      api,
      cause: error,
    })
  }
}

async function enterBulkhead(
  { bulkhead, now }: Deps,
  { api, signal }: TushareCall,
): Promise<Disposable> {
  try {
    return await bulkhead.enter(signal)
  } catch (error) {
    if (!(error instanceof BulkheadFull)) throw error
    throw new SourceFailure('overloaded', 'too many calls at once', {
      source,
      api,
      cause: error,
      retryAt: new Date(now() + 1000),
    })
  }
}

/** The deadline is a timeout, which counts against the upstream; the caller's own abort does not. */
function endedBySignal(
  { api, signal }: Pick<TushareCall, 'api' | 'signal'>,
  cause: unknown,
): SourceFailure {
  const reason: unknown = signal.reason
  const options = { source, api, cause }
  return reason instanceof Error && reason.name === 'TimeoutError'
    ? new SourceFailure('timeout', 'no whole answer within the deadline', options)
    : new SourceFailure('aborted', 'the caller gave up', options)
}

const source = 'tushare'
const leastCallMs = 200
