import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { SourceFailure } from './source.ts'
import type { FailureKind } from './source.ts'
import { createTushareClient } from './tushare-client.ts'
import type { FetchOptions, TushareOptions } from './tushare-client.ts'
import { dailyTable } from './tushare-bars.ts'
import { adjFactorTable } from './tushare-rows.ts'

const token = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'
const fields = ['ts_code', 'trade_date', 'adj_factor']
const item = (code: string) => [code, '20261119', '8.1234']

type Request = {
  api: string
  token: string
  params: Record<string, string>
  fields: string
  path: string
}
type Handler = (response: ServerResponse, request: Request, nth: number) => void | Promise<void>

const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const resource of opened.splice(0).toReversed()) await resource[Symbol.asyncDispose]()
})

/** A Tushare that does on the wire what a test tells it, and a client of it. */
async function startPair(handler: Handler, options: Partial<TushareOptions> = {}) {
  const requests: Request[] = []
  const server = createServer((request, response) => {
    void receive(request).then((asked) => {
      requests.push(asked)
      return handler(response, asked, requests.length)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  opened.push({
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  })
  const spent: { api: string; points: number }[] = []
  const records: unknown[] = []
  const client = createTushareClient({
    baseUrl: `http://127.0.0.1:${port}/dataapi`,
    token: { reveal: () => token },
    spend: async ({ api, points }) => {
      spent.push({ api, points })
    },
    onCall: (record) => records.push(record),
    retryBaseMs: 10,
    ...options,
  })
  opened.push(client)
  const fetchFactors = (fetchOptions?: FetchOptions) =>
    client.fetchRows(adjFactorTable, { date: '2026-11-19' }, fetchOptions)
  const fails = async (fetchOptions?: FetchOptions): Promise<SourceFailure> => {
    const error: unknown = await fetchFactors(fetchOptions).then(
      () => new Error('It was accepted.'),
      (reason: unknown) => reason,
    )
    if (error instanceof SourceFailure) return error
    throw error
  }
  return { client, requests, spent, records, fetchFactors, fails }
}

async function receive(request: IncomingMessage): Promise<Request> {
  let text = ''
  for await (const piece of request.setEncoding('utf8')) text += String(piece)
  const { api_name, ...rest } = JSON.parse(text)
  return { api: api_name, path: request.url ?? '', ...rest }
}

/** what to add to the machine's clock to stand there */
const clockAt = (text: string) => Date.parse(`2026-11-20T${text}+08:00`) - Date.now()
const morning = () => Date.parse('2026-11-20T10:20:30+08:00')
const ok = (items: unknown[], hasMore = false, columns = fields) =>
  JSON.stringify({
    request_id: 'req-1',
    code: 0,
    msg: null,
    detail: null,
    data: { fields: columns, items, has_more: hasMore, count: 0 },
  })
const refusal = (code: number, msg: string) =>
  JSON.stringify({ request_id: 'req-1', code, msg, data: null })
const send = (
  response: ServerResponse,
  body: string | Uint8Array,
  status = 200,
  headers: Record<string, string> = {},
) => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(body)
}

describe('a good answer', () => {
  it('comes with its digits, its receipt and one call on the budget', async () => {
    const body = ok([item('600519.SH')]).replace('"8.1234"', '8.12340')
    const { client, requests, spent, records, fetchFactors } = await startPair((response) =>
      send(response, body),
    )
    const { rows, receipts } = await fetchFactors({ points: 2 })
    expect(rows).toEqual([
      { ts_code: '600519.SH', trade_date: '2026-11-19', adj_factor: '8.12340' },
    ])
    expect(Buffer.from(receipts[0]?.body ?? []).toString()).toBe(body)
    expect(receipts[0]).toMatchObject({ source: 'tushare', api: 'adj_factor', requestId: 'req-1' })
    expect(receipts[0]?.sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(requests).toEqual([
      {
        api: 'adj_factor',
        path: '/dataapi/adj_factor',
        token,
        params: { trade_date: '20261119' },
        fields: fields.join(','),
      },
    ])
    expect(spent).toEqual([{ api: 'adj_factor', points: 2 }])
    expect(records).toMatchObject([
      { api: 'adj_factor', outcome: 'ok', attempt: 1, bytes: body.length },
    ])
    expect(client.state()).toMatchObject({
      ok: true,
      callsLastMinute: 1,
      circuits: [{ api: 'adj_factor', state: 'closed' }],
    })
  })

  it('may be compressed and in another column order', async () => {
    const body = ok([['8.1', '600519.SH', '20261119']], false, [
      'adj_factor',
      'ts_code',
      'trade_date',
    ])
    const { fetchFactors } = await startPair((response) =>
      send(response, gzipSync(body), 200, { 'content-encoding': 'gzip' }),
    )
    expect((await fetchFactors()).rows).toMatchObject([{ ts_code: '600519.SH', adj_factor: '8.1' }])
  })

  it('empty is an answer of no rows: why, the calendar knows', async () => {
    const { fetchFactors } = await startPair((response) => send(response, ok([])))
    expect((await fetchFactors()).rows).toEqual([])
  })
})

describe('pages', () => {
  it('has_more is followed until it ends, each page with its receipt and its cost', async () => {
    const all = Array.from({ length: 25 }, (_, i) => item(`${600_000 + i}.SH`))
    const { requests, spent, fetchFactors } = await startPair((response, { params }) => {
      const offset = Number(params['offset'] ?? 0)
      send(response, ok(all.slice(offset, offset + 10), offset + 10 < all.length))
    })
    const { rows, receipts } = await fetchFactors()
    expect(rows).toHaveLength(25)
    expect(receipts).toHaveLength(3)
    expect(requests.map(({ params }) => params['offset'])).toEqual([undefined, '10', '20'])
    expect(spent).toHaveLength(3)
  })

  it.each<[string, Handler, string]>([
    [
      'an offset that is ignored',
      (response) => send(response, ok([item('600519.SH')], true)),
      'offset was ignored',
    ],
    ['more after nothing', (response) => send(response, ok([], true)), 'empty page'],
    [
      'no end',
      (response, _request, nth) => send(response, ok([item(`${600_000 + nth}.SH`)], true)),
      'more than 10 pages',
    ],
  ])('%s is a failure, not a part of the data', async (_name, handler, message) => {
    const { fails } = await startPair(handler)
    const failure = await fails()
    expect(failure).toMatchObject({ kind: 'bad_answer' })
    expect(failure.message).toContain(message)
  })
})

describe('what goes wrong on the wire is a typed failure', () => {
  it.each<[string, FailureKind, Handler, Partial<TushareOptions>?]>([
    ['status 500', 'http_status', (response) => send(response, 'oops', 500)],
    [
      '502 with HTML',
      'http_status',
      (response) => send(response, '<html>', 502, { 'content-type': 'text/html' }),
    ],
    [
      'a redirect, which is not followed',
      'http_status',
      (response) => send(response, '', 307, { location: 'http://127.0.0.1:9/' }),
    ],
    ['200 with HTML', 'bad_answer', (response) => send(response, '<html>')],
    ['an empty body', 'bad_answer', (response) => send(response, '')],
    ['cut JSON', 'bad_answer', (response) => send(response, ok([item('600519.SH')]).slice(0, 80))],
    [
      'a body cut on the wire',
      'unreachable',
      (response) => {
        response.writeHead(200, { 'content-length': '5000' })
        response.write('{"code":0', () => response.destroy())
      },
    ],
    [
      'garbled bytes',
      'bad_answer',
      (response) => send(response, Buffer.from([0x7b, 0xff, 0xfe, 0x00, 0x80])),
    ],
    [
      'another shape',
      'bad_answer',
      (response) => send(response, '{"status":"success","result":[]}'),
    ],
    [
      'damaged gzip',
      'bad_answer',
      (response) =>
        send(response, gzipSync(ok([])).subarray(0, 40), 200, { 'content-encoding': 'gzip' }),
    ],
    [
      'an encoding that was not asked for',
      'bad_answer',
      (response) => send(response, 'x', 200, { 'content-encoding': 'br' }),
    ],
    [
      'a gzip bomb',
      'bad_answer',
      (response) =>
        send(response, gzipSync(Buffer.alloc(50_000_000)), 200, { 'content-encoding': 'gzip' }),
    ],
    [
      'a body too large',
      'bad_answer',
      (response) => send(response, ' '.repeat(200_000)),
      { maxBodyBytes: 100_000 },
    ],
    ['a reset', 'unreachable', (response) => response.socket?.resetAndDestroy()],
    ['silence', 'timeout', () => undefined, { idleTimeoutMs: 150 }],
    [
      'a slow trickle',
      'timeout',
      async (response) => {
        response.writeHead(200)
        while (!response.destroyed) {
          response.write(' ')
          await new Promise((resolve) => setTimeout(resolve, 30))
        }
      },
    ],
  ])('%s: %s', async (_name, kind, handler, options) => {
    const { client, fails, spent, requests } = await startPair(handler, options)
    const started = performance.now()
    const failure = await fails({ deadlineMs: 1500 })
    expect(failure.kind).toBe(kind)
    expect(performance.now() - started).toBeLessThan(4000)
    expect(client.state()).toMatchObject({
      ok: false,
      lastFailure: { kind },
      running: 0,
      waiting: 0,
    })
    // Whatever the retries, every call was on the budget.
    expect(spent.length).toBeGreaterThanOrEqual(requests.length)
    expect(requests.length).toBeLessThanOrEqual(4)
  })

  it('a refused connection is unreachable', async () => {
    const { fails } = await startPair(() => undefined, { baseUrl: 'http://127.0.0.1:9/dataapi' })
    expect((await fails({ deadlineMs: 500 })).kind).toBe('unreachable')
  })

  it('a gzip bomb costs no memory', async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000))
    const { fails } = await startPair((response) =>
      send(response, bomb, 200, { 'content-encoding': 'gzip' }),
    )
    const before = process.memoryUsage().rss
    await fails()
    expect(process.memoryUsage().rss - before).toBeLessThan(120_000_000)
  })
})

describe('retries', () => {
  it('a passing fault is retried and not seen by the caller', async () => {
    const { requests, records, fetchFactors } = await startPair((response, _request, nth) =>
      nth < 3 ? send(response, 'busy', 502) : send(response, ok([item('600519.SH')])),
    )
    expect((await fetchFactors()).rows).toHaveLength(1)
    expect(requests).toHaveLength(3)
    expect(records).toMatchObject([
      { outcome: 'http_status' },
      { outcome: 'http_status' },
      { outcome: 'ok', attempt: 3 },
    ])
  })

  it('stay within a tenth of the calls: an upstream that is down is not hit harder', async () => {
    const { client, requests, fails } = await startPair((response) => send(response, 'down', 500))
    for (let i = 0; i < 15; i += 1) await fails()
    expect(client.state().retriesLastMinute).toBeLessThanOrEqual(3)
    expect(requests.length).toBeLessThanOrEqual(18)
  })

  it('are not begun when too little of the deadline is left', async () => {
    const { requests, fails } = await startPair(() => undefined, { idleTimeoutMs: 700 })
    expect((await fails({ deadlineMs: 1000 })).kind).toBe('timeout')
    expect(requests).toHaveLength(1)
  })

  it.each<[FailureKind, number, string]>([
    [
      'no_permission',
      40_203,
      '抱歉，您没有接口访问权限，权限的具体详情访问：https://tushare.pro/document/1?doc_id=108。',
    ],
    ['bad_token', 40_101, '您的token不对，请确认。'],
    ['too_many_addresses', 40_204, '您的IP数量超限，最大数量为2个！'],
    ['bad_request', -2001, '必填参数, trade_date'],
    ['quota', 40_203, '抱歉，您访问接口(adj_factor)频率超限(10次/天)'],
  ])('%s is asked once', async (kind, code, msg) => {
    const { requests, fails } = await startPair((response) => send(response, refusal(code, msg)))
    const failure = await fails()
    expect(failure).toMatchObject({ kind, upstreamCode: code })
    expect(requests).toHaveLength(1)
  })
})

describe('circuit', () => {
  it('five timeouts close the door: no further call, and health says so', async () => {
    const { client, requests, spent, fails } = await startPair(() => undefined, {
      idleTimeoutMs: 60,
    })
    for (let i = 0; i < 5; i += 1) await fails({ deadlineMs: 400 })
    const calls = requests.length
    const failure = await fails()
    expect(failure).toMatchObject({ kind: 'circuit_open', retryAt: expect.any(Date) })
    expect([requests.length, spent.length]).toEqual([calls, calls])
    expect(client.state().circuits).toMatchObject([
      { api: 'adj_factor', state: 'open', reason: 'timeout' },
    ])
  })

  it("a day's quota closes one api until Beijing midnight and names the limit; others go on", async () => {
    const { client, requests, fails } = await startPair(
      (response, { api }) =>
        send(
          response,
          api === 'adj_factor'
            ? refusal(40_203, '抱歉，您每天最多访问该接口8000次')
            : ok([], false, Object.keys(dailyTable.row.shape)),
        ),
      { now: morning },
    )
    expect(await fails()).toMatchObject({
      kind: 'quota',
      retryAt: new Date('2026-11-21T00:00:00+08:00'),
      limit: { calls: 8000, per: 'day' },
    })
    expect((await fails()).kind).toBe('quota')
    expect(requests).toHaveLength(1)
    await expect(client.fetchRows(dailyTable, { date: '2026-11-19' })).resolves.toMatchObject({
      rows: [],
    })
  })

  it("a minute's quota is waited for when the deadline allows, and no longer", async () => {
    // The clock runs. When the first call arrives, half a second of the minute is left.
    let offset = clockAt('10:20:57')
    const { requests, fetchFactors } = await startPair(
      (response, _request, nth) => {
        if (nth > 1) return send(response, ok([item('600519.SH')]))
        offset = clockAt('10:20:59.500')
        return send(response, refusal(40_203, '抱歉，您每分钟最多访问该接口500次'))
      },
      { now: () => Date.now() + offset },
    )
    expect((await fetchFactors({ deadlineMs: 5000 })).rows).toHaveLength(1)
    expect(requests).toHaveLength(2)
  })

  it('a dead token stops all calls of this source', async () => {
    const { client, requests, fails } = await startPair((response) =>
      send(response, refusal(40_101, '您的token不对，请确认。')),
    )
    await fails()
    await expect(client.fetchRows(dailyTable, { date: '2026-11-19' })).rejects.toMatchObject({
      kind: 'bad_token',
    })
    expect(requests).toHaveLength(1)
  })
})

describe('bounds', () => {
  it('what waited too long for the budget is given up without blaming the upstream', async () => {
    const { client, requests, fails } = await startPair((response) => send(response, ok([])), {
      spend: () => new Promise((resolve) => setTimeout(resolve, 250)),
    })
    expect((await fails({ deadlineMs: 400 })).kind).toBe('timeout')
    expect(requests).toHaveLength(0)
    expect(client.state().circuits.filter(({ state }) => state !== 'closed')).toEqual([])
  })

  it('so many calls at once and no more, the rest wait their turn', async () => {
    let running = 0
    let most = 0
    const { fetchFactors } = await startPair(
      async (response) => {
        running += 1
        most = Math.max(most, running)
        await new Promise((resolve) => setTimeout(resolve, 5))
        running -= 1
        send(response, ok([item('600519.SH')]))
      },
      { concurrent: 3, maxWaiting: 100, waitMs: 5000 },
    )
    await Promise.all(Array.from({ length: 60 }, () => fetchFactors()))
    expect(most).toBe(3)
  })

  it('beyond the queue it says overloaded at once', async () => {
    const { client, fetchFactors } = await startPair(() => undefined, {
      concurrent: 1,
      maxWaiting: 1,
    })
    const stop = new AbortController()
    const two = [fetchFactors({ signal: stop.signal }), fetchFactors({ signal: stop.signal })]
    await expect.poll(() => client.state().waiting).toBe(1)
    await expect(fetchFactors()).rejects.toMatchObject({ kind: 'overloaded' })
    stop.abort()
    const ends = await Promise.allSettled(two)
    expect(ends.map((end) => end.status === 'rejected' && end.reason.kind)).toEqual([
      'aborted',
      'aborted',
    ])
    // A caller who gives up says nothing about the upstream.
    expect(client.state().circuits).toMatchObject([{ state: 'closed' }])
  })

  it('a budget that refuses is a failure of its own, and no call is made', async () => {
    const { requests, fails } = await startPair((response) => send(response, ok([])), {
      spend: () => Promise.reject(new Error('none left this minute')),
    })
    expect((await fails()).kind).toBe('budget_spent')
    expect(requests).toHaveLength(0)
  })

  it('the switch: off makes no call', async () => {
    const { client, requests, fails } = await startPair((response) => send(response, ok([])), {
      enabled: false,
    })
    expect((await fails()).kind).toBe('switched_off')
    expect(requests).toHaveLength(0)
    expect(client.state()).toMatchObject({ enabled: false, ok: false })
  })

  it('stopping ends a call that hangs', async () => {
    const { client, requests, fetchFactors } = await startPair(() => undefined)
    const hanging = fetchFactors().catch((error: unknown) => error)
    await expect.poll(() => requests.length).toBe(1)
    await client[Symbol.asyncDispose]()
    expect(await hanging).toMatchObject({ kind: 'aborted' })
  })
})

describe('the token', () => {
  it('is in the body of the request and in nothing that comes out', async () => {
    const echo = refusal(50_000, `bad call with ${token}`)
    const { client, records, fails, requests } = await startPair((response) => send(response, echo))
    const failure = await fails()
    expect(requests[0]?.token).toBe(token)
    expect(requests[0]?.path).not.toContain(token)
    expect(
      inspect([failure, failure.cause, records, client.state(), client], {
        depth: 10,
        showHidden: true,
      }),
    ).not.toContain(token)
    expect(failure.message).toContain('[secret]')
  })

  it('is cut out of an answer that echoes it before that is kept', async () => {
    const { fetchFactors } = await startPair((response) =>
      send(response, ok([item('600519.SH')]).replace('"msg":null', `"msg":"${token}"`)),
    )
    const { receipts } = await fetchFactors()
    expect(Buffer.from(receipts[0]?.body ?? []).toString()).toContain('"msg":"[secret]"')
  })

  it.each([
    ['http://api.tushare.pro', 'https'],
    ['http://127.0.0.1.example.com/', 'https'],
    ['ftp://127.0.0.1/', 'https'],
    ['https://user:pass@api.tushare.pro/', 'user'],
    ['api.tushare.pro', 'not a URL'],
  ])('is never sent in the clear: %s is refused', (baseUrl, message) => {
    expect(() =>
      createTushareClient({
        baseUrl,
        token: { reveal: () => token },
        spend: () => Promise.resolve(),
      }),
    ).toThrow(message)
  })
})
