import { verifyResponse } from '@twilight/cite-envelope/verify-response'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { member, startTestApi, type TestApi } from './test-data-api.ts'

// One Friday in order: each test goes on at a later moment of it than the one before.
let api: TestApi
beforeAll(async () => {
  api = await startTestApi({ now: '2026-11-20T11:00:00+08:00' })
})
afterAll(() => api[Symbol.asyncDispose]())

async function latest(code = '600519.SH') {
  const { status, body } = await api.get(`/price?code=${code}`)
  expect([status, body['detail']]).toEqual([200, undefined])
  expect(verifyResponse(body, { now: api.now(), asked: { codes: [code] } })).toEqual([])
  return body
}

async function onFriday(code = '600519.SH') {
  const { status, body } = await api.get(`/price?code=${code}&trade_date=20261120`)
  return [status, body['code']]
}

describe('the close of today', () => {
  test('in the session it is the one of the day before, which is not stale but says so', async () => {
    const body = await latest()
    expect(body).toMatchObject({ as_of: '2026-11-19', expected_as_of: '2026-11-19' })
    expect(body).not.toHaveProperty('stale')
    expect(member(body['note'], 'zh')).toContain('今日收盘数据尚未入库')
    expect(await onFriday()).toEqual([404, 'not_published_yet'])
  })

  test('what cannot be there yet is not asked for', async () => {
    const before = await api.calls('daily')
    for (let turn = 0; turn < 10; turn += 1) await onFriday('000001.SZ')
    expect(await api.calls('daily')).toBe(before)
  })

  test('between the session and the publication it is the day before, with a note', async () => {
    await api.restart('2026-11-20T15:05:00+08:00')
    const body = await latest()
    expect(body).toMatchObject({ as_of: '2026-11-19', expected_as_of: '2026-11-19' })
    expect(member(body['note'], 'zh')).toContain('尚未入库')
    expect(body).not.toHaveProperty('stale')
    expect(await onFriday()).toEqual([404, 'not_published_yet'])
  })

  test('as soon as it is out it is today’s', async () => {
    await api.restart('2026-11-20T15:55:00+08:00')
    const body = await latest()
    expect(body).toMatchObject({ as_of: '2026-11-20', expected_as_of: '2026-11-20' })
    expect(body).not.toHaveProperty('note')
    expect((await onFriday())[0]).toBe(200)
  })

  test('later than it should be, the last one we have is stale and says so', async () => {
    const sandboxNow = '2026-11-23T15:05:00+08:00'
    await api.restart('2026-11-23T16:30:00+08:00', { sandboxNow })
    const body = await latest('000001.SZ')
    expect(body).toMatchObject({ as_of: '2026-11-20', expected_as_of: '2026-11-23', stale: true })
    expect(member(body['note'], 'en')).toContain('not published yet')
  })

  test('on a Sunday it is that of Friday', async () => {
    await api.restart('2026-11-22T12:00:00+08:00')
    const body = await latest()
    expect(body).toMatchObject({ as_of: '2026-11-20', expected_as_of: '2026-11-20' })
    expect(body).not.toHaveProperty('stale')
  })
})
