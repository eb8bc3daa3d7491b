import { SourceFailure } from './source.ts'
import type { CircuitState, FailureKind } from './source.ts'

/** How one call ended, for the breaker: `neutral` says nothing about the upstream's health. */
export type Outcome =
  | { kind: 'success' }
  | { kind: 'neutral' }
  | { kind: 'failure'; timeout: boolean; reason: FailureKind }
  /** quota, permission: not a failure, but pointless before then */
  | { kind: 'closed_until'; until: number; reason: FailureKind }
  /** the same for every api of this source: a dead token, too many addresses */
  | { kind: 'halted_until'; until: number; reason: FailureKind }

export type CircuitBreaker = {
  /** when calls of this api make sense again, and why not before; undefined when now */
  blockedUntil(api: string): { until: number; reason: FailureKind } | undefined
  /** throws a SourceFailure while blocked */
  check(api: string): void
  /** as check; else call what it returns exactly once with how the call went */
  enter(api: string): (outcome: Outcome) => void
  state(): CircuitState[]
}

/**
 * One circuit per api. Opens at 50 % failures of at least 20 calls in 30 s or after 5 timeouts in a row;
 * 15 s later one call may try, and each failed try doubles the wait up to 5 minutes.
 */
export function createCircuitBreaker({
  source,
  now,
}: {
  source: string
  now: () => number
}): CircuitBreaker {
  const circuits = new Map<string, Circuit>()
  let halted: { until: number; reason: FailureKind } | undefined

  const circuitOf = (api: string): Circuit => {
    const known = circuits.get(api)
    if (known) return known
    if (circuits.size >= maxCircuits)
      throw new Error(`More than ${maxCircuits} apis of ${source}: is one made of user input?`)
    const circuit: Circuit = {
      calls: [],
      timeouts: 0,
      openings: 0,
      openUntil: 0,
      reason: 'circuit_open',
      probing: false,
    }
    circuits.set(api, circuit)
    return circuit
  }

  const blockedUntil: CircuitBreaker['blockedUntil'] = (api) => {
    if (halted && halted.until > now()) return halted
    const circuit = circuits.get(api)
    if (!circuit) return undefined
    if (circuit.openUntil > now()) return { until: circuit.openUntil, reason: circuit.reason }
    // While one call probes, the others wait for its verdict.
    return circuit.probing ? { until: now() + 1000, reason: circuit.reason } : undefined
  }

  const check: CircuitBreaker['check'] = (api) => {
    const blocked = blockedUntil(api)
    if (!blocked) return
    const retryAt = new Date(blocked.until)
    // An api closed by a verdict about us says which; one closed by failures is `circuit_open`.
    const kind = verdicts.has(blocked.reason) ? blocked.reason : 'circuit_open'
    throw new SourceFailure(kind, `not called until ${retryAt.toISOString()}`, {
      source,
      api,
      retryAt,
    })
  }

  return {
    blockedUntil,
    check,
    enter(api) {
      check(api)
      const circuit = circuitOf(api)
      const probing = circuit.openings > 0
      circuit.probing = probing
      let settled = false
      return (outcome) => {
        if (settled) return
        settled = true
        if (probing) circuit.probing = false
        if (outcome.kind === 'halted_until') halted = outcome
        else settle({ circuit, outcome, at: now(), probing })
      }
    },
    state: () =>
      [...circuits].map(([api, circuit]) => {
        const blocked = blockedUntil(api)
        if (blocked) {
          return {
            api,
            state: 'open',
            reason: blocked.reason,
            openUntil: new Date(blocked.until).toISOString(),
          }
        }
        return { api, state: circuit.openings > 0 ? 'half_open' : 'closed' }
      }),
  }
}

type Circuit = {
  /** calls of the last 30 s, at most `maxRemembered` */
  calls: { at: number; failed: boolean }[]
  timeouts: number
  /** how often it opened without a success since; 0 is closed */
  openings: number
  openUntil: number
  reason: FailureKind
  probing: boolean
}

const maxCircuits = 200
const maxRemembered = 1000
const windowMs = 30_000
const firstOpenMs = 15_000
const longestOpenMs = 300_000

type Ending = {
  circuit: Circuit
  outcome: Exclude<Outcome, { kind: 'halted_until' }>
  at: number
  probing: boolean
}

function settle({ circuit, outcome, at, probing }: Ending): void {
  // A call that began before it opened says nothing about whether to open longer or to close.
  if (!probing && circuit.openUntil > at && outcome.kind !== 'closed_until') return
  switch (outcome.kind) {
    case 'neutral':
      return
    case 'closed_until':
      // The upstream answered, so what was counted against it is settled; only time helps now.
      Object.assign(circuit, {
        calls: [],
        timeouts: 0,
        openings: 0,
        openUntil: outcome.until,
        reason: outcome.reason,
      })
      return
    case 'success':
      if (circuit.openings > 0) circuit.calls = []
      remember(circuit, at, false)
      Object.assign(circuit, { timeouts: 0, openings: 0, openUntil: 0 })
      return
    case 'failure':
      remember(circuit, at, true)
      circuit.timeouts = outcome.timeout ? circuit.timeouts + 1 : 0
      if (circuit.openings > 0 || shouldOpen(circuit)) open(circuit, at, outcome.reason)
      return
    default:
      outcome satisfies never
  }
}

function remember(circuit: Circuit, at: number, failed: boolean): void {
  circuit.calls.push({ at, failed })
  circuit.calls = circuit.calls.filter((call) => call.at > at - windowMs).slice(-maxRemembered)
}

function shouldOpen({ calls, timeouts }: Circuit): boolean {
  const failures = calls.filter(({ failed }) => failed).length
  return timeouts >= 5 || (calls.length >= 20 && failures * 2 >= calls.length)
}

function open(circuit: Circuit, at: number, reason: FailureKind): void {
  circuit.openUntil = at + Math.min(firstOpenMs * 2 ** circuit.openings, longestOpenMs)
  circuit.openings = Math.min(circuit.openings + 1, 10)
  circuit.reason = reason
}

const verdicts: ReadonlySet<FailureKind> = new Set([
  'quota',
  'no_permission',
  'bad_token',
  'too_many_addresses',
])
