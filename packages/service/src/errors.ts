import type { ZodError } from 'zod'
import { problemCodes } from './problem-codes.ts'
import type { ProblemCode, ProblemStatus } from './problem-codes.ts'
import { currentTrace } from './trace.ts'

/** One thing wrong with one input: a query, path or header parameter, or a place in the body. */
export type InputFault = {
  detail: string
  parameter?: string
  in?: 'query' | 'path' | 'header'
  pointer?: string
}

export type ProblemOptions = {
  /** what the client may read about this occurrence, in English; never upstream bodies, SQL, hosts */
  detail?: string
  /** the same in Chinese */
  detailZh?: string
  /** what only the log may read */
  internal?: string
  cause?: unknown
  errors?: InputFault[]
  /** sent as Retry-After; give it with every 429 and 503 */
  retryAfterSeconds?: number
  /** further response headers, such as Allow or RateLimit */
  headers?: Record<string, string>
  /** further members of the body, such as current_plan */
  extensions?: Record<string, unknown>
}

/**
 * A failure a client may see. The code decides the status; `detail` is public, `internal` and `cause`
 * stay in the log.
 *
 *     throw new Problem('unknown_code', { detail: 'No instrument has the code 999999.SH.' })
 */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly status: ProblemStatus
  readonly detail: string | undefined
  readonly options: ProblemOptions

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    super(
      options.internal ?? options.detail ?? problemCodes[code].en,
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    this.name = 'Problem'
    this.code = code
    this.status = problemCodes[code].status
    this.detail = options.detail
    // Not enumerable: a log line shows the problem's own fields, not its parts twice.
    this.options = options
    Object.defineProperty(this, 'options', { enumerable: false })
  }
}

/**
 * A failure to start whose message says all an operator needs: no stack is printed with it.
 *
 *     throw new StartError('Port 8080 is taken. Stop what listens there or set PORT.')
 */
export class StartError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StartError'
  }
}

export type ProblemContext = { requestId: string; instance?: string }

export type ProblemBody = {
  type: string
  title: string
  title_zh: string
  status: ProblemStatus
  code: ProblemCode
  detail?: string
  detail_zh?: string
  instance?: string
  request_id: string
  trace_id?: string
  errors?: InputFault[]
  [extension: string]: unknown
}

/** Any thrown value as a problem: what we do not know is `internal` and tells the client nothing. */
export function toProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem('internal', { cause: error })
}

/** The body that HTTP answers and NATS replies share. */
export function toProblemBody(
  error: unknown,
  { requestId, instance }: ProblemContext,
): ProblemBody {
  const { code, status, detail, options } = toProblem(error)
  const trace = currentTrace()
  return {
    ...options.extensions,
    type: `/problems#${code}`,
    title: problemCodes[code].en,
    title_zh: problemCodes[code].zh,
    status,
    code,
    ...(detail !== undefined && { detail }),
    ...(options.detailZh !== undefined && { detail_zh: options.detailZh }),
    ...(instance !== undefined && { instance }),
    request_id: requestId,
    ...(trace && { trace_id: trace.traceId }),
    ...(options.errors && { errors: options.errors }),
  }
}

/** The headers that belong to a problem: media type, challenge, when to come back. */
export function problemHeaders(error: unknown): Record<string, string> {
  const { code, status, options } = toProblem(error)
  return {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    // Revoked is 403 by our contract; the challenge still tells a client that its key is the reason.
    ...((status === 401 || code === 'key_revoked') && { 'www-authenticate': challenge(code) }),
    ...(options.retryAfterSeconds !== undefined && {
      'retry-after': String(Math.max(0, Math.ceil(options.retryAfterSeconds))),
    }),
    ...options.headers,
  }
}

/** The one mapper at the edge: whatever was thrown becomes an RFC 9457 answer. */
export function toProblemResponse(error: unknown, context: ProblemContext): Response {
  const body = toProblemBody(error, context)
  return new Response(JSON.stringify(body), { status: body.status, headers: problemHeaders(error) })
}

type Place = 'query' | 'path' | 'header' | 'body'

/** What zod found, as a 400 that names every field. */
export function invalidInput(error: ZodError, place: Place): Problem {
  const errors = error.issues.slice(0, maxFaults).flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') return fault(issue.message, issue.path, place)
    // An unknown key is named in the issue, not in its path.
    return issue.keys.map((key) => fault('unknown; leave it out', issue.path.concat(key), place))
  })
  const named = errors.map(({ parameter, pointer }) => parameter ?? pointer).join(', ')
  const detail = `Not valid: ${named}`.slice(0, 300)
  return new Problem('invalid_parameter', { detail, errors: errors.slice(0, maxFaults) })
}

const maxFaults = 20

function fault(detail: string, path: PropertyKey[], place: Place): InputFault {
  const keys = path.map((key) => String(key).slice(0, 100))
  if (place !== 'body') return { detail, parameter: keys.join('.'), in: place }
  return { detail, pointer: `#${keys.map((key) => `/${escapePointer(key)}`).join('')}` }
}

function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}

// RFC 6750: a request without credentials is told the scheme and no error.
function challenge(code: ProblemCode): string {
  const realm = 'Bearer realm="twilight"'
  return code === 'missing_credentials' ? realm : `${realm}, error="invalid_token"`
}
