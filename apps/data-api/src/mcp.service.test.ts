import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { claimSchema } from '@twilight/cite-envelope/claim'
import { verifyResponse } from '@twilight/cite-envelope/verify-response'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { bearer, startTestApi, type TestApi } from './test-data-api.ts'

let api: TestApi
let client: Client

beforeAll(async () => {
  api = await startTestApi()
  client = await connect(api.reader.key)
})
afterAll(async () => {
  await client.close()
  await api[Symbol.asyncDispose]()
})

const claimList = z.looseObject({ claims: z.array(claimSchema) })
const errorResult = z.object({ error: z.looseObject({ code: z.string(), message: z.string() }) })

async function connect(key: string, mode: 'legacy' | 'auto' = 'auto'): Promise<Client> {
  const connected = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
  const transport = new StreamableHTTPClientTransport(new URL(`${api.url}/mcp`), {
    requestInit: { headers: bearer(key) },
  })
  await connected.connect(transport)
  return connected
}

async function claimsOf(name: string, args: Record<string, unknown>, as = client) {
  const result = await as.callTool({ name, arguments: args })
  expect(JSON.parse(textOf(result))).toEqual(result.structuredContent)
  expect(result.isError).not.toBe(true)
  return claimList.parse(result.structuredContent).claims
}

async function errorOf(name: string, args: Record<string, unknown>, as = client) {
  const result = await as.callTool({ name, arguments: args })
  expect(result.isError).toBe(true)
  return errorResult.parse(JSON.parse(textOf(result))).error
}

async function close(code: string, tradeDate: string, as = client) {
  const [claim] = await claimsOf('get_price', { code, trade_date: tradeDate }, as)
  if (!claim) throw new Error('get_price gave no claim')
  return claim
}

function textOf({ content }: { content: unknown }): string {
  const [part] = z.array(z.object({ type: z.literal('text'), text: z.string() })).parse(content)
  return part?.text ?? ''
}

/** Without what depends on the moment of asking. */
function timeless(claim: unknown) {
  const { cite, ...figure } = claimSchema.parse(claim)
  return { ...figure, cite: { ...cite, cache_age_seconds: 0 } }
}

