/** The database cannot be asked right now; the same work may succeed once it is back. */
export class DatabaseUnavailableError extends Error {
  override readonly name = 'DatabaseUnavailableError'
}

/**
 * What a failed statement means for the one who sent it.
 *
 *     if (classifyPostgresError(error) === 'conflict') return 'already there'
 *
 * - `unavailable`: lost, frozen, starting, full or read-only; wait, then try again
 * - `retry`: serialization failure or deadlock; run the whole transaction again at once
 * - `timeout`: a statement or lock took too long
 * - `conflict`: a unique key exists already
 * - `other`: the statement itself is wrong or not allowed
 */
export function classifyPostgresError(error: unknown): PostgresErrorKind {
  if (error instanceof DatabaseUnavailableError) return 'unavailable'
  const code = codeOf(error)
  if (code === '40001' || code === '40P01') return 'retry'
  if (code === '23505') return 'conflict'
  if (code === '55P03' || code === '57014') return 'timeout'
  if (unavailableCodes.has(code) || code.startsWith('08')) return 'unavailable'
  return unavailableMessages.test(error instanceof Error ? error.message : '')
    ? 'unavailable'
    : 'other'
}

export type PostgresErrorKind = 'unavailable' | 'retry' | 'timeout' | 'conflict' | 'other'

// Going down, crashed, starting up, too many connections, ended for idling in a transaction, read-only;
// then what the socket says.
const unavailableCodes = new Set(
  (
    '57P01 57P02 57P03 53300 25P03 25006 ' +
    'ECONNREFUSED ECONNRESET EPIPE ETIMEDOUT EHOSTUNREACH ENETUNREACH ENOTFOUND EAI_AGAIN'
  ).split(' '),
)

// The client library has no codes for what it notices itself.
const unavailableMessages =
  /^(Query read timeout|Connection terminated|timeout exceeded when trying to connect|Client (has encountered a connection error|was closed))/

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : ''
}
