import { SourceFailure } from './source.ts'
import type { FailureKind, FailureOptions } from './source.ts'
import { readTushareAnswer } from './tushare-answer.ts'
import type { TushareTable } from './tushare-answer.ts'
import { classifyTushareError } from './tushare-errors.ts'
import { HttpFault } from './upstream-http.ts'
import type { UpstreamHttp } from './upstream-http.ts'

export type TusharePage = {
  table: TushareTable
  body: Uint8Array
  fetchedAt: string
  requestId: string | undefined
}

type Question = {
  api: string
  params: Record<string, string>
  fields: readonly string[]
  signal: AbortSignal
}

type Deps = {
  http: UpstreamHttp
  token: { reveal(): string }
  now: () => number
}

/**
 * One HTTP call and the verdict on it. The token goes into the body and nowhere else. What fails becomes
 * a SourceFailure; only the end of the signal passes through as it is.
 */
export async function postToTushare(
  deps: Deps,
  question: Question,
  onBytes: (size: number) => void,
): Promise<TusharePage> {
  const { api, params, fields, signal } = question
  const token = deps.token.reveal()
  const failure = (kind: FailureKind, message: string, options: Partial<FailureOptions> = {}) =>
    new SourceFailure(kind, message, { source, api, ...options })

  const json = JSON.stringify({ api_name: api, token, params, fields: fields.join(',') })
  const answer = await deps.http.post(api, json, signal).catch((error: unknown) => {
    throw error instanceof HttpFault && !signal.aborted
      ? failure(error.kind, error.message, { cause: error.cause })
      : error
  })
  const body = withoutSecret(answer.body, token)
  onBytes(body.byteLength)
  const at = deps.now()
  if (answer.status === 429) {
    const waitMs = Math.min(answer.retryAfterSeconds ?? 60, 3600) * 1000
    throw failure('quota', 'answered with status 429', { retryAt: new Date(at + waitMs) })
  }
  const { status } = answer
  if (status !== 200) {
    throw failure('http_status', `answered with status ${status}`, { upstreamCode: status })
  }

  const parsed = parseAnswer(body, failure)
  if (parsed.table === undefined) {
    const verdict = classifyTushareError(parsed.code, parsed.message, new Date(at))
    throw failure(verdict.kind, `error ${parsed.code}: ${parsed.message}`, {
      upstreamCode: parsed.code,
      ...(verdict.retryAt && { retryAt: verdict.retryAt }),
      ...(verdict.limit && { limit: verdict.limit }),
    })
  }
  return {
    table: parsed.table,
    body,
    fetchedAt: new Date(at).toISOString(),
    requestId: parsed.requestId,
  }
}

function parseAnswer(
  body: Uint8Array,
  failure: (kind: FailureKind, message: string, options: { cause: unknown }) => SourceFailure,
) {
  try {
    return readTushareAnswer(body)
  } catch (cause) {
    // The parser's own message would quote the body; a body too deep to parse ends here as a RangeError.
    const isParserError =
      cause instanceof SyntaxError || cause instanceof RangeError || cause instanceof TypeError
    const why = cause instanceof Error && !isParserError ? cause.message : 'not whole JSON'
    throw failure('bad_answer', why, { cause })
  }
}

// An upstream that echoes the request must not carry the token into the archive.
function withoutSecret(body: Uint8Array, token: string): Uint8Array {
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  if (token === '' || !buffer.includes(token)) return body
  return Buffer.from(buffer.toString('utf8').replaceAll(token, '[secret]'))
}

const source = 'tushare'
