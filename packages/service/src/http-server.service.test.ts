import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { spawnService } from './fixtures/spawned-service.ts'
import type { SpawnedService } from './fixtures/spawned-service.ts'

let service: SpawnedService
let url: string
let port: number

beforeAll(async () => {
  service = spawnService(new URL('./fixtures/echo-service.ts', import.meta.url), {
    DRAIN_DELAY: '1ms',
  })
  url = String((await service.line('listening'))['url'])
  port = Number(new URL(url).port)
})

afterAll(() => service[Symbol.asyncDispose]())

/** Everything the server says to these bytes until it closes or falls silent. */
async function say(bytes: string | Buffer, { silenceMs = 500 } = {}): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  // A reset is one of the clear answers.
  socket.on('error', () => undefined)
  socket.setTimeout(silenceMs, () => socket.destroy())
  socket.write(bytes)
  await once(socket, 'close')
  return Buffer.concat(chunks).toString()
}

const post = (headers: string, body: string) =>
  `POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}\r\n\r\n${body}`
const get = (target: string, headers = '') => `GET ${target} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`
const manyHeaders = (count: number) =>
  Array.from({ length: count }, (_, n) => `X-${n}: y\r\n`).join('')
const big = JSON.stringify({ n: 1, pad: 'x'.repeat(9000) })

const refused: [what: string, bytes: string, status: number, code: string][] = [
  [
    'a body beyond the limit by its length',
    post(`Content-Length: ${big.length}`, big),
    413,
    'payload_too_large',
  ],
  [
    'a body beyond the limit in chunks',
    post('Transfer-Encoding: chunked', `${big.length.toString(16)}\r\n${big}\r\n0\r\n\r\n`),
    413,
    'payload_too_large',
  ],
  [
    'a length of a terabyte, without the body',
    post('Content-Length: 1099511627776', ''),
    413,
    'payload_too_large',
  ],
  ['malformed JSON', post('Content-Length: 5', '{"n":'), 400, 'malformed_json'],
  ['JSON that is not UTF-8', post('Content-Length: 9', '{"n":"\xff"}'), 400, 'malformed_json'],
  [
    'a compressed body',
    post('Content-Encoding: gzip\r\nContent-Length: 2', '{}'),
    415,
    'unsupported_media_type',
  ],
  ['seventy headers', get('/livez', manyHeaders(70)), 431, 'headers_too_large'],
  ['three thousand headers', get('/livez', manyHeaders(3000)), 431, 'headers_too_large'],
  [
    'a header of 20 KB',
    get('/livez', `X-Big: ${'y'.repeat(20_000)}\r\n`),
    431,
    'headers_too_large',
  ],
  ['a URL of 20 KB', get(`/${'a'.repeat(20_000)}`), 431, 'headers_too_large'],
  ['a path that does not exist', get('/%E4%BB%B7'), 404, 'not_found'],
  ['a backslash in the path', get('/a\\..\\b'), 400, 'malformed_request'],
  ['a Host that is none', 'GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n', 400, 'malformed_request'],
  ['no Host', 'GET /livez HTTP/1.1\r\n\r\n', 400, 'malformed_request'],
  ['broken percent-encoding', get('/livez?a=%E4%BD'), 400, 'malformed_request'],
  ['an encoded NUL', get('/livez?a=%00'), 400, 'malformed_request'],
  ['a NUL in the target', get('/livez?\0'), 400, 'malformed_request'],
  ['a NUL in a header', get('/livez', 'X-A: \0\r\n'), 400, 'malformed_request'],
  [
    'length and chunks at once',
    post('Content-Length: 4\r\nTransfer-Encoding: chunked', '0\r\n\r\n'),
    400,
    'malformed_request',
  ],
  ['two lengths', post('Content-Length: 2\r\nContent-Length: 3', '{}'), 400, 'malformed_request'],
  ['a negative length', post('Content-Length: -1', ''), 400, 'malformed_request'],
  ['an unknown transfer coding', post('Transfer-Encoding: xchunked', ''), 400, 'malformed_request'],
  [
    'a space before the colon',
    post('Transfer-Encoding : chunked', '0\r\n\r\n'),
    400,
    'malformed_request',
  ],
  ['a folded header', get('/livez', 'X-A: b\r\n c\r\n'), 400, 'malformed_request'],
  [
    'a chunk size that is none',
    post('Transfer-Encoding: chunked', 'zz\r\n'),
    400,
    'malformed_request',
  ],
  ['an unknown method', 'BREW /livez HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'malformed_request'],
  ['a method the path does not answer', get('/echo'), 405, 'method_not_allowed'],
  ['TLS on a plain port', '\x16\x03\x01\x02\x00\x01\x00', 400, 'malformed_request'],
]

describe('bad input', () => {
  test.concurrent.for(refused)('%s is refused with a problem', async ([, bytes, status, code]) => {
    const answer = await say(Buffer.from(bytes, 'latin1'))
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer.toLowerCase()).toContain('content-type: application/problem+json')
    expect(answer).toContain(`"code":"${code}"`)
    expect(answer).toContain('"request_id":"')
  })

  test('after all of that it serves as before', async () => {
    const answer = await fetch(`${url}/echo`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"n":7}',
    })
    expect(await answer.json()).toEqual({ n: 7 })
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    expect(answer.headers.get('traceparent')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-03$/)
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(service.lines.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([])
  })

  test('HEAD, pipelined requests and an absolute target are answered', async () => {
    const head = await say('HEAD /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    expect(head).toMatch(/^HTTP\/1.1 200 /)
    expect(head.endsWith('\r\n\r\n')).toBe(true)
    const both = await say(`${get('/livez')}${get('/livez', 'Connection: close\r\n')}`)
    expect(both.match(/HTTP\/1.1 200/g)).toHaveLength(2)
    expect(await say(get('http://other.example/livez', 'Connection: close\r\n'))).toMatch(
      /^HTTP\/1.1 200 /,
    )
  })
})

