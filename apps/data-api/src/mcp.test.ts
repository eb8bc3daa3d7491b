import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { setCaller } from '@twilight/auth/caller'
import type { UsageRecord } from '@twilight/auth/usage-event'
import { Problem } from '@twilight/service/errors'
import { createHttpApp } from '@twilight/service/http'
import { createLogger } from '@twilight/service/log'
import { createMetrics } from '@twilight/service/metrics'
import fc from 'fast-check'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTool } from './mcp-tool.ts'
import { mcpRoutes } from './mcp.ts'

const caller = {
  userId: '0190a3c8-1111-7000-8000-000000000001',
  userName: 'alpha-001',
  keyId: '0190a3c8-2222-7000-8000-000000000002',
  scopes: [],
  plan: 'pro',
}

// The route with a tool that needs nothing behind it: what is tested is everything between socket and tool.
const echo = defineTool({
  name: 'echo',
  title: 'Echo',
  description: 'Answers what it is told.',
  input: z.strictObject({ say: z.string(), fail: z.enum(['known', 'unknown']).optional() }),
  output: z.looseObject({ said: z.string(), by: z.string() }),
  answer: async (userId, { say, fail }) => {
    if (fail === 'known') {
      throw new Problem('source_unavailable', {
        detail: 'The source is away.',
        detailZh: '数据源暂不可用。',
        retryAfterSeconds: 59.2,
        internal: 'secret host',
      })
    }
    if (fail === 'unknown') throw new TypeError('secret host')
    await Promise.resolve()
    return { body: { said: say, by: userId }, cached: say !== 'fresh', costPoints: 3 }
  },
})

let usage: UsageRecord[]
let lines: string[]
let app: ReturnType<typeof createHttpApp>

beforeEach(() => {
  usage = []
  lines = []
  const log = createLogger({
    service: 'test',
    version: '0',
    destination: { write: (line) => void lines.push(line) },
  })
  app = createHttpApp({
    service: 'test',
    version: '0',
    log,
    metrics: createMetrics({ service: 'test', version: '0' }),
    routes: mcpRoutes({
      version: '0',
      tools: [echo],
      usage: { add: (record) => void usage.push(record) },
      guard: {
        name: 'test',
        scheme: { type: 'http' },
        problems: [],
        admit(c) {
          if (c.req.header('authorization') === undefined) throw new Problem('missing_credentials')
          setCaller(c, caller)
          return caller
        },
      },
    }),
  })
})

// The SDK imports node:process, and that alone opens standard input.
afterAll(() => void process.stdin.destroy())

/** A client of the SDK, with our app in place of the network. */
async function connect(options: ConstructorParameters<typeof Client>[1] = {}): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, options)
  const transport = new StreamableHTTPClientTransport(new URL('http://localhost/mcp'), {
    fetch: async (url, init) => await app.request(url, init),
    requestInit: { headers: { authorization: 'Bearer key' } },
  })
  await client.connect(transport)
  return client
}

const modern = { versionNegotiation: { mode: { pin: '2026-07-28' } } } as const
const text = (result: { content: unknown }) =>
  z.array(z.object({ type: z.literal('text'), text: z.string() })).parse(result.content)[0]?.text

