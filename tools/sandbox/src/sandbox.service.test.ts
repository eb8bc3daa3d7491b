import { createServer, connect } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { maxBodyBytes } from './app.ts'
import { faultKinds } from './fault-kinds.ts'
import { startTestSandbox, type TestSandbox } from './test-sandbox.ts'
import { thirdParties } from './third-parties.ts'
import type { ThirdParty } from './third-party.ts'

let sandbox: TestSandbox
beforeAll(async () => {
  sandbox = await startTestSandbox()
})
afterEach(() => sandbox.control('POST', 'reset'))
afterAll(() => sandbox[Symbol.asyncDispose]())

describe('the control surface', () => {
  it('lists third parties, endpoints, counts, faults and chaos on its index page', async () => {
    await sandbox.ask('daily', { ts_code: '600519.SH', limit: 1 })
    await sandbox.control('POST', 'faults', {
      upstream: 'tushare',
      endpoint: 'income',
      kind: 'quota',
      times: 3,
    })
    await sandbox.control('POST', 'chaos', { percent: 5, seed: 9 })
    const response = await fetch(sandbox.url)
    expect(response.headers.get('content-type')).toContain('text/html')
    const page = await response.text()
    for (const text of [
      'Tushare Pro',
      '/tushare',
      'daily_basic',
      'ok × 1',
      'quota',
      '5 %',
      '20261120 18:30',
      'http-equiv="refresh"',
      'docs/sandbox.md',
    ]) {
      expect(page).toContain(text)
    }
  })

  it('escapes what a client made up', async () => {
    await sandbox.control('POST', 'faults', {
      upstream: 'tushare',
      endpoint: '<script>',
      kind: 'quota',
    })
    expect(await (await fetch(sandbox.url)).text()).not.toContain('<script>')
  })

  it('is alive and healthy', async () => {
    for (const path of ['livez', 'healthz'])
      expect(await (await fetch(`${sandbox.url}/${path}`)).json()).toMatchObject({ ok: true })
  })

  it('resets counts, faults, chaos, clock and the doubles', async () => {
    await sandbox.ask('trade_cal')
    await sandbox.control('POST', 'faults', { upstream: 'tushare', kind: 'http_500' })
    await sandbox.control('POST', 'chaos', { percent: 9, seed: 2 })
    await sandbox.control('POST', 'clock', { advance_ms: 1_000 })
    await sandbox.control('POST', 'reset')
    expect((await sandbox.control('GET', 'calls')).body).toEqual({
      total: 0,
      totals: {},
      calls: {},
      outcomes: {},
    })
    expect((await sandbox.control('GET', 'faults')).body).toEqual({ faults: [] })
    expect((await sandbox.control('GET', 'chaos')).body).toEqual({ percent: 0, seed: 1 })
    expect((await sandbox.control('GET', 'clock')).body).toMatchObject({
      now: '2026-11-20T10:30:00.000Z',
      pinned: true,
    })
  })

  it('removes faults on DELETE', async () => {
    await sandbox.control('POST', 'faults', { upstream: 'tushare', kind: 'http_500' })
    expect((await sandbox.control('DELETE', 'faults')).body).toEqual({ faults: [] })
    expect(
      (await sandbox.ask('trade_cal', { start_date: '20261119', end_date: '20261119' })).code,
    ).toBe(0)
  })

  it('moves and pins the clock', async () => {
    await sandbox.control('POST', 'clock', { advance_ms: 3_600_000 })
    expect((await sandbox.control('GET', 'clock')).body).toMatchObject({
      beijing_date: '20261120',
      beijing_time: '19:30',
    })
    const { body } = await sandbox.control('POST', 'clock', { now: '2026-03-01T09:00:00+08:00' })
    expect(body).toEqual({
      now: '2026-03-01T01:00:00.000Z',
      beijing_date: '20260301',
      beijing_time: '09:00',
      pinned: true,
    })
  })

  it.each([
    ['faults', { upstream: 'nobody', kind: 'slow' }],
    ['faults', { upstream: 'tushare', kind: 'meltdown' }],
    ['faults', { upstream: 'tushare' }],
    ['faults', { upstream: 'tushare', kind: 'slow', delay_ms: -1 }],
    ['faults', { upstream: 'tushare', kind: 'slow', times: 0 }],
    ['faults', { upstream: 'tushare', kind: 'slow', surprise: 1 }],
    ['faults', 'not json'],
    ['chaos', { percent: 101 }],
    ['chaos', { percent: '5' }],
    ['clock', { advance_ms: -1 }],
    ['clock', { now: 'tomorrow' }],
    ['clock', {}],
  ])('answers 400 on %s with %j and lists what would be right', async (path, wrong) => {
    const { status, body } = await sandbox.control('POST', path, wrong)
    expect(status).toBe(400)
    expect(body).toHaveProperty('valid')
  })

  it('lists every upstream and kind when a fault names neither', async () => {
    const { body } = await sandbox.control('POST', 'faults', { upstream: 'nobody', kind: 'slow' })
    expect(body['valid']).toEqual({ upstreams: ['tushare'], kinds: [...faultKinds] })
  })

  it('answers 404 elsewhere and names the upstreams', async () => {
    const response = await fetch(`${sandbox.url}/nowhere`)
    expect(response.status).toBe(404)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({ valid: { upstreams: ['/tushare/'] } })
  })
})

