import { randomUUID } from 'node:crypto'
import { classOfApiKey } from '@twilight/auth/api-key'
import { watchRevocations } from '@twilight/auth/revocation'
import { recordUsage } from '@twilight/auth/usage-log'
import { createKeyVerifier } from '@twilight/auth/verify-key'
import { connectBus } from '@twilight/service/nats'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { z } from 'zod'
import { startTestProvisioner, type TestProvisioner } from './test-provisioner.ts'
import { userPage } from './users.ts'

let provisioner: TestProvisioner
let request: TestProvisioner['request']

beforeAll(async () => {
  provisioner = await startTestProvisioner()
  ;({ request } = provisioner)
})
afterAll(() => provisioner[Symbol.asyncDispose]())

async function addUser(name: string): Promise<string> {
  return String((await request('POST', '/admin/users', { body: { name } })).body['id'])
}

async function addKey(userId: string, order: object = {}) {
  const { body } = await request('POST', `/admin/users/${userId}/keys`, { body: order })
  return { id: String(body['id']), key: String(body['key']) }
}

describe('users', () => {
  test('a user is made once, and asked for again is the same one', async () => {
    const body = { name: 'alpha-001', plan: 'pro' }
    const made = await request('POST', '/admin/users', { body })
    expect(made).toMatchObject({ status: 201, body: { ...body, paid_until: null } })
    const again = await request('POST', '/admin/users', { body: { name: 'alpha-001' } })
    expect(again).toMatchObject({ status: 200, body: made.body })
    const { body: read } = await request('GET', `/admin/users/${String(made.body['id'])}`)
    expect(read).toEqual(made.body)
  })

  test('twenty equal requests at once make one user, and all get it', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => request('POST', '/admin/users', { body: { name: 'race' } })),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(19)
    expect(new Set(answers.map(({ body }) => body['id'])).size).toBe(1)
  })

  test('the same name with another plan is 409 and names the user that is there', async () => {
    const userId = await addUser('planned')
    const body = { name: 'planned', plan: 'pro' }
    const answer = await request('POST', '/admin/users', { body })
    expect(answer).toMatchObject({ status: 409, body: { code: 'conflict', user_id: userId } })
  })

  test.each([
    [{}, '#/name'],
    [{ name: '+86 138 0013 8000' }, '#/name'],
    [{ name: 'x'.repeat(65) }, '#/name'],
    [{ name: 'fine', plan: 'gold' }, '#/plan'],
    [{ name: 'fine', paid_until: '2099-01-01' }, '#/paid_until'],
  ])('%j is 400 and names the field', async (body, pointer) => {
    const { status, body: problem } = await request('POST', '/admin/users', { body })
    expect(status).toBe(400)
    expect(problem).toMatchObject({ code: 'invalid_parameter', errors: [{ pointer }] })
  })

  test('pages go through all users by name, each once', async () => {
    for (const name of ['page-a', 'page-b', 'page-c']) await addUser(name)
    const names: string[] = []
    let next: string | null = ''
    for (let page = 0; page < 100 && next !== null; page += 1) {
      const { body } = await request('GET', `/admin/users?limit=2&after=${next}`)
      const read: z.infer<typeof userPage> = userPage.parse(body)
      names.push(...read.users.map(({ name }) => name))
      next = read.next
    }
    // Once each, in the order that the database sorts them in.
    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual(expect.arrayContaining(['page-a', 'page-b', 'page-c']))
  })

  test('an unknown user is 404 on every route about a user', async () => {
    const path = `/admin/users/${randomUUID()}`
    const answers = await Promise.all([
      request('GET', path),
      request('GET', `${path}/keys`),
      request('GET', `${path}/usage`),
      request('POST', `${path}/keys`, { body: {} }),
    ])
    expect(answers.map(({ status, body }) => [status, body['code']])).toEqual(
      answers.map(() => [404, 'not_found']),
    )
  })
})

