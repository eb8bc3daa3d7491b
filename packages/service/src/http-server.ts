import { once } from 'node:events'
import { STATUS_CODES, createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'
import { Problem, StartError, problemHeaders, toProblemBody, toProblemResponse } from './errors.ts'
import type { HttpApp } from './http.ts'
import type { Logger } from './log.ts'
import { newRequestId } from './request-id.ts'

export type HttpServerOptions = {
  app: HttpApp
  log: Logger
  /** 0 takes any free port; `url` then says which */
  port: number
  /** default 127.0.0.1: only what stands in front of us gets in */
  host?: string
  /** time between saying "draining" and closing the door, for a proxy to notice; default 1000 */
  drainDelayMs?: number
  /** how long running requests may take to end after that; default 10 000 */
  drainDeadlineMs?: number
}

export type HttpServer = {
  url: string
  port: number
  [Symbol.asyncDispose](): Promise<void>
}

const maxHeaders = 64

/** Bounds against slow and greedy clients; one header block and one body must arrive within these. */
const limits = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  connectionsCheckingInterval: 2000,
  // Longer than the proxies in front keep theirs, so that we are never the one to close first.
  keepAliveTimeout: 120_000,
  maxHeaderSize: 16 * 1024,
  // The adapter refuses a request without a Host too, and says so in a body.
  requireHostHeader: false,
}

/**
 * Serves an app until disposed. Disposing drains: `/healthz` says so, every answer closes its
 * connection, and only then the door shuts, so that no request that was let in fails.
 *
 *     await using server = await serveHttp({ app, port: 8080, log })
 */
export async function serveHttp(options: HttpServerOptions): Promise<HttpServer> {
  const {
    app,
    log,
    port,
    host = '127.0.0.1',
    drainDelayMs = 1000,
    drainDeadlineMs = 10_000,
  } = options
  const answers = trackAnswers()
  let draining = false

  const listener = getRequestListener(
    (request, bindings) => app.fetch(request, draining ? { ...bindings, draining } : bindings),
    { errorHandler: (error) => answerUnroutable(error, log) },
  )
  const server = createServer(limits, (incoming, outgoing) => {
    answers.begin(incoming, outgoing)
    if (draining) outgoing.setHeader('connection', 'close')
    if (incoming.rawHeaders.length > maxHeaders * 2) refuse(outgoing, tooManyHeaders())
    else void listener(incoming, outgoing)
  })
  // Node drops headers beyond its count silently; one more than we allow lets us refuse them aloud.
  server.maxHeadersCount = maxHeaders + 1
  server.maxConnections = 2000
  server.maxRequestsPerSocket = 10_000
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    answerBrokenClient(error, socket, answers.lastOf(socket)?.headersSent ?? false)
    log.debug({ code: error.code }, 'broken request')
  })

  await listen(server, port, host)
  const address = server.address()
  const actualPort = typeof address === 'object' && address ? address.port : port
  const name = host.includes(':') ? `[${host}]` : host
  const url = `http://${name}:${actualPort}`
  log.info({ url }, 'listening')

  return {
    url,
    port: actualPort,
    async [Symbol.asyncDispose]() {
      draining = true
      const running = answers.running()
      log.info({ in_flight: running.length }, 'draining')
      for (const outgoing of running) {
        if (!outgoing.headersSent) outgoing.setHeader('connection', 'close')
      }
      await sleep(drainDelayMs)
      await closeServer(server, answers, drainDeadlineMs)
    },
  }
}

type Answers = ReturnType<typeof trackAnswers>

/** The last answer of each connection: those before it are written first. Cheaper than a listener on each. */
function trackAnswers() {
  const last = new Map<Duplex, ServerResponse>()
  return {
    begin(incoming: IncomingMessage, outgoing: ServerResponse): void {
      const { socket } = incoming
      if (!last.has(socket)) socket.once('close', () => last.delete(socket))
      last.set(socket, outgoing)
    },
    // An answer that is sent has let go of its socket; one whose socket closed is gone from the map.
    lastOf: (socket: Duplex) => unfinished(last.get(socket)),
    running: () => [...last.values()].filter((outgoing) => unfinished(outgoing) !== undefined),
  }
}