describe('bad input', () => {
  it('refuses a body over the bound as soon as it is announced, or once it has become too long', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(sandbox.port, '127.0.0.1')
      socket.once('data', (piece) => {
        socket.destroy()
        resolve(String(piece))
      })
      socket.once('error', reject)
      socket.write(
        `POST /tushare/ HTTP/1.1\r\nhost: x\r\ncontent-length: ${maxBodyBytes + 1}\r\n\r\n`,
      )
    })
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    // A client that is still writing may see its answer or a closed socket.
    const stream = new Blob(['x'.repeat(maxBodyBytes + 1)]).stream()
    const chunked = fetch(`${sandbox.url}/tushare/`, {
      method: 'POST',
      body: stream,
      duplex: 'half',
    })
    expect(['413', 'closed']).toContain(
      await chunked.then(
        (response) => String(response.status),
        () => 'closed',
      ),
    )
    expect(
      (await sandbox.ask('trade_cal', { start_date: '20261119', end_date: '20261119' })).code,
    ).toBe(0)
  })

  it('counts invented interfaces as one endpoint', async () => {
    for (let n = 0; n < 20; n += 1) await sandbox.ask(`invented_${n}`)
    expect((await sandbox.control('GET', 'calls')).body['calls']).toEqual({
      tushare: { '(unknown api)': 20 },
    })
  })
})

const say = (port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let heard = ''
    socket.on('data', (piece) => (heard += String(piece)))
    socket.once('error', () => resolve('reset'))
    socket.once('end', () => resolve(heard))
    socket.write('hello')
  })

describe('a third party with a listener of its own', () => {
  // A line protocol over TCP, written as a double would be: one file, one line in the table.
  const echo: ThirdParty = {
    name: 'echo',
    title: 'Echo',
    docs: '',
    endpoints: ['say'],
    open: ({ beginCall }) => ({
      reset: () => {},
      listen: async () => {
        const server = createServer((socket) => {
          socket.once('data', (line) => {
            const call = beginCall('say')
            call.end('ok')
            if (call.fault === 'refused') socket.resetAndDestroy()
            else socket.end(line)
          })
        })
        await new Promise<void>((resolve) => {
          server.listen(0, '127.0.0.1', resolve)
        })
        const address = server.address()
        const port = address && typeof address === 'object' ? address.port : 0
        return {
          url: `tcp://127.0.0.1:${port}`,
          [Symbol.asyncDispose]: () =>
            new Promise<void>((resolve) => {
              server.close(() => resolve())
            }),
        }
      },
    }),
  }
  it('is counted, listed and struck by faults like the others, and closed with the sandbox', async () => {
    let port = 0
    {
      await using own = await startTestSandbox({}, [...thirdParties, echo])
      port = Number(/tcp:\/\/127\.0\.0\.1:(\d+)/.exec(await (await fetch(own.url)).text())?.[1])
      expect(await say(port)).toBe('hello')
      await own.control('POST', 'faults', { upstream: 'echo', kind: 'refused', times: 1 })
      expect(await say(port)).toBe('reset')
      expect((await own.control('GET', 'calls')).body['calls']).toEqual({ echo: { say: 2 } })
    }
    expect(await say(port)).toBe('reset')
  })
})
