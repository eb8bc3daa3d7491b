import {
  createMcpHandler,
  isLegacyRequest,
  localhostAllowedOrigins,
  type McpServer,
  ProtocolErrorCode,
  validateOriginHeader,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server'
import type { Caller } from '@twilight/auth/caller'
import { meterRoutes, noteCost } from '@twilight/auth/metering'
import type { UsageQueue } from '@twilight/auth/usage-queue'
import { Problem } from '@twilight/service/errors'
import { annotate, type Guard, type HttpEnv, type Route, route } from '@twilight/service/route'
import type { Context } from 'hono'
import { createToolServer } from './mcp-server.ts'
import type { McpTool } from './mcp-tool.ts'

/**
 * `POST /mcp`: the tools over MCP's streamable HTTP, without sessions. One JSON-RPC message per request, answered
 * in one JSON body; each is one request of the key's limit and one usage record. Clients of 2026-07-28 are
 * served, and older ones that begin with `initialize`.
 *
 *     createHttpApp({ …, routes: mcpRoutes({ version, guard: userKey(), usage, tools }) })
 */
export function mcpRoutes({ version, guard, usage, tools }: McpDependencies): Route[] {
  const served = route(
    'POST',
    '/mcp',
    {
      summary: 'The tools over MCP: JSON-RPC in, JSON-RPC out',
      guard: refuseForeignPages(guard),
      body: 'bytes',
      bodyLimitBytes: 64 * 1024,
    },
    async ({ caller, body }, c) => {
      const message = parseMessage(body)
      // null and undefined are no messages either; the SDK takes undefined for a body it should read itself.
      if (message === undefined || message === null) return refuse('ParseError', 'not valid JSON')
      if (Array.isArray(message)) return refuse('InvalidRequest', 'send one message per request')
      const request = requestWithoutBody(c.req.raw)
      const newServer = () =>
        createToolServer({
          version,
          tools,
          userId: caller.userId,
          onCall: (name, outcome) => {
            noteCost(c, outcome)
            calls.set(c.get('request'), { endpoint: `/mcp ${name}`, status: outcome.status })
            annotate(c, { mcp_tool: name })
            // For the log line of this request, as if it had failed over HTTP.
            c.get('request').error = outcome.error
          },
        })
      if (await isLegacyRequest(request, message)) {
        return await answerOlderClient(newServer(), request, message)
      }
      const handler = createMcpHandler(newServer, {
        legacy: 'reject',
        // The tools do not change while a process lives: a stream would wait for nothing.
        maxSubscriptions: 0,
        onerror: (error) => annotate(c, { mcp_refused: error.message.slice(0, 200) }),
      })
      return await handler.fetch(request, { parsedBody: message })
    },
  )
  return [meterCalls(served, usage)]
}

export type McpDependencies = {
  version: string
  /** the one of the HTTP routes: same keys, same limits */
  guard: Guard<Caller>
  usage: Pick<UsageQueue, 'add'>
  tools: readonly McpTool[]
}

/** A page in a browser has no business here; a rebound host name would let any page in. */
function refuseForeignPages(guard: Guard<Caller>): Guard<Caller> {
  return {
    ...guard,
    admit(c) {
      const origin = validateOriginHeader(c.req.header('origin'), localhostAllowedOrigins())
      if (!origin.ok) {
        throw new Problem('forbidden', { detail: 'Pages of this origin may not call /mcp.' })
      }
      return guard.admit(c)
    },
  }
}

function parseMessage(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    // Whatever is wrong with it, the answer is the same: no message.
    return undefined
  }
}

/**
 * The same request for the SDK: its body has been read, and what was begun is finished (and metered) although
 * the client has gone. Who accepts JSON, or says nothing, is served: we never stream.
 */
function requestWithoutBody({ url, headers: given }: Request): Request {
  const headers = new Headers(given)
  const accepted = headers.get('accept') ?? '*/*'
  if (/application\/(?:\*|json)|\*\/\*/i.test(accepted)) {
    headers.set('accept', 'application/json, text/event-stream')
  }
  return new Request(url, { method: 'POST', headers })
}

/** createMcpHandler would serve them as well, but answers in a stream that ends after the metering. */
async function answerOlderClient(
  server: McpServer,
  request: Request,
  parsedBody: unknown,
): Promise<Response> {
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
  await server.connect(transport)
  try {
    return await transport.handleRequest(request, { parsedBody })
  } finally {
    await server.close()
  }
}

function refuse(code: 'ParseError' | 'InvalidRequest', why: string): Response {
  const error = { code: ProtocolErrorCode[code], message: `${code}: ${why}` }
  return Response.json({ jsonrpc: '2.0', id: null, error }, { status: 400 })
}

/** The tool that was called, for the usage record: HTTP knows only the route, and a 200 around every error. */
const calls = new WeakMap<object, { endpoint: string; status: number }>()

function meterCalls(served: Route, usage: Pick<UsageQueue, 'add'>): Route {
  return {
    ...served,
    answer: async (c: Context<HttpEnv>) => {
      const add: UsageQueue['add'] = (record) =>
        usage.add({ ...record, ...calls.get(c.get('request')) })
      const [metered = served] = meterRoutes([served], { add })
      return await metered.answer(c)
    },
  }
}