describe('slow clients', () => {
  test('a client that leaves in the middle of its body harms nobody', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.write(post('Content-Length: 100', '{"n":'))
    await sleep(50)
    socket.destroy()
    await expect
      .poll(() => service.lines.some(({ route, status }) => route === '/echo' && status === 400))
      .toBe(true)
  })

  test(
    '500 connections that dribble a byte at a time do not slow the others and are closed in time',
    { timeout: 40_000 },
    async () => {
      const sockets: Socket[] = []
      for (let n = 0; n < 500; n += 1) {
        const socket = connect(port, '127.0.0.1')
        socket.on('error', () => undefined)
        socket.resume()
        // Half of them dribble a header, half a body.
        socket.write(
          n % 2 === 0
            ? 'GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: '
            : post('Content-Length: 8000', '{'),
        )
        sockets.push(socket)
      }
      const startedAt = performance.now()
      const dribble = setInterval(() => {
        for (const socket of sockets) if (socket.writable) socket.write('a')
      }, 500)
      const latencies: number[] = []
      let stillOpen = sockets.length
      try {
        while (sockets.some(({ closed }) => !closed) && performance.now() - startedAt < 25_000) {
          const askedAt = performance.now()
          const answer = await fetch(`${url}/livez`)
          expect(answer.status).toBe(200)
          await answer.arrayBuffer()
          latencies.push(performance.now() - askedAt)
          await sleep(20)
        }
      } finally {
        clearInterval(dribble)
        stillOpen = sockets.filter(({ closed }) => !closed).length
        for (const socket of sockets) socket.destroy()
      }
      // 10 s for a header, 15 s for a body, looked at every 2 s.
      expect(stillOpen).toBe(0)
      expect(performance.now() - startedAt).toBeLessThan(20_000)
      const sorted = latencies.toSorted((a, b) => a - b)
      expect(sorted[Math.floor(sorted.length * 0.99)]).toBeLessThan(500)
      expect(sorted.length).toBeGreaterThan(100)
    },
  )
})
