import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { WireFault } from './fault-kinds.ts'
import type { Misbehaviour } from './faults.ts'
import type { Answer } from './third-party.ts'

/** No fault holds a connection longer than this. */
export const longestHoldMs = 60_000
const defaultSlowMs = 3_000

/** Sends an answer the way a fault wants it sent. Ends when the connection has its answer, or is gone. */
export async function misbehave(
  how: Misbehaviour & { kind: WireFault },
  answer: () => Answer,
  response: ServerResponse,
): Promise<void> {
  switch (how.kind) {
    case 'timeout':
      await waitUntilGone(response, longestHoldMs)
      response.destroy()
      return
    case 'slow':
      await waitUntilGone(response, Math.min(how.delayMs || defaultSlowMs, longestHoldMs))
      return sendAnswer(answer(), response)
    case 'trickle':
      return trickle(answer(), response)
    case 'refused':
      response.socket?.resetAndDestroy()
      return
    case 'reset':
      return resetMidBody(answer(), response)
    case 'truncated': {
      // Well-formed HTTP around a document that ends in the middle.
      const whole = answer()
      return sendAnswer(
        { ...whole, body: whole.body.slice(0, Math.floor(whole.body.length * 0.6)) },
        response,
      )
    }
    case 'garbled':
      return sendAnswer({ ...answer(), body: '\u0000\u0013{"code":0,,"data":[[<<\ufffd' }, response)
    case 'empty_body':
      return sendAnswer({ ...answer(), body: '' }, response)
    case 'html':
      return sendAnswer(page(200, '系统维护中', '服务器正在维护，请稍后再试。'), response)
    case 'http_500':
      return sendAnswer(
        {
          status: 500,
          headers: { 'content-type': 'text/plain' },
          body: 'Internal Server Error',
          outcome: '',
        },
        response,
      )
    case 'http_502_html':
      return sendAnswer(page(502, '502 Bad Gateway', '<hr><center>nginx/1.24.0</center>'), response)
    case 'http_429':
      return sendAnswer(tooManyRequests(how), response)
    case 'gzip_unasked':
      return sendGzip(answer(), response)
    default:
      how.kind satisfies never
  }
}

/** Sends an answer as a well-behaved server does, compressed when the client asked for it. */
export function sendAnswer(answer: Answer, response: ServerResponse): void {
  if (response.destroyed) return
  const accepts = response.req.headers['accept-encoding'] ?? ''
  if (/\bgzip\b/.test(accepts) && answer.body.length > 1_024) return sendGzip(answer, response)
  const body = Buffer.from(answer.body)
  response.writeHead(answer.status, { ...answer.headers, 'content-length': body.length }).end(body)
}

function sendGzip(answer: Answer, response: ServerResponse): void {
  if (response.destroyed) return
  // Level 1: a full market day is half a megabyte, and this is a simulation, not a CDN.
  const body = gzipSync(answer.body, { level: 1 })
  response
    .writeHead(answer.status, {
      ...answer.headers,
      'content-encoding': 'gzip',
      'content-length': body.length,
    })
    .end(body)
}

async function resetMidBody(answer: Answer, response: ServerResponse): Promise<void> {
  const body = Buffer.from(answer.body)
  response.writeHead(answer.status, {
    ...answer.headers,
    'content-length': Math.max(body.length, 2),
  })
  response.write(body.subarray(0, Math.max(1, Math.floor(body.length / 2))))
  // A reset sent at once would overtake the bytes before it.
  await waitUntilGone(response, 20)
  response.socket?.resetAndDestroy()
}

/** Ten bytes a second, until a minute has passed or the client has had enough. */
async function trickle(answer: Answer, response: ServerResponse): Promise<void> {
  const body = Buffer.from(answer.body)
  response.writeHead(answer.status, { ...answer.headers, 'content-length': body.length })
  for (let second = 0; second * 1_000 < longestHoldMs && !response.destroyed; second += 1) {
    const piece = body.subarray(second * 10, second * 10 + 10)
    if (piece.length === 0) break
    response.write(piece)
    await waitUntilGone(response, 1_000)
  }
  if (body.length <= longestHoldMs / 100) response.end()
  else response.destroy()
}

/** Waits, but not longer than the client does. */
async function waitUntilGone(response: ServerResponse, ms: number): Promise<void> {
  if (response.destroyed) return
  const gone = new AbortController()
  const leave = (): void => gone.abort()
  response.once('close', leave)
  try {
    await sleep(ms, undefined, { signal: gone.signal })
  } catch (error) {
    // Only our own abort ends the sleep early: the client left, which is an answer too.
    if (!gone.signal.aborted) throw error
  } finally {
    response.off('close', leave)
  }
}

function page(status: number, title: string, text: string): Answer {
  const body = `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n${text}\r\n</body>\r\n</html>\r\n`
  return { status, headers: { 'content-type': 'text/html; charset=utf-8' }, body, outcome: '' }
}

function tooManyRequests({ retryAfter, delayMs }: Misbehaviour): Answer {
  const seconds = Math.max(1, Math.round(delayMs / 1_000)) % 3_600
  const header = {
    seconds: { 'retry-after': String(seconds) },
    date: { 'retry-after': new Date(Date.now() + seconds * 1_000).toUTCString() },
    absent: {},
    absurd: { 'retry-after': '86400' },
  }[retryAfter]
  return {
    status: 429,
    headers: { 'content-type': 'text/plain', ...header },
    body: 'Too Many Requests',
    outcome: '',
  }
}