describe.each([
  ['2026-07-28', modern],
  ['initialize', {}],
])('a client that speaks %s', (_name, options) => {
  test('lists the tools with strict inputs, outputs, and the hint that they only read', async () => {
    const client = await connect(options)
    const { tools } = await client.listTools()
    expect(tools).toMatchObject([
      {
        name: 'echo',
        inputSchema: { type: 'object', required: ['say'], additionalProperties: false },
        outputSchema: { type: 'object', required: ['said', 'by'] },
        annotations: { readOnlyHint: true, openWorldHint: false },
      },
    ])
    await client.close()
  })

  test('gets the same JSON as text and as structured content', async () => {
    const client = await connect(options)
    const result = await client.callTool({ name: 'echo', arguments: { say: '你好' } })
    expect(result.isError).not.toBe(true)
    expect(result.structuredContent).toEqual({ said: '你好', by: caller.userId })
    expect(JSON.parse(text(result) ?? '')).toEqual(result.structuredContent)
    await client.close()
  })

  test('gets a failure as a code it can act on, and nothing that was meant for us', async () => {
    const client = await connect(options)
    const call = (fail: string) => client.callTool({ name: 'echo', arguments: { say: '', fail } })
    const known = await call('known')
    expect(known.isError).toBe(true)
    expect(known.structuredContent).toBeUndefined()
    expect(JSON.parse(text(known) ?? '')).toEqual({
      error: {
        code: 'source_unavailable',
        message: 'The source is away.',
        message_zh: '数据源暂不可用。',
        retry_after: 60,
      },
    })
    const unknown = await call('unknown')
    expect(unknown.isError).toBe(true)
    expect(JSON.parse(text(unknown) ?? '')).toMatchObject({ error: { code: 'internal' } })
    expect(JSON.stringify([known, unknown])).not.toContain('secret host')
    // What the client may not know, the log line of the request says.
    expect(lines.filter((line) => line.includes('secret host'))).toHaveLength(2)
    await client.close()
  })

  test('is told which argument is wrong, in JSON and not in prose', async () => {
    const client = await connect(options)
    const wrong = await client.callTool({ name: 'echo', arguments: { say: 1, 说: 2 } })
    expect(wrong.isError).toBe(true)
    expect(JSON.parse(text(wrong) ?? '')).toMatchObject({
      error: {
        code: 'invalid_parameter',
        errors: [{ pointer: '#/say' }, { pointer: '#/说' }],
      },
    })
    await client.close()
  })

  test('is told that there is no such tool', async () => {
    const client = await connect(options)
    await expect(client.callTool({ name: 'sell_all', arguments: {} })).rejects.toThrow('sell_all')
    await client.close()
  })

  test('has each call metered by its tool, with its cost and the status HTTP would have', async () => {
    const client = await connect(options)
    usage.length = 0
    await client.callTool({ name: 'echo', arguments: { say: 'fresh' } })
    await client.callTool({ name: 'echo', arguments: { say: '', fail: 'known' } })
    await client.listTools()
    const record = { user_id: caller.userId, key_id: caller.keyId, method: 'POST' }
    expect(usage).toMatchObject([
      { ...record, endpoint: '/mcp echo', status: 200, cached: false, cost_points: 3 },
      { ...record, endpoint: '/mcp echo', status: 503, cached: false, cost_points: 0 },
      { ...record, endpoint: '/mcp', status: 200 },
    ])
    expect(new Set(usage.map((one) => one.request_id)).size).toBe(3)
    await client.close()
  })
})

test.each(['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'])(
  'the handshake of %s is answered in that version, without a session',
  async (protocolVersion) => {
    const hello = await post({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion, capabilities: {}, clientInfo: { name: 'old', version: '1' } },
    })
    expect(hello.status).toBe(200)
    expect(hello.headers.get('mcp-session-id')).toBeNull()
    expect(await hello.json()).toMatchObject({
      id: 1,
      result: { protocolVersion, capabilities: { tools: {} } },
    })
    const initialized = await post({ jsonrpc: '2.0', method: 'notifications/initialized' })
    expect(initialized.status).toBe(202)
    const call = { name: 'echo', arguments: { say: 'hi' } }
    const called = await post(
      { jsonrpc: '2.0', id: 'two', method: 'tools/call', params: call },
      { 'mcp-protocol-version': protocolVersion },
    )
    expect(await called.json()).toMatchObject({
      id: 'two',
      result: { structuredContent: { said: 'hi' } },
    })
  },
)

describe('what is no proper message', () => {
  test.each([
    ['cut off', '{"jsonrpc":"2.0","id":1,"met', 400, -32700],
    ['empty', '', 400, -32700],
    ['null', 'null', 400, -32700],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 400, -32700],
    ['a batch', '[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 400, -32600],
    ['no method', '{"jsonrpc":"2.0","id":1}', 400, -32600],
    ['a text', '"tools/list"', 400, -32600],
  ])('%s is refused as JSON-RPC says', async (_name, body, status, code) => {
    const answer = await post(body)
    expect(answer.status).toBe(status)
    expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code } })
  })

  test('an unknown method gets -32601, with status 404 where the client speaks 2026-07-28', async () => {
    const old = await post({ jsonrpc: '2.0', id: 7, method: 'tools/sell' })
    expect(await old.json()).toMatchObject({ id: 7, error: { code: -32601 } })
    const current = await post(...currentRequest('tools/sell'))
    expect(current.status).toBe(404)
    expect(await current.json()).toMatchObject({ id: 7, error: { code: -32601 } })
  })

  test('a protocol version nobody knows is answered with those we know', async () => {
    const [message, headers] = currentRequest('tools/list', '2031-01-01')
    const answer = await post(message, headers)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({
      error: { code: -32022, data: { supported: ['2026-07-28'], requested: '2031-01-01' } },
    })
  })

  test('headers that contradict the body are refused', async () => {
    const [message, headers] = currentRequest('tools/list')
    const answer = await post(message, { ...headers, 'mcp-method': 'tools/call' })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: { code: -32020 } })
  })

  test('no stream is ever opened', async () => {
    const [message, headers] = currentRequest('subscriptions/listen')
    const answer = await post(
      { ...message, params: { ...message.params, notifications: {} } },
      headers,
    )
    expect(await answer.json()).toMatchObject({ error: {} })
    const accepting = await post(
      { jsonrpc: '2.0', id: 1, method: 'tools/list' },
      { accept: 'application/json' },
    )
    expect(accepting.headers.get('content-type')).toMatch('application/json')
  })
})

