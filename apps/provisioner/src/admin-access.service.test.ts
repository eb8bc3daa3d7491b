import { randomUUID } from 'node:crypto'
import { generateApiKey, hashApiKey } from '@twilight/auth/api-key'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestProvisioner, type TestProvisioner } from './test-provisioner.ts'

let provisioner: TestProvisioner

beforeAll(async () => {
  provisioner = await startTestProvisioner()
})
afterAll(() => provisioner[Symbol.asyncDispose]())

const id = randomUUID()
const routes: [method: string, path: string, body?: object][] = [
  ['POST', '/admin/users', { name: 'nobody' }],
  ['GET', '/admin/users'],
  ['GET', `/admin/users/${id}`],
  ['POST', `/admin/users/${id}/keys`, {}],
  ['GET', `/admin/users/${id}/keys`],
  ['DELETE', `/admin/keys/${id}`],
  ['GET', `/admin/users/${id}/usage`],
]

describe.each(routes)('%s %s', (method, path, body) => {
  const ask = (key: string) =>
    provisioner.request(method, path, { key, ...(body !== undefined && { body }) })

  test('without a key is 401 and says how to bring one', async () => {
    const { status, headers, body: problem } = await ask('')
    expect([status, problem['code']]).toEqual([401, 'missing_credentials'])
    expect(headers.get('www-authenticate')).toBe('Bearer realm="twilight"')
    expect(headers.get('content-type')).toBe('application/problem+json')
  })

  test('with an admin key nobody issued is 401', async () => {
    const { status, headers, body: problem } = await ask(generateApiKey('admin').text)
    expect([status, problem['code']]).toEqual([401, 'invalid_token'])
    expect(headers.get('www-authenticate')).toContain('error="invalid_token"')
  })

  test('with a user key is 403, live or not: it never stands in for an admin key', async () => {
    const live = await provisioner.addKey('user')
    for (const key of [live.key, generateApiKey('user').text]) {
      const { status, body: problem } = await ask(key)
      expect([status, problem['code']]).toEqual([403, 'forbidden'])
    }
  })

  test('with a revoked admin key is 403, from the very next request', async () => {
    const { key, keyId } = await provisioner.addKey('admin')
    expect((await provisioner.request('GET', '/admin/users', { key })).status).toBe(200)
    await provisioner.request('DELETE', `/admin/keys/${keyId}`)
    const { status, body: problem } = await ask(key)
    expect([status, problem['code']]).toEqual([403, 'key_revoked'])
  })
})

test('an admin key beyond its end is 401 and says so', async () => {
  const { key } = await provisioner.addKey('admin', { expiresAt: new Date(Date.now() - 1000) })
  const { status, body } = await provisioner.request('GET', '/admin/users', { key })
  expect([status, body['detail']]).toEqual([401, expect.stringContaining('expired')])
})

test('a user key planted in the database as an admin key opens nothing', async () => {
  const { key, keyId } = await provisioner.addKey('user')
  await provisioner.owner.db
    .updateTable('api_keys')
    .set({ class: 'admin' })
    .where('id', '=', keyId)
    .execute()
  expect((await provisioner.request('GET', '/admin/users', { key })).status).toBe(403)
})

test('the login of provisioner reads the hash of an admin key and of no user key', async () => {
  const { db } = provisioner.connect(provisioner.database.urlFor('provisioner'), 'provisioner')
  const [user, admin] = [await provisioner.addKey('user'), await provisioner.addKey('admin')]
  const read = (keyId: string) =>
    db.selectFrom('api_keys').select('admin_sha256').where('id', '=', keyId).executeTakeFirst()
  expect(await read(user.keyId)).toEqual({ admin_sha256: null })
  expect(await read(admin.keyId)).toEqual({
    admin_sha256: hashApiKey(admin.key).toString('hex'),
  })
  const hashes = db.selectFrom('api_keys').select('key_hash').execute()
  await expect(hashes).rejects.toThrow('permission denied')
})

test('every guarded route is in the menu above', async () => {
  const { body } = await provisioner.request('GET', '/openapi.json', { key: '' })
  const paths = Object.entries(Object(body['paths'])).flatMap(([path, methods]) =>
    Object.keys(Object(methods)).map((method) => `${method.toUpperCase()} ${path}`),
  )
  const guarded = paths.filter((line) => line.includes('/admin')).toSorted()
  const tested = routes.map(([method, path]) => `${method} ${path.replace(id, '{id}')}`).toSorted()
  expect(guarded).toEqual(tested)
})

test('whatever is sent as a key, a path or a body, the answer is never a 500 and never lets in', async () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 80 })
  await fc.assert(
    fc.asyncProperty(text, text, fc.jsonValue(), async (key, segment, body) => {
      const authorization = `Bearer ${key.replaceAll(/[^\x20-\x7e]/g, '?')}`
      const path = `/admin/users/${encodeURIComponent(segment)}`
      const guessed = await provisioner.app.request(path, { headers: { authorization } })
      expect([400, 401, 403, 404]).toContain(guessed.status)
      const { status } = await provisioner.request('POST', `${path}/keys`, { body })
      expect([400, 404]).toContain(status)
    }),
    { numRuns: 200 },
  )
})
