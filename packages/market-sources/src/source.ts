/**
 * What every upstream of market data has in common: a switch, a budget, typed failures, a state to
 * show, and a receipt for each answer.
 */
export type SourceState = {
  source: string
  enabled: boolean
  /** false while the whole source is stopped or its last answer was a failure */
  ok: boolean
  lastSuccessAt?: string
  lastFailure?: { at: string; api: string; kind: FailureKind }
  running: number
  waiting: number
  callsLastMinute: number
  retriesLastMinute: number
  circuits: CircuitState[]
}

export type CircuitState = {
  api: string
  state: 'closed' | 'open' | 'half_open'
  reason?: FailureKind
  openUntil?: string
}

/** What came over the wire, for the archive. The body never holds a secret of ours. */
export type Receipt = {
  source: string
  api: string
  /** the body after decompression */
  body: Uint8Array
  sha256: string
  fetchedAt: string
  /** the upstream's own id of the answer, when it gave one */
  requestId?: string
}

/** Ask the shared budget for one call; rejects (or waits) when there is none left. */
export type SpendBudget = (cost: {
  api: string
  points: number
  signal: AbortSignal
}) => Promise<void>

export type FailureKind =
  | 'switched_off'
  | 'timeout'
  | 'unreachable'
  | 'http_status'
  | 'bad_answer'
  /** well formed and wrong: another code, another day, an impossible price */
  | 'upstream_lie'
  | 'quota'
  | 'budget_spent'
  | 'no_permission'
  | 'bad_token'
  | 'too_many_addresses'
  | 'bad_request'
  | 'circuit_open'
  | 'overloaded'
  /** the caller gave up */
  | 'aborted'
  | 'unknown_error'

export type FailureOptions = {
  source: string
  api: string
  /** when asking again may help */
  retryAt?: Date
  /** the limit the upstream named, to correct our budget with */
  limit?: QuotaLimit
  /** the upstream's own error number */
  upstreamCode?: number
  cause?: unknown
}

export type QuotaLimit = { calls: number; per: QuotaPeriod }
export type QuotaPeriod = 'minute' | 'hour' | 'day'

/**
 * Why a source gave no answer. "Could not fetch" is always one of these; "does not exist" never is.
 *
 *     if (error instanceof SourceFailure && error.kind === 'quota') retryAfter(error.retryAt)
 */
export class SourceFailure extends Error {
  readonly kind: FailureKind
  readonly source: string
  readonly api: string
  readonly retryAt: Date | undefined
  readonly limit: QuotaLimit | undefined
  readonly upstreamCode: number | undefined

  constructor(kind: FailureKind, message: string, options: FailureOptions) {
    super(
      `${options.source} ${options.api}: ${message}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    this.name = 'SourceFailure'
    this.kind = kind
    this.source = options.source
    this.api = options.api
    this.retryAt = options.retryAt
    this.limit = options.limit
    this.upstreamCode = options.upstreamCode
  }
}