describe('an MCP client of the official SDK', () => {
  test('negotiates 2026-07-28 and lists the tools, always in the same order', async () => {
    expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28')
    const { tools } = await client.listTools()
    const names = ['get_price', 'get_fundamentals', 'search_web', 'calc', 'resolve_code']
    expect(tools.map((tool) => tool.name)).toEqual(names)
    for (const tool of tools) {
      expect(tool.inputSchema).toMatchObject({ type: 'object', additionalProperties: false })
      expect(tool.outputSchema).toMatchObject({ type: 'object' })
      expect(tool.annotations?.readOnlyHint).toBe(true)
    }
    const other = await connect((await api.newKey()).key)
    expect((await other.listTools()).tools).toEqual(tools)
    await other.close()
  })

  test('gets a cited P/E for 600519, the same as over HTTP', async () => {
    const claims = await claimsOf('get_fundamentals', { code: '600519', metrics: ['pe', 'pe_ttm'] })
    expect(claims.map(({ metric }) => metric).toSorted()).toEqual(['pe', 'pe_ttm'])
    const now = api.now()
    expect(verifyResponse({ claims }, { now, asked: { codes: ['600519.SH'] } })).toEqual([])
    const { body } = await api.get('/fundamentals?code=600519.SH')
    const overHttp = claimList.parse(body).claims
    for (const claim of claims) {
      const same = overHttp.find(({ metric }) => metric === claim.metric)
      expect(timeless(claim)).toEqual(timeless(same))
      const recorded = await api.get(`/claims/${claim.cite.tool_call_id}`)
      expect(timeless(recorded.body)).toEqual(timeless(claim))
    }
  })

  test('gets every figure of the statements as HTTP gives it', async () => {
    const claims = await claimsOf('get_fundamentals', { code: '600519.SH', period: '20251231' })
    const { body } = await api.get('/fundamentals?code=600519.SH&period=20251231')
    expect(claims.length).toBeGreaterThan(20)
    expect(claims.map(timeless)).toEqual(claimList.parse(body).claims.map(timeless))
  })

  test('gets the price of HTTP, for each way to write a code and each adjustment', async () => {
    for (const code of ['600519', 'SH600519', '贵州茅台']) {
      for (const adjust of ['none', 'qfq', 'hfq']) {
        const [claim] = await claimsOf('get_price', { code, trade_date: '20261118', adjust })
        const query = new URLSearchParams({ code, trade_date: '2026-11-18', adjust }).toString()
        const { body } = await api.get(`/price?${query}`)
        expect(timeless(claim)).toEqual(timeless(body))
      }
    }
  })

  test('finds a code, and is asked back when several fit', async () => {
    const found = await client.callTool({ name: 'resolve_code', arguments: { name: '茅台' } })
    expect(found.structuredContent).toMatchObject({ claims: [], code: '600519.SH' })
    const many = await client.callTool({ name: 'resolve_code', arguments: { name: '平安' } })
    expect(many.structuredContent).toMatchObject({
      claims: [],
      code: null,
      candidates: expect.arrayContaining([expect.objectContaining({ code: '000001.SZ' })]),
    })
  })

  test('gets an absence as the code HTTP gives, with isError and no claim', async () => {
    for (const args of [
      { code: '600519.SH', trade_date: '20261001' },
      { code: '600519.SH', trade_date: '20270104' },
      { code: '999999.SH' },
      { code: '平安' },
    ]) {
      const error = await errorOf('get_price', args)
      const { status, body } = await api.get(`/price?${new URLSearchParams(args).toString()}`)
      expect(status).toBeGreaterThanOrEqual(400)
      expect(error).toMatchObject({ code: body['code'], message: body['detail'] })
      expect(error).not.toHaveProperty('claims')
    }
  })

  test('is told that web search is not built yet', async () => {
    expect(await errorOf('search_web', { query: '茅台 三季报' })).toMatchObject({
      code: 'not_built_yet',
    })
    expect(await errorOf('search_web', { query: 'x', max_results: 11 })).toMatchObject({
      code: 'invalid_parameter',
    })
  })

  test('with the source away and nothing held gets source_unavailable and when to come back', async () => {
    await api.fault({ endpoint: 'daily', kind: 'http_500' })
    try {
      const error = await errorOf('get_price', { code: '601398.SH', trade_date: '20260105' })
      expect(error.code).toBe('source_unavailable')
      expect(error['retry_after']).toBeGreaterThan(0)
    } finally {
      await api.noFaults()
    }
  })
})

describe('an older client', () => {
  test('shakes hands by initialize and gets the same figures', async () => {
    const older = await connect(api.reader.key, 'legacy')
    expect(older.getNegotiatedProtocolVersion()).toBe('2025-11-25')
    const args = { code: '600519', metrics: ['pe_ttm'] }
    const [old, current] = [
      await claimsOf('get_fundamentals', args, older),
      await claimsOf('get_fundamentals', args),
    ]
    expect(old.map(timeless)).toEqual(current.map(timeless))
    await older.close()
  })

  test('of 2025-06-18 is answered in its own version', async () => {
    const hello = await post({
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: {
        protocolVersion: '2025-06-18',
        capabilities: {},
        clientInfo: { name: 'older', version: '1' },
      },
    })
    expect(await hello.json()).toMatchObject({ result: { protocolVersion: '2025-06-18' } })
    const call = { name: 'get_fundamentals', arguments: { code: '600519', metrics: ['pe'] } }
    const called = await post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: call })
    const { result } = z
      .object({ result: z.object({ structuredContent: claimList }) })
      .parse(await called.json())
    expect(result.structuredContent.claims).toMatchObject([{ metric: 'pe', code: '600519.SH' }])
  })
})

