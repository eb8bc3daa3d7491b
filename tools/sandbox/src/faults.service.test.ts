import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { FaultKind } from './fault-kinds.ts'
import { startTestSandbox, testToken, type TestSandbox } from './test-sandbox.ts'

let sandbox: TestSandbox
beforeAll(async () => {
  sandbox = await startTestSandbox()
})
afterEach(() => sandbox.control('POST', 'reset'))
afterAll(() => sandbox[Symbol.asyncDispose]())

const body = JSON.stringify({
  api_name: 'daily',
  token: testToken,
  params: { ts_code: '600519.SH', start_date: '20261001' },
})

type Wire = {
  head: string
  status: number
  headers: Map<string, string>
  payload: Buffer
  ended: 'end' | 'reset' | 'left'
  tookMs: number
}

/** One call over a bare socket, so that what arrives is what was sent. Leaves after `patienceMs`. */
function callRaw(patienceMs = 5_000): Promise<Wire> {
  return new Promise((resolve) => {
    const started = performance.now()
    const pieces: Buffer[] = []
    const socket = connect(sandbox.port, '127.0.0.1')
    const finish = (ended: Wire['ended']): void => {
      clearTimeout(patience)
      socket.destroy()
      const bytes = Buffer.concat(pieces)
      const end = bytes.indexOf('\r\n\r\n')
      const head = bytes.subarray(0, Math.max(0, end)).toString('latin1')
      const headers = new Map(
        head
          .split('\r\n')
          .slice(1)
          .map((line) => [
            line.split(':')[0]?.toLowerCase() ?? '',
            line.slice(line.indexOf(':') + 2),
          ]),
      )
      resolve({
        head,
        status: Number(head.split(' ')[1] ?? 0),
        headers,
        payload: end < 0 ? Buffer.alloc(0) : bytes.subarray(end + 4),
        ended,
        tookMs: performance.now() - started,
      })
    }
    const patience = setTimeout(() => finish('left'), patienceMs)
    socket.on('data', (piece) => pieces.push(piece))
    socket.once('end', () => finish('end'))
    socket.once('error', () => finish('reset'))
    socket.write(
      `POST /tushare/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
  })
}

async function callWith(
  kind: FaultKind,
  more: Record<string, unknown> = {},
  patienceMs?: number,
): Promise<Wire> {
  const ordered = await sandbox.control('POST', 'faults', {
    upstream: 'tushare',
    kind,
    times: 1,
    ...more,
  })
  expect(ordered.status).toBe(201)
  return callRaw(patienceMs)
}

const isJson = (text: Buffer): boolean => {
  try {
    JSON.parse(text.toString())
    return true
  } catch {
    return false
  }
}

async function retryAfter(form: string): Promise<string | undefined> {
  const wire = await callWith('http_429', { retry_after: form, delay_ms: 2_000 })
  expect(wire.status).toBe(429)
  return wire.headers.get('retry-after')
}

describe('each fault on the wire', () => {
  it('timeout: says nothing until the client leaves', async () => {
    const wire = await callWith('timeout', {}, 400)
    expect(wire).toMatchObject({ ended: 'left', head: '' })
    expect((await callRaw()).status).toBe(200)
  })

  it('slow: the right answer, late', async () => {
    const wire = await callWith('slow', { delay_ms: 300 })
    expect(wire.tookMs).toBeGreaterThanOrEqual(295)
    expect(JSON.parse(wire.payload.toString()).code).toBe(0)
  })

  it('http_500 and http_502_html: those statuses, no JSON', async () => {
    expect(await callWith('http_500')).toMatchObject({ status: 500 })
    const bad = await callWith('http_502_html')
    expect(bad.status).toBe(502)
    expect(bad.payload.toString()).toContain('<h1>502 Bad Gateway</h1>')
  })

  it('http_429: Retry-After in seconds, as a date, absent, or absurd', async () => {
    expect(await retryAfter('seconds')).toBe('2')
    expect(Date.parse((await retryAfter('date')) ?? '')).toBeGreaterThan(Date.now() - 5_000)
    expect(await retryAfter('absent')).toBeUndefined()
    expect(await retryAfter('absurd')).toBe('86400')
  })

  it('refused: the connection dies before a byte', async () => {
    const wire = await callWith('refused')
    expect(wire).toMatchObject({ ended: 'reset', head: '' })
  })

  it('reset: a 200 whose body is cut by a reset', async () => {
    const wire = await callWith('reset')
    expect(wire).toMatchObject({ status: 200, ended: 'reset' })
    expect(wire.payload.length).toBeGreaterThan(0)
    expect(wire.payload.length).toBeLessThan(Number(wire.headers.get('content-length')))
  })

  it('truncated: complete HTTP around an incomplete document', async () => {
    const wire = await callWith('truncated')
    expect(wire).toMatchObject({ status: 200, ended: 'end' })
    expect(wire.payload.length).toBe(Number(wire.headers.get('content-length')))
    expect(wire.payload.toString()).toMatch(/^\{"request_id"/)
    expect(isJson(wire.payload)).toBe(false)
  })

  it('garbled, html and empty_body: a 200 that is no JSON', async () => {
    for (const kind of ['garbled', 'html', 'empty_body'] as const) {
      const wire = await callWith(kind)
      expect(wire.status).toBe(200)
      expect(isJson(wire.payload)).toBe(false)
    }
  })

  it('gzip_unasked: compressed although nobody asked', async () => {
    const wire = await callWith('gzip_unasked')
    expect(wire.headers.get('content-encoding')).toBe('gzip')
    expect(JSON.parse(gunzipSync(wire.payload).toString()).code).toBe(0)
  })

  it('trickle: ten bytes a second', async () => {
    const wire = await callWith('trickle', {}, 1_500)
    expect(wire.payload.length).toBeGreaterThan(0)
    expect(wire.payload.length).toBeLessThanOrEqual(30)
  })

  it('empty: a success without rows', async () => {
    const wire = await callWith('empty')
    expect(JSON.parse(wire.payload.toString())).toMatchObject({ code: 0, data: { items: [] } })
  })

  it('wrong_shape: valid JSON of another world', async () => {
    const wire = await callWith('wrong_shape')
    expect(isJson(wire.payload)).toBe(true)
    expect(JSON.parse(wire.payload.toString())).not.toHaveProperty('data')
  })

  it('bad_numbers: numbers that overflow, lose digits or are none', async () => {
    const texts: string[] = []
    for (let n = 0; n < 4; n += 1) texts.push((await callWith('bad_numbers')).payload.toString())
    const spoilt = ['1e400', '12345678901234567890', 'NaN'].filter((number) =>
      texts.some((text) => text.includes(number)),
    )
    expect(spoilt).toHaveLength(3)
  })

  it('lie: well-formed answers with wrong prices, dates, codes, or nothing', async () => {
    const truth = JSON.parse((await callRaw()).payload.toString())
    for (let n = 0; n < 4; n += 1) {
      const told = JSON.parse((await callWith('lie')).payload.toString())
      expect(told.code).toBe(0)
      expect(told.data.items).not.toEqual(truth.data.items)
    }
  })

  it.each([
    ['quota', 40_203, '每分钟最多访问该接口500次'],
    ['quota_day', 40_203, '每天最多访问该接口8000次'],
    ['no_permission', 40_203, '没有接口访问权限'],
    ['bad_token', 40_101, '您的token不对'],
    ['ip_limit', 40_204, '您的IP数量超限'],
  ] as const)('%s: Tushare’s own refusal %i', async (kind, code, text) => {
    const refusal = JSON.parse((await callWith(kind)).payload.toString())
    expect(refusal).toMatchObject({ code, data: null })
    expect(refusal.msg).toContain(text)
  })
})

describe('ordering faults', () => {
  it('strikes only the endpoint and only as often as ordered, oldest order first', async () => {
    await sandbox.control('POST', 'faults', {
      upstream: 'tushare',
      endpoint: 'daily_basic',
      kind: 'http_500',
    })
    await sandbox.control('POST', 'faults', {
      upstream: 'tushare',
      endpoint: 'daily',
      kind: 'http_502_html',
      times: 2,
    })
    await sandbox.control('POST', 'faults', { upstream: 'tushare', kind: 'html', times: 1 })
    const statuses: (number | undefined)[] = []
    for (let n = 0; n < 4; n += 1) statuses.push((await callRaw()).status)
    expect(statuses).toEqual([502, 502, 200, 200])
    expect((await sandbox.control('GET', 'faults')).body['faults']).toMatchObject([
      { endpoint: 'daily_basic', kind: 'http_500' },
    ])
  })

  it('counts a call before its fault, and says in the outcome which it was', async () => {
    await callWith('refused')
    await callRaw()
    const { body: counts } = await sandbox.control('GET', 'calls')
    expect(counts).toMatchObject({
      total: 2,
      calls: { tushare: { daily: 2 } },
      outcomes: { tushare: { daily: { fault_refused: 1, ok: 1 } } },
    })
  })

  it('counts a call that still waits', async () => {
    const waiting = callWith('timeout', {}, 600)
    const deadline = performance.now() + 3_000
    let total: unknown = 0
    while (total !== 1 && performance.now() < deadline) {
      await sleep(20)
      total = (await sandbox.control('GET', 'calls')).body['total']
    }
    expect(total).toBe(1)
    await waiting
  })
})

describe('chaos on the wire', () => {
  it('misbehaves the same way for the same seed and sequence, and stops at zero', async () => {
    const run = async () => {
      await sandbox.control('POST', 'reset')
      await sandbox.control('POST', 'chaos', { percent: 40, seed: 11 })
      const seen: string[] = []
      for (let n = 0; n < 25; n += 1) {
        const wire = await callRaw(250)
        seen.push(wire.ended === 'left' ? 'left' : `${wire.status} ${wire.ended}`)
      }
      return { seen, outcomes: (await sandbox.control('GET', 'calls')).body['outcomes'] }
    }
    const first = await run()
    expect(new Set(first.seen).size).toBeGreaterThan(2)
    expect(await run()).toEqual(first)
    await sandbox.control('POST', 'chaos', { percent: 0 })
    expect((await callRaw()).status).toBe(200)
  })
})