function unfinished(outgoing: ServerResponse | undefined): ServerResponse | undefined {
  return outgoing?.writableFinished || outgoing?.destroyed ? undefined : outgoing
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  const listening = Promise.withResolvers<void>()
  server.once('error', listening.reject)
  server.listen(port, host, listening.resolve)
  try {
    await listening.promise
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'EADDRINUSE') {
      throw new StartError(
        `Port ${port} on ${host} is taken: stop what listens there or choose another port.`,
        { cause },
      )
    }
    if (code === 'EACCES') {
      throw new StartError(`Port ${port} on ${host} is not ours to open: choose one above 1023.`, {
        cause,
      })
    }
    throw new StartError(`Cannot listen on ${host}:${port} (${String(code)}).`, { cause })
  }
  server.removeListener('error', listening.reject)
}

async function closeServer(server: Server, answers: Answers, deadlineMs: number): Promise<void> {
  await acceptWaiting(server)
  const closed = once(server, 'close')
  const door = { open: true }
  server.close(() => {
    door.open = false
  })
  const deadline = performance.now() + deadlineMs
  // A connection that has sent half a header is no request yet: it gets a second, not the deadline.
  const halfOpenUntil = performance.now() + Math.min(1000, deadlineMs)
  while (
    door.open &&
    performance.now() < (answers.running().length > 0 ? deadline : halfOpenUntil)
  ) {
    await sleep(20)
    server.closeIdleConnections()
  }
  server.closeAllConnections()
  await closed
}

/**
 * Closing resets every connection that still waits in the kernel, and node accepts one per turn of the
 * event loop: turn it until a turn brings neither a connection nor a request, so that none can have
 * come in behind our back. Under a load that never pauses, half a second of trying is enough.
 */
async function acceptWaiting(server: Server): Promise<void> {
  let events = 0
  const count = () => {
    events += 1
  }
  server.on('connection', count).on('request', count)
  const giveUpAt = performance.now() + 500
  for (let before = -1; before !== events && performance.now() < giveUpAt;) {
    before = events
    await setImmediate()
  }
  server.off('connection', count).off('request', count)
}

function answerUnroutable(error: unknown, log: Logger): Response {
  // The adapter could not make a request of it (a bad Host, a backslash in the path), or the app broke.
  const badRequest = error instanceof Error && error.name === 'RequestError'
  if (!badRequest) log.error({ err: error }, 'request failed outside the app')
  const problem = badRequest
    ? new Problem('malformed_request', {
        detail: 'The request target or Host is not valid.',
        cause: error,
      })
    : error
  return toProblemResponse(problem, { requestId: newRequestId() })
}

function tooManyHeaders(): Problem {
  return new Problem('headers_too_large', { detail: `Send at most ${maxHeaders} headers.` })
}

function refuse(outgoing: ServerResponse, problem: Problem): void {
  const body = JSON.stringify(toProblemBody(problem, { requestId: newRequestId() }))
  outgoing.writeHead(problem.status, { ...problemHeaders(problem), connection: 'close' }).end(body)
}

/** What node could not parse never becomes a request: answer on the bare socket where that is still possible. */
function answerBrokenClient(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  answering: boolean,
): void {
  if (!socket.writable || answering || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const problem = brokenClientProblem(error.code)
  const body = JSON.stringify(toProblemBody(problem, { requestId: newRequestId() }))
  const headers = {
    ...problemHeaders(problem),
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`
  socket.end(`${head}\r\n${lines.join('')}\r\n${body}`, () => socket.destroy())
}

function brokenClientProblem(code: string | undefined): Problem {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new Problem('headers_too_large', {
      detail: `Headers and URL may hold ${limits.maxHeaderSize} bytes.`,
    })
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Problem('request_timeout')
  return new Problem('malformed_request', { detail: 'This is not a valid HTTP request.' })
}