describe('calc', () => {
  test('derives a cited figure that any verifier can recompute, and that can be derived from again', async () => {
    const [newer, older] = [await close('600519', '20261119'), await close('600519', '20261118')]
    const args = [newer.cite.tool_call_id, older.cite.tool_call_id]
    const [change] = await claimsOf('calc', { op: 'pct_change', args })
    expect(change).toMatchObject({
      metric: 'close_pct_change',
      unit: 'pct',
      op: 'pct_change',
      derived_from: args,
      cite: { source: 'calc', served_by: ['tushare'] },
    })
    const a = Number(newer.value_text)
    const b = Number(older.value_text)
    expect(Number(change?.value_text)).toBeCloseTo(((a - b) / b) * 100, 5)
    const id = change?.cite.tool_call_id ?? ''
    const now = api.now()
    const records = [newer, older, change]
    expect(verifyResponse({ claims: [change] }, { now, records })).toEqual([])
    const recorded = await api.get(`/claims/${id}`)
    expect(timeless(recorded.body)).toEqual(timeless(change))

    const third = await close('600519', '20261117')
    const before = [older.cite.tool_call_id, third.cite.tool_call_id]
    const [earlier] = await claimsOf('calc', { op: 'pct_change', args: before })
    const both = [id, earlier?.cite.tool_call_id]
    const [difference] = await claimsOf('calc', { op: 'diff', args: both })
    expect(difference).toMatchObject({ unit: 'pct_point', derived_from: both })
  })

  test('finds its arguments after a restart, when they are in no memory', async () => {
    const args = [await close('600519', '20261119'), await close('600519', '20261118')].map(
      ({ cite }) => cite.tool_call_id,
    )
    await api.restart('2026-11-20T18:40:00+08:00')
    const [sum] = await claimsOf('calc', { op: 'diff', args })
    expect(sum?.derived_from).toEqual(args)
  })

  test('refuses another user’s figure as one that does not exist', async () => {
    const mine = await close('600519', '20261119')
    const stranger = await connect((await api.newKey()).key)
    const theirs = await close('600519', '20261118', stranger)
    expect(theirs.cite.tool_call_id).not.toBe(mine.cite.tool_call_id)
    const args = [mine.cite.tool_call_id, theirs.cite.tool_call_id]
    const refused = await errorOf('calc', { op: 'diff', args })
    const invented = await errorOf('calc', { op: 'diff', args: [args[0], 'tc_neverGivenOut'] })
    expect(refused.code).toBe('not_found')
    expect(refused.message).not.toContain(mine.cite.tool_call_id)
    expect(refused.message.replace(args[1] ?? '', 'ID')).toBe(
      invented.message.replace('tc_neverGivenOut', 'ID'),
    )
    await stranger.close()
  })

  test('refuses what would mean nothing, and says why', async () => {
    const price = await close('600519', '20261119')
    const [pe] = await claimsOf('get_fundamentals', { code: '600519', metrics: ['pe'] })
    const args = [price.cite.tool_call_id, pe?.cite.tool_call_id]
    expect(await errorOf('calc', { op: 'sum', args })).toMatchObject({
      code: 'invalid_parameter',
      reason: 'mixed_units',
    })
    expect(await errorOf('calc', { op: 'power', args })).toMatchObject({
      code: 'invalid_parameter',
      errors: [{ pointer: '#/op' }],
    })
  })
})

test('limits hold over MCP: 429 with Retry-After', async () => {
  const { key } = await api.newKey({ ratePerMinute: 3 })
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
  for (let index = 0; index < 3; index += 1) expect((await post(ping, key)).status).toBe(200)
  const refused = await post(ping, key)
  expect(refused.status).toBe(429)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
})

test('wild arguments of every tool get an answer, never a 5xx and never an internal error', async () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('600519', '茅台', '', ' ', '20261119', '0'))
  const value = fc.oneof(text, fc.integer(), fc.array(text), fc.constant(null))
  const names = ['get_price', 'get_fundamentals', 'search_web', 'calc', 'resolve_code']
  const keys = ['code', 'trade_date', 'adjust', 'period', 'metrics', 'op', 'args', 'name', 'query']
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...names),
      fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: 3 }),
      async (name, args) => {
        const params = { name, arguments: args }
        const answer = await post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })
        const body = await answer.text()
        expect(answer.status).toBe(200)
        expect(body).not.toContain('"internal')
      },
    ),
    { numRuns: 500 },
  )
}, 60_000)

async function post(message: unknown, key = api.reader.key): Promise<Response> {
  return await fetch(`${api.url}/mcp`, {
    method: 'POST',
    headers: { ...bearer(key), 'content-type': 'application/json' },
    body: JSON.stringify(message),
  })
}
