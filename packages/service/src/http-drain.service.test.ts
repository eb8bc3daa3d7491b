import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'undici'
import { expect, test } from 'vitest'
import { spawnService } from './fixtures/spawned-service.ts'

const echoService = new URL('./fixtures/echo-service.ts', import.meta.url)

type Tally = { answered: number; failed: unknown[] }

/** Sends one request after the other on one kept connection, until an answer says that it closes. */
async function keepAsking(url: string, path: '/echo' | '/livez', tally: Tally): Promise<void> {
  const client = new Client(url)
  let closing = false
  try {
    for (let n = 0; !closing && n < 100_000; n += 1) {
      const { statusCode, headers, body } = await client.request({
        path,
        ...(path === '/echo'
          ? {
              method: 'POST',
              headers: { 'content-type': 'application/json' },
              body: JSON.stringify({ n }),
            }
          : { method: 'GET' }),
      })
      const answer: unknown = await body.json()
      if (statusCode !== 200 || (path === '/echo' && JSON.stringify(answer) !== `{"n":${n}}`)) {
        tally.failed.push({ statusCode, answer })
      }
      tally.answered += 1
      closing = headers['connection'] === 'close'
    }
  } catch (error) {
    tally.failed.push(error)
  } finally {
    await client.destroy()
  }
}

test('SIGTERM under the load of 40 kept connections: no request fails, none is reset, exit code 0 in time', async () => {
  await using service = spawnService(echoService, { DRAIN_DELAY: '1s' })
  const url = String((await service.line('listening'))['url'])
  const tally: Tally = { answered: 0, failed: [] }
  const clients = Array.from({ length: 40 }, (_, index) =>
    keepAsking(url, index % 2 === 0 ? '/echo' : '/livez', tally),
  )
  await expect.poll(() => tally.answered, { timeout: 10_000 }).toBeGreaterThan(400)

  const signalledAt = performance.now()
  service.kill('SIGTERM')
  await Promise.all(clients)
  expect(await service.exited).toBe(0)

  expect(tally.failed).toEqual([])
  expect(performance.now() - signalledAt).toBeLessThan(5000)
})

test('clients that come back on new connections while it drains: every request let in is answered', async () => {
  await using service = spawnService(echoService, { DRAIN_DELAY: '500ms' })
  const url = String((await service.line('listening'))['url'])
  const tally: Tally = { answered: 0, failed: [] }
  async function comeBack(): Promise<void> {
    const failures = tally.failed.length
    for (let visit = 0; visit < 10_000 && tally.failed.length === failures; visit += 1) {
      await keepAsking(url, '/echo', tally)
    }
  }
  const clients = Array.from({ length: 10 }, comeBack)
  await sleep(200)
  service.kill('SIGTERM')
  await Promise.all(clients)
  expect(await service.exited).toBe(0)

  // What fails in the end is connecting: the server has seen no request that was not answered.
  const seen = service.lines.filter(({ route }) => route === '/echo').length
  expect(seen).toBe(tally.answered)
  expect(tally.failed).not.toEqual([])
})

test('a request that runs for two seconds when the signal comes is answered', async () => {
  await using service = spawnService(echoService, { DRAIN_DELAY: '100ms' })
  const url = String((await service.line('listening'))['url'])
  const client = new Client(url)
  const answer = client.request({ path: '/slow', method: 'GET' })
  await sleep(300)
  service.kill('SIGTERM')
  const { statusCode, headers, body } = await answer
  expect(statusCode).toBe(200)
  expect(await body.json()).toEqual({ slow: true })
  expect(headers['connection']).toBe('close')
  expect(await service.exited).toBe(0)
  await client.destroy()
})

test('while it drains, /healthz says so with 503 and /livez stays 200', async () => {
  await using service = spawnService(echoService, { DRAIN_DELAY: '1s' })
  const url = String((await service.line('listening'))['url'])
  service.kill('SIGTERM')
  await service.line('draining')
  const health = await fetch(`${url}/healthz`)
  expect(health.status).toBe(503)
  expect(await health.json()).toMatchObject({ ok: false, draining: true, version: '1.0.0' })
  const live = await fetch(`${url}/livez`)
  expect(live.status).toBe(200)
  expect(await live.json()).toEqual({ ok: true })
  expect(await service.exited).toBe(0)
})

test('a connection that never sends its request does not hold up the exit', async () => {
  await using service = spawnService(echoService, { DRAIN_DELAY: '10ms' })
  const url = String((await service.line('listening'))['url'])
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write('GET /livez HTT')
  await sleep(100)
  const signalledAt = performance.now()
  service.kill('SIGTERM')
  expect(await service.exited).toBe(0)
  expect(performance.now() - signalledAt).toBeLessThan(4000)
  socket.destroy()
})