describe('keys', () => {
  test('a key is shown once and works; lists and the database hold nothing of it that opens', async () => {
    const userId = await addUser('holder')
    const body = { name: 'laptop', rate_limit_per_min: 120, expires_in_days: 30 }
    const issued = await request('POST', `/admin/users/${userId}/keys`, { body })
    const key = String(issued.body['key'])
    expect([issued.status, issued.headers.get('cache-control')]).toEqual([201, 'no-store'])
    expect(classOfApiKey(key)).toBe('user')
    const { db } = provisioner.connect(provisioner.database.urlFor('data_api'), 'data-api')
    const verifier = createKeyVerifier({ db, log: provisioner.log })
    expect(await verifier.verify(key)).toMatchObject({ userId, ratePerMinute: 120 })
    const listed = await request('GET', `/admin/users/${userId}/keys`)
    expect(listed.body).toMatchObject({
      keys: [{ id: issued.body['id'], name: 'laptop', scopes: ['data:read'], revoked_at: null }],
    })
    expect(JSON.stringify(listed.body)).not.toContain(key.slice(10))
  })

  test('an admin key cannot be ordered here: a stolen one must not breed', async () => {
    const userId = await addUser('breeder')
    const answer = await request('POST', `/admin/users/${userId}/keys`, {
      body: { class: 'admin' },
    })
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer: '#/class' }] } })
  })

  test('twenty requests at once with one Idempotency-Key issue one key', async () => {
    const userId = await addUser('once')
    const headers = { 'idempotency-key': '"8e03978e-40d5-43e8-bc93-6894a57f9324"' }
    const ask = (body: object) => request('POST', `/admin/users/${userId}/keys`, { headers, body })
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask({ name: 'phone' })))
    const [made, ...others] = answers.filter(({ status }) => status === 201)
    expect(others).toEqual([])
    const refused = answers.filter(({ status }) => status === 409)
    expect(refused.map(({ body }) => body['key_id'])).toEqual(
      Array.from({ length: 19 }, () => made?.body['id']),
    )
    const reused = await ask({ name: 'another' })
    expect(reused).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } })
    expect((await request('GET', `/admin/users/${userId}/keys`)).body['keys']).toHaveLength(1)
  })

  test('an Idempotency-Key counts per caller, with and without its quotes', async () => {
    const userId = await addUser('twice')
    const other = await provisioner.addKey('admin')
    const order = { body: {}, headers: { 'idempotency-key': 'order-0001' } }
    const path = `/admin/users/${userId}/keys`
    expect((await request('POST', path, order)).status).toBe(201)
    const quoted = { ...order, headers: { 'idempotency-key': '"order-0001"' } }
    expect((await request('POST', path, quoted)).status).toBe(409)
    expect((await request('POST', path, { ...order, key: other.key })).status).toBe(201)
    const short = { ...order, headers: { 'idempotency-key': 'x' } }
    expect((await request('POST', path, short)).status).toBe(400)
  })

  test('a revoked key dies in a running service within a second, and twice is harmless', async () => {
    const { id, key } = await addKey(await addUser('mortal'))
    await using resources = new AsyncDisposableStack()
    const { db } = provisioner.connect(provisioner.database.urlFor('data_api'), 'data-api')
    const { log, nats } = provisioner
    const bus = resources.use(await connectBus({ url: nats.url, service: 'data-api', log }))
    const verifier = createKeyVerifier({ db, log })
    // It does not look for itself in the time of this test.
    resources.use(watchRevocations({ bus, db, verifier, log, pollEveryMs: 600_000 }))
    await verifier.verify(key)
    const first = await request('DELETE', `/admin/keys/${id}`)
    expect(first.status).toBe(200)
    await vi.waitFor(() => expect(() => verifier.verify(key)).toThrow('revoked'), { timeout: 1000 })
    expect((await request('DELETE', `/admin/keys/${id}`)).body).toEqual(first.body)
  })

  test('a key that is not there is 404, an id that is none 400', async () => {
    expect((await request('DELETE', `/admin/keys/${randomUUID()}`)).status).toBe(404)
    expect((await request('DELETE', '/admin/keys/td_1')).status).toBe(400)
  })
})

describe('usage', () => {
  test('is told by endpoint by day, the newest first, for one user and no other', async () => {
    const [userId, otherId] = [await addUser('counted'), await addUser('other')]
    const [{ id: keyId }, { id: otherKeyId }] = [await addKey(userId), await addKey(otherId)]
    const record = (endpoint: string, at: string, more = {}) => ({
      request_id: randomUUID(),
      user_id: userId,
      key_id: keyId,
      endpoint,
      method: 'GET',
      status: 200,
      duration_ms: 2,
      cached: true,
      cost_points: 0,
      at,
      ...more,
    })
    const dayMs = 86_400_000
    const [today, yesterday] = [0, dayMs].map((ago) => new Date(Date.now() - ago).toISOString())
    await recordUsage(provisioner.owner.db, [
      record('/price', today ?? ''),
      record('/price', today ?? '', { status: 404, cached: false, cost_points: 5 }),
      record('/resolve', today ?? ''),
      record('/price', yesterday ?? ''),
      record('/price', today ?? '', { user_id: otherId, key_id: otherKeyId }),
    ])
    const { status, body } = await request('GET', `/admin/users/${userId}/usage`)
    expect(status).toBe(200)
    expect(body['usage']).toMatchObject([
      { endpoint: '/price', requests: 2, failed: 1, cached: 1, cost_points: 5, duration_ms: 4 },
      { endpoint: '/resolve', requests: 1 },
      { endpoint: '/price', requests: 1 },
    ])
    const { body: older } = await request('GET', `/admin/users/${userId}/usage?to=2026-01-01`)
    expect(older).toMatchObject({ from: '2025-12-03', to: '2026-01-01', usage: [] })
  })

  test.each(['from=2026-02-01&to=2026-01-01', 'from=2020-01-01', 'from=yesterday', 'day=1'])(
    '?%s is 400',
    async (query) => {
      const userId = await addUser('days')
      expect((await request('GET', `/admin/users/${userId}/usage?${query}`)).status).toBe(400)
    },
  )
})

test('no key ever stands in a log line, whatever was asked with it', () => {
  const text = provisioner.lines.join('')
  expect(text).toContain('issued_key_id')
  expect(text).not.toMatch(/tda?_[0-9A-Za-z]{10}/)
})
