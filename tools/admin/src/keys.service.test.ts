import { execFile } from 'node:child_process'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { classOfApiKey, generateApiKey, hashApiKey } from '@twilight/auth/api-key'
import { watchRevocations } from '@twilight/auth/revocation'
import { createKeyVerifier } from '@twilight/auth/verify-key'
import type { Database } from '@twilight/database/schema'
import { createTestDatabase, type TestDatabase } from '@twilight/database/test-database'
import { createLogger } from '@twilight/service/log'
import { connectBus } from '@twilight/service/nats'
import { connectPostgres, type Postgres } from '@twilight/service/postgres'
import { type NatsServer, startNatsServer } from '@twilight/stack/nats-server'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'

const log = createLogger({ service: 'admin-test', version: '1', level: 'silent' })
const issuedSchema = z.object({
  key: z.string(),
  key_id: z.uuid(),
  class: z.string(),
  scopes: z.array(z.string()),
  expires_at: z.string().nullable(),
  user: z.object({ id: z.uuid(), name: z.string(), plan: z.string() }),
})
let elsewhere: string
let database: TestDatabase
let owner: Postgres<Database>
let nats: NatsServer

beforeAll(async () => {
  elsewhere = await mkdtemp(join(tmpdir(), 'twilight-admin-keys-'))
  ;[database, nats] = await Promise.all([
    createTestDatabase({ durable: false }),
    startNatsServer({ dataDir: join(elsewhere, 'nats'), temporary: true }),
  ])
  owner = connectPostgres<Database>({ url: database.url, applicationName: 'test', log })
})

afterAll(async () => {
  await owner[Symbol.asyncDispose]()
  await nats.stop()
  await database[Symbol.asyncDispose]()
})

describe('issue-token', () => {
  test('makes the user and shows the key, which the database then knows only by its hash', async () => {
    const { code, stdout } = await admin(['issue-token', '--user', 'alpha-001', '--plan', 'pro'])
    const [key = ''] = /\btd_\w{49}\b/.exec(stdout) ?? []
    expect([code, classOfApiKey(key), stdout.split(key).length]).toEqual([0, 'user', 2])
    const row = await owner.db
      .selectFrom('api_keys as k')
      .innerJoin('users as u', 'u.id', 'k.user_id')
      .select(['u.name', 'u.plan', 'k.key_hash', 'k.scopes', 'k.expires_at'])
      .where('u.name', '=', 'alpha-001')
      .executeTakeFirstOrThrow()
    expect(row).toEqual({
      name: 'alpha-001',
      plan: 'pro',
      key_hash: hashApiKey(key),
      scopes: ['data:read'],
      expires_at: null,
    })
  })

  test('gives a user that exists one more key, and six at once make one user', async () => {
    const runs = await Promise.all(
      Array.from({ length: 6 }, () => admin(['issue-token', '--user', 'crowd', '--json'])),
    )
    const issued = runs.map(({ stdout }) => issuedSchema.parse(JSON.parse(stdout)))
    expect(new Set(issued.map(({ user }) => user.id)).size).toBe(1)
    expect(new Set(issued.map(({ key }) => key)).size).toBe(6)
  }, 40_000)

  test('an admin key is of its own class, and an end and scopes are as asked for', async () => {
    const root = await issue(['--user', 'root', '--admin'])
    expect([classOfApiKey(root.key), root.class, root.scopes]).toEqual(['admin', 'admin', []])
    const brief = await issue(['--user', 'brief', '--days', '30', '--scopes', 'data:read,bot'])
    const daysLeft = (Date.parse(brief.expires_at ?? '') - Date.now()) / 86_400_000
    expect([brief.scopes, Math.round(daysLeft)]).toEqual([['data:read', 'bot'], 30])
  })

  test('another plan than the user has is refused: payments move plans, not this command', async () => {
    await issue(['--user', 'settled', '--plan', 'free'])
    const { code, stdout, stderr } = await admin([
      'issue-token',
      '--user',
      'settled',
      '--plan',
      'pro',
    ])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain('The user settled exists with the plan free')
  })

  test.each([
    ['no user', [], '--user takes a handle'],
    ['a phone number with a plus', ['--user', '+8613800138000'], '--user takes a handle'],
    ['an unknown plan', ['--user', 'a', '--plan', 'gold'], '--plan takes free or pro'],
    ['no number of days', ['--user', 'a', '--days', 'soon'], '--days takes a whole number'],
    ['a scope with a space', ['--user', 'a', '--scopes', 'data read'], '--scopes takes words'],
    ['a limit of zero', ['--user', 'a', '--rate', '0'], '--rate takes a whole number'],
  ])('%s is one sentence and exit code 2, and nothing is issued', async (_, words, sentence) => {
    const { code, stdout, stderr } = await admin(['issue-token', ...words])
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(sentence)])
  })
})