describe('the door', () => {
  test('GET and DELETE, the sessions of older revisions, get 405', async () => {
    for (const method of ['GET', 'DELETE', 'PUT']) {
      const answer = await app.request('/mcp', { method })
      expect(answer.status).toBe(405)
      expect(answer.headers.get('allow')).toBe('OPTIONS, POST')
    }
  })

  test('without a key there is no answer, and nothing is metered', async () => {
    const answer = await post(
      { jsonrpc: '2.0', id: 1, method: 'ping' },
      { authorization: undefined },
    )
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/)
    expect(usage).toEqual([])
  })

  test('a page of a foreign origin gets 403 before anything else', async () => {
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
    for (const origin of ['https://evil.example', 'null', 'http://localhost.evil.example']) {
      expect((await post(ping, { origin })).status).toBe(403)
    }
    expect((await post(ping, { origin: 'http://localhost:6274' })).status).toBe(200)
  })

  test('a body beyond 64 KiB gets 413, one that is not JSON 415', async () => {
    const say = 'x'.repeat(64 * 1024)
    const long = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', say } }
    expect((await post(long)).status).toBe(413)
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
    expect((await post(ping, { 'content-type': 'text/plain' })).status).toBe(415)
    expect((await post(ping, { 'content-encoding': 'gzip' })).status).toBe(415)
  })
})

describe('wild input', () => {
  const method = fc.oneof(
    fc.constantFrom('tools/call', 'tools/list', 'initialize', 'server/discover', 'ping'),
    fc.constantFrom('subscriptions/listen', 'notifications/cancelled', 'logging/setLevel'),
    fc.string(),
  )
  const params = fc.oneof(
    fc.record(
      {
        name: fc.oneof(fc.constant('echo'), fc.string(), fc.anything()),
        arguments: fc.oneof(fc.record({ say: fc.anything() }), fc.anything()),
        _meta: fc.oneof(fc.constant(envelope('2026-07-28')), fc.anything()),
        protocolVersion: fc.anything(),
        requestId: fc.anything(),
      },
      { requiredKeys: [] },
    ),
    fc.anything(),
  )
  const message = fc.oneof(
    fc.record({ jsonrpc: fc.constant('2.0'), id: fc.integer(), method, params }),
    fc.record(
      { jsonrpc: fc.oneof(fc.constant('2.0'), fc.anything()), id: fc.anything(), method, params },
      { requiredKeys: [] },
    ),
  )
  const headerValue = fc.oneof(
    fc.constantFrom('2026-07-28', '2025-06-18', 'tools/call', 'echo', '=?base64?gA==?=', ''),
    fc.stringMatching(/^[\x21-\x7e]{0,40}$/),
  )
  const headers = fc.dictionary(
    fc.constantFrom('mcp-protocol-version', 'mcp-method', 'mcp-name', 'mcp-session-id', 'accept'),
    headerValue,
  )

  test('thousands of strange messages are each answered, and none with a 5xx', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(message, fc.json(), fc.string()), headers, async (body, extra) => {
        const answer = await post(toBody(body), extra)
        await answer.text()
        expect(answer.status).toBeLessThan(500)
      }),
      { numRuns: 3000 },
    )
  }, 60_000)

  test('nesting as deep as the body allows is an argument like any other', async () => {
    const deep = `${'{"a":'.repeat(9000)}1${'}'.repeat(9000)}`
    for (const body of [
      deep,
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":${deep}}}`,
    ]) {
      expect((await post(body)).status).toBeLessThan(500)
    }
  })
})

function toBody(value: unknown): string {
  try {
    return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  } catch {
    // BigInt and cycles have no JSON.
    return '{}'
  }
}

async function post(
  body: unknown,
  headers: Record<string, string | undefined> = {},
): Promise<Response> {
  const all = {
    authorization: 'Bearer key',
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...headers,
  }
  return await app.request('/mcp', {
    method: 'POST',
    headers: Object.fromEntries(
      Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    ),
    body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
  })
}

function currentRequest(method: string, version = '2026-07-28') {
  const params = { _meta: envelope(version) }
  const headers = { 'mcp-protocol-version': version, 'mcp-method': method }
  return [{ jsonrpc: '2.0', id: 7, method, params }, headers] as const
}

function envelope(version: string) {
  return {
    'io.modelcontextprotocol/protocolVersion': version,
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
}
