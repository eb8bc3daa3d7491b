import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTestDatabase, type TestDatabase } from '@twilight/database/test-database'
import { findFreePort } from '@twilight/stack/free-port'
import { type NatsServer, startNatsServer } from '@twilight/stack/nats-server'
import { z } from 'zod'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const healthSchema = z.object({
  ok: z.boolean(),
  checks: z.record(z.string(), z.object({ ok: z.boolean() })),
})

describe('data-api, while what it stands on goes away and comes back', () => {
  let database: TestDatabase
  let nats: NatsServer
  let natsOptions: { dataDir: string; port: number }
  let api: ChildProcess
  let dataDir: string
  let url: string

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'twilight-outage-'))
    natsOptions = {
      dataDir: join(dataDir, 'nats'),
      port: await findFreePort(),
    }
    ;[database, nats] = await Promise.all([createTestDatabase(), startNatsServer(natsOptions)])
    const port = await findFreePort()
    url = `http://127.0.0.1:${port}`
    api = spawn(process.execPath, ['src/main.ts'], {
      cwd: join(import.meta.dirname, '..'),
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        PATH: process.env['PATH'],
        PORT: String(port),
        DATABASE_URL: database.urlFor('data_api'),
        NATS_URL: nats.url,
        DATA_DIR: join(dataDir, 'data'),
        DRAIN_DELAY: '10ms',
      },
    })
    await until(async () => (await health()).ok)
  })

  afterAll(async () => {
    await nats.stop()
    await database[Symbol.asyncDispose]()
    await end(api)
    await rm(dataDir, { recursive: true, force: true })
  })

  test('a stopped Postgres is named by /healthz while /livez stays 200, and its return is noticed', async () => {
    await database.postgres.stop()
    await until(async () => (await health()).checks['database'] === false)
    expect(await health()).toMatchObject({
      ok: false,
      status: 503,
      checks: { database: false, nats: true },
    })
    expect(await livez()).toBe(200)
    await database.restart()
    await until(async () => (await health()).ok)
  })

  test('a stopped NATS is named by /healthz while /livez stays 200, and its return is noticed', async () => {
    await nats.stop()
    await until(async () => (await health()).checks['nats'] === false)
    expect(await health()).toMatchObject({
      ok: false,
      status: 503,
      checks: { database: true, nats: false },
    })
    expect(await livez()).toBe(200)
    nats = await startNatsServer(natsOptions)
    await until(async () => (await health()).ok)
  })

  test('a frozen NATS is a NATS that is down', async () => {
    nats.signal('SIGSTOP')
    await until(async () => (await health()).checks['nats'] === false)
    expect(await livez()).toBe(200)
    nats.signal('SIGCONT')
    await until(async () => (await health()).ok)
  })

  async function health(): Promise<{
    ok: boolean
    status: number
    checks: Record<string, boolean>
  }> {
    try {
      const response = await fetch(`${url}/healthz`)
      const body = healthSchema.parse(await response.json())
      const checks = Object.entries(body.checks).map(([name, check]) => [name, check.ok])
      return { ok: body.ok, status: response.status, checks: Object.fromEntries(checks) }
    } catch (error) {
      // Not listening yet: the caller waits for it within its own deadline.
      if (error instanceof TypeError) return { ok: false, status: 0, checks: {} }
      throw error
    }
  }

  async function livez(): Promise<number> {
    const response = await fetch(`${url}/livez`)
    await response.arrayBuffer()
    return response.status
  }
})

async function until(condition: () => Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Not reached within ${timeoutMs} ms.`)
    await sleep(50)
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await exited
}
