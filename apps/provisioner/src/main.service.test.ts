import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { findFreePort } from '@twilight/stack/free-port'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestProvisioner, type TestProvisioner } from './test-provisioner.ts'

let provisioner: TestProvisioner

beforeAll(async () => {
  provisioner = await startTestProvisioner()
})
afterAll(() => provisioner[Symbol.asyncDispose]())

test('the process as it is deployed starts, serves, outlives its database, stops, and never writes a key', async () => {
  const port = await findFreePort()
  const url = `http://127.0.0.1:${port}`
  const { admin, database, nats } = provisioner
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PORT: String(port),
      DATABASE_URL: database.urlFor('provisioner'),
      NATS_URL: nats.url,
      LOG_LEVEL: 'debug',
      DRAIN_DELAY: '10ms',
    },
  })
  const written = Promise.all([text(child.stdout), text(child.stderr)])
  const exited = once(child, 'exit')
  try {
    const health = await answered(`${url}/healthz`)
    expect(health).toMatchObject({
      ok: true,
      checks: { database: { ok: true }, nats: { ok: true } },
    })
    const ask = (path: string, body: object) =>
      fetch(url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${admin.key}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    const made: { id?: string } = JSON.parse(
      await (await ask('/admin/users', { name: 'deployed' })).text(),
    )
    const issued = await ask(`/admin/users/${made.id}/keys`, {})
    expect([issued.status, await issued.text()]).toEqual([201, expect.stringContaining('td_')])
    // A key where none belongs: in the path, which is logged when nothing is served there.
    await (await fetch(`${url}/${admin.key}`)).text()
    await database.postgres.stop()
    const refused = await ask('/admin/users', { name: 'later' })
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])
    expect(await refused.json()).toMatchObject({ code: 'service_unavailable' })
    expect((await fetch(`${url}/livez`)).status).toBe(200)
  } finally {
    child.kill('SIGTERM')
  }
  expect(await exited).toEqual([0, null])
  const output = (await written).join('')
  expect(output).toContain('/admin/users/:id/keys')
  expect(output).not.toMatch(/tda?_[0-9A-Za-z]{10}/)
})

async function answered(url: string): Promise<unknown> {
  const deadline = Date.now() + 15_000
  for (;;) {
    try {
      const response = await fetch(url)
      const body: unknown = await response.json()
      if (response.ok) return body
    } catch (error) {
      // Not listening yet: within the deadline that is no failure.
      if (!(error instanceof TypeError)) throw error
    }
    if (Date.now() > deadline) throw new Error(`${url} did not answer 200 within 15 s.`)
    await sleep(50)
  }
}
