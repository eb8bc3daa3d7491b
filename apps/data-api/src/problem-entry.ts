import { toProblemBody, type Problem, toProblem } from '@twilight/service/errors'

/** A problem as one entry of an answer whose other entries are fine. */
export type ProblemEntry = {
  code: Problem['code']
  title: string
  title_zh: string
  detail?: string
  detail_zh?: string
  retry_after_seconds?: number
  [extension: string]: unknown
}

export function problemEntry(error: unknown): ProblemEntry {
  // Those members are of the whole answer: this is a part of one that succeeded.
  const {
    type: _type,
    status: _status,
    request_id: _request,
    trace_id: _trace,
    ...entry
  } = toProblemBody(error, { requestId: '' })
  const { retryAfterSeconds } = toProblem(error).options
  return {
    ...entry,
    ...(retryAfterSeconds !== undefined && { retry_after_seconds: Math.ceil(retryAfterSeconds) }),
  }
}