describe('revoke', () => {
  test('kills the key in a running service within a second', async () => {
    const { key, key_id: keyId } = await issue(['--user', 'mortal'])
    await using resources = new AsyncDisposableStack()
    const { db } = resources.use(
      connectPostgres<Database>({
        url: database.urlFor('data_api'),
        applicationName: 'data-api',
        log,
      }),
    )
    const bus = resources.use(await connectBus({ url: nats.url, service: 'data-api', log }))
    const verifier = createKeyVerifier({ db, log })
    // It does not look for itself in the time of this test.
    resources.use(watchRevocations({ bus, db, verifier, log, pollEveryMs: 600_000 }))
    await verifier.verify(key)
    const { code, stdout } = await admin(['revoke', keyId])
    expect([code, stdout]).toEqual([0, expect.stringContaining('every service was told')])
    await vi.waitFor(() => expect(() => verifier.verify(key)).toThrow('revoked'), { timeout: 1000 })
  })

  test('with NATS away the key is dead in the database all the same, and the answer says what that means', async () => {
    const { key_id: keyId } = await issue(['--user', 'offline'])
    const { code, stdout } = await admin(['revoke', keyId, '--json'], {
      NATS_URL: 'nats://127.0.0.1:1',
    })
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      { key_id: keyId, revoked_at: expect.any(String), services_told: false },
    ])
    const states = await listed('offline')
    expect(states).toMatchObject([{ id: keyId, state: 'revoked' }])
  })

  test('a key in place of its id is refused and not repeated on the screen', async () => {
    const { text } = generateApiKey('user')
    const { code, stdout, stderr } = await admin(['revoke', text])
    expect(code).toBe(2)
    expect(stdout + stderr).not.toContain(text.slice(4))
  })

  test('an id that does not exist is said, with exit code 1', async () => {
    const { code, stderr } = await admin(['revoke', crypto.randomUUID()])
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^There is no key [\w-]+\.\n$/)])
  })
})

describe('list', () => {
  test('shows whose keys there are, when they were last used and their state, and none of them', async () => {
    const { key, key_id: keyId } = await issue(['--user', 'seen'])
    const usedAt = new Date('2026-11-19T01:02:03Z')
    await owner.db
      .updateTable('api_keys')
      .set({ last_used_at: usedAt })
      .where('id', '=', keyId)
      .execute()
    const { code, stdout } = await admin(['list', '--user', 'seen'])
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`${keyId} +seen +user +${key.slice(0, 9)}… +live`))
    expect(stdout).toContain('2026-11-19 01:02')
    expect(stdout).not.toContain(key.slice(10))
  })

  test('a key beyond its end is called expired', async () => {
    const { key_id: keyId } = await issue(['--user', 'over', '--days', '1'])
    await owner.db
      .updateTable('api_keys')
      .set({ expires_at: new Date(0) })
      .where('id', '=', keyId)
      .execute()
    expect(await listed('over')).toMatchObject([{ state: 'expired' }])
    expect((await admin(['list', '--user', 'nobody'])).stdout.trim()).toBe('There are no keys.')
  })
})

describe('whoami', () => {
  test('knows a key from the environment and from standard input', async () => {
    const { key, key_id: keyId } = await issue(['--user', 'somebody'])
    const runs = [
      await admin(['whoami', '--json'], { TWILIGHT_API_TOKEN: key }),
      await admin(['whoami', '--json'], {}, `${key}\n`),
    ]
    for (const { code, stdout } of runs) {
      expect(code).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject({ user: 'somebody', key_id: keyId, live: true })
      expect(stdout).not.toContain(key)
    }
  })

  test('a revoked key is known and dead, an unknown one is nobody’s; both exit with 1', async () => {
    const { key, key_id: keyId } = await issue(['--user', 'former'])
    await admin(['revoke', keyId])
    const dead = await admin(['whoami'], { TWILIGHT_API_TOKEN: key })
    expect([dead.code, dead.stdout]).toEqual([1, expect.stringContaining('revoked')])
    const unknown = await admin(['whoami'], {}, generateApiKey('user').text)
    expect([unknown.code, unknown.stdout.trim()]).toEqual([1, 'This is nobody’s key.'])
  })

  test('a key on the command line is refused and not repeated on the screen', async () => {
    const { text } = generateApiKey('user')
    const { code, stdout, stderr } = await admin(['whoami', text])
    expect(code).toBe(2)
    expect(stdout + stderr).not.toContain(text.slice(4))
  })

  test('no key at all says where to put one', async () => {
    const { code, stderr } = await admin(['whoami'], {}, '')
    expect([code, stderr]).toEqual([2, expect.stringContaining('TWILIGHT_API_TOKEN')])
  })
})

async function issue(words: string[]): Promise<z.infer<typeof issuedSchema>> {
  const { stdout, stderr } = await admin(['issue-token', ...words, '--json'])
  if (stdout === '') throw new Error(stderr)
  return issuedSchema.parse(JSON.parse(stdout))
}

async function listed(user: string): Promise<unknown> {
  return JSON.parse((await admin(['list', '--user', user, '--json'])).stdout)
}

type Run = { code: number; stdout: string; stderr: string }

/** In a folder where no stack runs. */
function admin(words: string[], environment = {}, input?: string): Promise<Run> {
  return new Promise((resolve) => {
    const env = { DATABASE_ADMIN_URL: database.url, NATS_URL: nats.url, ...environment }
    const child = execFile(
      process.execPath,
      [join(import.meta.dirname, 'main.ts'), ...words],
      { cwd: elsewhere, env, timeout: 15_000 },
      (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
      },
    )
    child.stdin?.end(input ?? '')
  })
}
