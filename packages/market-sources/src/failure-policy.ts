import type { Outcome } from './circuit-breaker.ts'
import type { FailureKind, SourceFailure } from './source.ts'

type Policy = {
  /** calls in all that this failure is worth */
  attempts: number
  /** what it says about the upstream */
  breaker: 'failure' | 'timeout' | 'closed_until' | 'halted_until' | 'neutral'
}

const policies: Record<FailureKind, Policy> = {
  timeout: { attempts: 4, breaker: 'timeout' },
  unreachable: { attempts: 4, breaker: 'timeout' },
  http_status: { attempts: 4, breaker: 'failure' },
  bad_answer: { attempts: 4, breaker: 'failure' },
  unknown_error: { attempts: 2, breaker: 'failure' },
  upstream_lie: { attempts: 1, breaker: 'failure' },
  quota: { attempts: 4, breaker: 'closed_until' },
  no_permission: { attempts: 1, breaker: 'closed_until' },
  bad_token: { attempts: 1, breaker: 'halted_until' },
  too_many_addresses: { attempts: 1, breaker: 'halted_until' },
  bad_request: { attempts: 1, breaker: 'neutral' },
  switched_off: { attempts: 1, breaker: 'neutral' },
  budget_spent: { attempts: 1, breaker: 'neutral' },
  circuit_open: { attempts: 1, breaker: 'neutral' },
  overloaded: { attempts: 1, breaker: 'neutral' },
  aborted: { attempts: 1, breaker: 'neutral' },
}

export type RetryQuestion = {
  failure: SourceFailure
  /** calls made so far */
  attempt: number
  /** epoch milliseconds */
  begun: number
  now: number
  deadline: number
  baseMs: number
}

/** How long to wait before another attempt; undefined when none is worth it. */
export function retryDelay({
  failure,
  attempt,
  begun,
  now,
  deadline,
  baseMs,
}: RetryQuestion): number | undefined {
  if (attempt >= policies[failure.kind].attempts) return undefined
  // A quota ends at a known time, for which the caller waits before its next call.
  if (failure.kind === 'quota')
    return failure.retryAt && failure.retryAt.getTime() + 500 < deadline ? 0 : undefined
  const delayMs = Math.random() * baseMs * 2 ** (attempt - 1)
  // With less than 40 % of the time left a second answer would come too late for whoever waits.
  return deadline - now - delayMs < (deadline - begun) * 0.4 ? undefined : delayMs
}

/** What the failure of a call that reached the upstream means for its circuit. */
export function outcomeOf(failure: SourceFailure, now: number): Outcome {
  const { breaker } = policies[failure.kind]
  switch (breaker) {
    case 'neutral':
      return { kind: 'neutral' }
    case 'closed_until':
    case 'halted_until':
      return {
        kind: breaker,
        until: failure.retryAt?.getTime() ?? now,
        reason: failure.kind,
      }
    case 'failure':
    case 'timeout':
      return { kind: 'failure', timeout: breaker === 'timeout', reason: failure.kind }
    default:
      return breaker satisfies never
  }
}
