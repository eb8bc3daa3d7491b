import { execFile } from 'node:child_process'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { createTestDatabase, type TestDatabase } from '@twilight/database/test-database'
import { createLogger } from '@twilight/service/log'
import { connectBus } from '@twilight/service/nats'
import { type NatsServer, startNatsServer } from '@twilight/stack/nats-server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'

const main = join(import.meta.dirname, 'main.ts')
const secretPassword = 'correct-horse-battery-staple'
let database: TestDatabase
let nats: NatsServer
let elsewhere: string

beforeAll(async () => {
  elsewhere = await mkdtemp(join(tmpdir(), 'twilight-admin-'))
  ;[database, nats] = await Promise.all([
    createTestDatabase({ durable: false }),
    startNatsServer({ dataDir: join(elsewhere, 'nats'), temporary: true }),
  ])
})

afterAll(async () => {
  await nats.stop()
  await database[Symbol.asyncDispose]()
})

describe('help', () => {
  test('every command is listed, explains itself, and says so as JSON', async () => {
    const listed = z
      .array(z.object({ name: z.string(), summary: z.string() }))
      .parse(JSON.parse((await admin(['--help', '--json'])).stdout))
    expect(listed.map(({ name }) => name)).toEqual([
      'migrate',
      'health',
      'issue-token',
      'revoke',
      'list',
      'whoami',
      'dead-letters list',
      'dead-letters replay',
      'dead-letters drop',
    ])
    for (const { name, summary } of listed) {
      const { code, stdout } = await admin([...name.split(' '), '--help'])
      expect([code, stdout]).toEqual([0, expect.stringContaining(summary)])
    }
  })

  test.each([
    ['an unknown command', ['explode'], 'There is no command "explode"'],
    ['an unknown option', ['dead-letters', 'list', '--colour'], "Unknown option '--colour'"],
    [
      'a limit that is no number',
      ['dead-letters', 'list', '--limit', 'many'],
      '--limit takes a number',
    ],
    ['a replay of nothing', ['dead-letters', 'replay'], 'Name the ids to replay'],
  ])('%s is one sentence and exit code 2', async (_, words, sentence) => {
    const { code, stderr } = await admin(words, { NATS_URL: nats.url })
    expect({ code, lines: stderr.trim().split('\n').length }).toEqual({ code: 2, lines: 1 })
    expect(stderr).toContain(sentence)
  })
})

describe('migrate', () => {
  test('a second run changes nothing and says so', async () => {
    const { code, stdout } = await admin(['migrate'], { DATABASE_ADMIN_URL: database.url })
    expect([code, stdout.trim()]).toEqual([0, 'The schema is up to date.'])
  })

  test('a password given for a role is never printed', async () => {
    const { code, stdout, stderr } = await admin(['migrate', '--json'], {
      DATABASE_ADMIN_URL: database.url,
      ROLE_PASSWORD_PAYMENTS: secretPassword,
    })
    expect(code).toBe(0)
    expect(stdout + stderr).not.toContain(secretPassword)
  })

  test('without a database to go to it says which variable to set, and exits with 1', async () => {
    const { code, stderr } = await admin(['migrate'])
    expect(code).toBe(1)
    expect(stderr).toContain('DATABASE_ADMIN_URL is not set')
  })

  test('a database that does not answer is named without its password', async () => {
    const url = `postgres://someone:${secretPassword}@127.0.0.1:1/none`
    const { code, stdout, stderr } = await admin(['migrate', '--json'], { DATABASE_ADMIN_URL: url })
    expect(code).toBe(1)
    expect(stderr).toContain('127.0.0.1:1')
    expect(stdout + stderr).not.toContain(secretPassword)
  })
})

describe('dead-letters', () => {
  test('an empty stream is said in words, as an empty list in JSON, and is no failure', async () => {
    await ensureStreams()
    const words = await admin(['dead-letters', 'list'], { NATS_URL: nats.url })
    expect([words.code, words.stdout.trim()]).toEqual([0, 'There are no dead letters.'])
    const json = await admin(['dead-letters', 'list', '--json'], { NATS_URL: nats.url })
    expect([json.code, JSON.parse(json.stdout)]).toEqual([0, []])
  })

  test('a NATS server that is away is one sentence without a stack, and exit code 1', async () => {
    const { code, stderr } = await admin(['dead-letters', 'list'], {
      NATS_URL: 'nats://127.0.0.1:1',
    })
    expect(code).toBe(1)
    expect(stderr.trim().split('\n')).toEqual([expect.stringContaining('NATS does not answer')])
  })

  test('an id that does not exist is said, with exit code 1', async () => {
    await ensureStreams()
    const replayed = await admin(['dead-letters', 'replay', '99'], { NATS_URL: nats.url })
    expect([replayed.code, replayed.stdout]).toEqual([1, expect.stringContaining('1 not found')])
    const dropped = await admin(['dead-letters', 'drop', '99'], { NATS_URL: nats.url })
    expect([dropped.code, dropped.stdout]).toEqual([
      1,
      expect.stringContaining('no dead letter 99'),
    ])
  })
})

describe('health', () => {
  test('a service that is not well, and one that is not there, make the exit code 1', async () => {
    const server = createServer((_, response) => {
      response.writeHead(503, { 'content-type': 'application/json' })
      response.end(
        '{"ok":false,"version":"1","checks":{"database":{"ok":false},"nats":{"ok":true}}}',
      )
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = z.object({ port: z.int() }).parse(server.address())
    const { code, stdout } = await admin([
      'health',
      `http://127.0.0.1:${address.port}`,
      'http://127.0.0.1:1',
    ])
    server.close()
    expect(code).toBe(1)
    expect(stdout).toContain('database DOWN, nats ok')
    expect(stdout).toContain('nobody answers')
  })

  test('with nothing running and nothing named it says what to do', async () => {
    const { code, stderr } = await admin(['health'])
    expect([code, stderr]).toEqual([1, expect.stringContaining('npm start')])
  })
})

type Run = { code: number; stdout: string; stderr: string }

/** In a folder where no stack runs, with nothing in the environment but what is given. */
function admin(words: string[], environment: Record<string, string> = {}): Promise<Run> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [main, ...words],
      { cwd: elsewhere, env: environment, timeout: 15_000 },
      (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
      },
    )
  })
}

async function ensureStreams(): Promise<void> {
  await using bus = await connectBus({
    url: nats.url,
    service: 'admin-test',
    log: createLogger({ service: 'admin-test', version: '1', level: 'silent' }),
  })
  await bus.ensureStreams()
}
