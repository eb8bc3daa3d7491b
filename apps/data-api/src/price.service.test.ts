import { revokeKey } from '@twilight/auth/issue-key'
import { verifyResponse } from '@twilight/cite-envelope/verify-response'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  bearer,
  friday,
  member,
  startTestApi,
  type Got,
  type TestApi,
  until,
} from './test-data-api.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api[Symbol.asyncDispose]())

const moutai = { codes: ['600519.SH'] }

/** What any client can check of an answer: nothing to find fault with. */
function expectCited({ status, body }: Got, asked: { codes: string[]; asOf?: string }): void {
  expect(body).not.toHaveProperty('detail')
  expect(status).toBe(200)
  expect(verifyResponse(body, { now: api.now(), asked })).toEqual([])
}

describe('who may ask', () => {
  const path = '/price?code=600519.SH&trade_date=20261119'

  test('test_bearer_auth_valid: a valid key gets the price', async () => {
    const answer = await api.get(path)
    expectCited(answer, { ...moutai, asOf: '2026-11-19' })
    expect(answer.body['value_text']).toBe('1466.00')
  })

  test('test_bearer_auth_missing: no key is 401 with a challenge', async () => {
    const { status, headers, body } = await api.get(path, {})
    expect([status, body['code']]).toEqual([401, 'missing_credentials'])
    expect(headers.get('www-authenticate')).toContain('Bearer')
    expect(headers.get('content-type')).toBe('application/problem+json')
  })

  test('test_bearer_auth_invalid: a wrong key is 401, whatever its shape', async () => {
    const swapped = api.reader.key.slice(0, -1) + (api.reader.key.endsWith('0') ? '1' : '0')
    for (const key of [swapped, 'td_nonsense', 'x']) {
      const { status, body } = await api.get(path, bearer(key))
      expect([status, body['code']]).toEqual([401, 'invalid_token'])
    }
  })

  test('test_bearer_auth_revoked: a revoked key is 403 within a second', async () => {
    const key = await api.newKey()
    expect((await api.get(path, bearer(key.key))).status).toBe(200)
    await revokeKey({ db: api.owner.db, bus: api.bus }, key.keyId)
    await until(async () => (await api.get(path, bearer(key.key))).status === 403, 1000)
    expect((await api.get(path, bearer(key.key))).body['code']).toBe('key_revoked')
  })

  test('an admin key and a key without the scope open nothing here', async () => {
    const admin = await api.newKey({ keyClass: 'admin', scopes: ['data:read'] })
    const other = await api.newKey({ scopes: [] })
    for (const { key } of [admin, other]) {
      const { status, body } = await api.get(path, bearer(key))
      expect([status, body['code']]).toEqual([403, 'forbidden'])
    }
  })
})

describe('one price', () => {
  test('test_cite_envelope_on_price: the claim of the blueprint, field by field', async () => {
    const { body } = await api.get('/price?code=600519.SH&trade_date=20261119')
    expect(body).toMatchObject({
      value: 1466,
      value_text: '1466.00',
      unit: 'CNY',
      metric: 'close',
      code: '600519.SH',
      name: '贵州茅台',
      as_of: '2026-11-19',
      adjust: 'none',
      cite: {
        kind: 'tool',
        source: 'tushare',
        served_by: ['tushare'],
        service: 'twilight-drive-backend',
        table: 'daily',
        tool_call_id: expect.stringMatching(/^tc_[A-Za-z0-9_-]{32}$/),
        raw_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        cache_age_seconds: expect.any(Number),
      },
    })
    expect(body).not.toHaveProperty('stale')
    expect(body).not.toHaveProperty('interpreted')
  })

  test('without a date it is the newest close, and says which day should exist', async () => {
    const answer = await api.get('/price?code=600519.SH')
    expectCited(answer, { ...moutai, asOf: '2026-11-20' })
    expect(answer.body).toMatchObject({ as_of: '2026-11-20', expected_as_of: '2026-11-20' })
  })

  test('both ways to write a date ask for the same day', async () => {
    const compact = await api.get('/price?code=600519.SH&trade_date=20261118')
    const dashed = await api.get('/price?code=600519.SH&trade_date=2026-11-18')
    expectCited(dashed, { ...moutai, asOf: '2026-11-18' })
    expect(member(dashed.body['cite'], 'tool_call_id')).toBe(
      member(compact.body['cite'], 'tool_call_id'),
    )
  })

  test.each([
    ['600519', '600519.SH'],
    ['SH600519', '600519.SH'],
    ['600519.sh', '600519.SH'],
    ['600519.SS', '600519.SH'],
    ['６００５１９', '600519.SH'],
    ['贵州茅台', '600519.SH'],
    ['gzmt', '600519.SH'],
    ['000001', '000001.SZ'],
    ['上证指数', '000001.SH'],
    ['920163.BJ', '920163.BJ'],
    ['838163', '920163.BJ'],
    ['510300', '510300.SH'],
  ])('%s is understood as %s, and the answer says so', async (text, code) => {
    const answer = await api.get(`/price?code=${encodeURIComponent(text)}&trade_date=20261119`)
    expectCited(answer, { codes: [code], asOf: '2026-11-19' })
    expect(answer.body['interpreted'] !== undefined).toBe(text !== code)
    expect(answer.body['unit']).toBe(code === '000001.SH' ? 'point' : 'CNY')
  })

  test('a bare number that an index bears too names the index', async () => {
    const { body } = await api.get('/price?code=000001&trade_date=20261119')
    expect(body['interpreted']).toMatchObject({ from: '000001', also: ['000001.SH'] })
  })

  test('adjusted prices are exact, name their factors and never pass for the raw one', async () => {
    const path = '/price?code=600519.SH&trade_date=20260105&adjust='
    const [none, qfq, hfq] = await Promise.all(
      ['none', 'qfq', 'hfq'].map((adjust) => api.get(path + adjust)),
    )
    for (const answer of [none, qfq, hfq]) {
      if (answer) expectCited(answer, { ...moutai, asOf: '2026-01-05' })
    }
    const adjustment = hfq?.body['adjustment']
    expect(adjustment).toMatchObject({ raw_close: expect.any(String), digits: 'exact' })
    const product = Number(member(adjustment, 'raw_close')) * Number(member(adjustment, 'factor'))
    expect(Number(hfq?.body['value_text'])).toBeCloseTo(product, 6)
    expect(qfq?.body['adjustment']).toMatchObject({ anchor_as_of: '2026-11-20' })
    const bodies = [none, qfq, hfq].map((answer) => answer?.body)
    expect(bodies.map((body) => body?.['adjust'])).toEqual(['none', 'qfq', 'hfq'])
    expect(new Set(bodies.map((body) => member(body?.['cite'], 'tool_call_id'))).size).toBe(3)
  })

  test('an index has no adjusted price', async () => {
    const { status, body } = await api.get('/price?code=000001.SH&adjust=qfq')
    expect([status, body['code']]).toEqual([404, 'not_covered'])
  })
})

describe('why there is no price', () => {
  test.each([
    ['a holiday', 'code=600519.SH&trade_date=20261001', 404, 'not_trading_day'],
    ['a working weekend', 'code=600519.SH&trade_date=20261010', 404, 'not_trading_day'],
    ['a future date', 'code=600519.SH&trade_date=20270104', 404, 'future_date'],
    ['a date that does not exist', 'code=600519.SH&trade_date=20260230', 400, 'invalid_parameter'],
    ['a day before the listing', 'code=688981.SH&trade_date=20190102', 404, 'before_listing'],
    ['a code nobody has', 'code=605999.SH', 404, 'unknown_code'],
    ['a number no market issues', 'code=999998', 404, 'unknown_code'],
    ['a name nobody has', 'code=%E4%B8%8D%E5%AD%98%E5%9C%A8', 404, 'unknown_code'],
    ['a bond', 'code=110059', 404, 'not_covered'],
    ['a market we have no licence for', 'code=0700.HK', 404, 'not_covered'],
    ['a name that several bear', 'code=%E5%B9%B3%E5%AE%89', 400, 'ambiguous_code'],
    ['a short number of several markets', 'code=700', 400, 'ambiguous_code'],
    ['a date of five digits', 'code=600519.SH&trade_date=20261', 400, 'invalid_parameter'],
    ['no code', '', 400, 'invalid_parameter'],
    ['an empty code', 'code=', 400, 'invalid_parameter'],
    ['an unknown adjustment', 'code=600519.SH&adjust=both', 400, 'invalid_parameter'],
    ['a misspelt parameter', 'code=600519.SH&tradedate=20261119', 400, 'invalid_parameter'],
    ['code and codes', 'code=600519.SH&codes=600519.SH', 400, 'invalid_parameter'],
  ])('%s', async (_, query, status, code) => {
    const answer = await api.get(`/price?${query}`)
    expect([answer.status, answer.body['code']]).toEqual([status, code])
    if (status !== 404 && code !== 'ambiguous_code') return
    expect(answer.body).toMatchObject({
      detail: expect.any(String),
      detail_zh: expect.stringMatching(/[\u4e00-\u9fff]/),
      request_id: expect.any(String),
    })
  })

  test('a holiday offers the trading day before it', async () => {
    const { body } = await api.get('/price?code=600519.SH&trade_date=20261001')
    expect(body['instead']).toBe('2026-09-30')
  })

  test('a delisted code says since when, and still has its past', async () => {
    const dead = (await api.ask('stock_basic', { list_status: 'D' }, 'ts_code,delist_date')).find(
      ({ delist_date: date }) => String(date) > '20230101',
    )
    const code = String(dead?.['ts_code'])
    const { status, body } = await api.get(`/price?code=${code}`)
    expect([status, body['code']]).toEqual([404, 'delisted'])
    const [last] = await api.ask('daily', { ts_code: code })
    const past = await api.get(`/price?code=${code}&trade_date=${String(last?.['trade_date'])}`)
    expectCited(past, { codes: [code] })
  })

  test('a suspended code has its last close without a date, and a typed absence on the day', async () => {
    const suspended = await api.ask('suspend_d', { trade_date: '20261120', suspend_type: 'S' })
    const whole = suspended.filter(({ suspend_timing: timing }) => timing === null)
    const listed = new Set(
      (await api.ask('stock_basic', {}, 'ts_code')).map(({ ts_code: code }) => code),
    )
    const code = String(whole.find(({ ts_code: one }) => listed.has(one))?.['ts_code'])
    const latest = await api.get(`/price?code=${code}`)
    expectCited(latest, { codes: [code] })
    expect(latest.body).not.toHaveProperty('stale')
    expect(member(latest.body['note'], 'zh')).toContain('停牌')
    expect(String(latest.body['as_of']) < '2026-11-20').toBe(true)
    const onTheDay = await api.get(`/price?code=${code}&trade_date=20261120`)
    expect([onTheDay.status, onTheDay.body['code']]).toEqual([404, 'suspended'])
  })
})

describe('many prices', () => {
  test('each code gets its own claim or its own reason, in the order asked', async () => {
    const codes = ['600519.SH', '平安', '000001.SZ', '605999.SH', '贵州茅台', '0700.HK']
    const answer = await api.get(
      `/price?trade_date=20261119&codes=${codes.map(encodeURIComponent).join(',')}`,
    )
    expect(answer.status).toBe(200)
    expect(verifyResponse(answer.body, { now: api.now() })).toEqual([])
    const prices: unknown[] = JSON.parse(JSON.stringify(answer.body['prices']))
    expect(
      prices.map(
        (price) => member(price, 'value_text') ?? member(member(price, 'problem'), 'code'),
      ),
    ).toEqual([
      '1466.00',
      'ambiguous_code',
      expect.stringMatching(/^\d+\.\d{2}$/),
      'unknown_code',
      '1466.00',
      'not_covered',
    ])
    expect(
      prices.filter((price) => member(price, 'problem')).map((price) => member(price, 'code')),
    ).toEqual(['平安', '605999.SH', '0700.HK'])
  })

  test('a hundred codes are one request, and a hundred and one are refused', async () => {
    const rows = await api.ask('daily', { trade_date: '20261119' }, 'ts_code')
    const codes = rows.slice(0, 100).map((row) => String(row['ts_code']))
    const answer = await api.get(`/price?trade_date=20261119&codes=${codes.join(',')}`)
    expectCited(answer, { codes, asOf: '2026-11-19' })
    const tooMany = await api.get(`/price?codes=${[...codes, '600519.SH'].join(',')}`)
    expect([tooMany.status, tooMany.body['code']]).toEqual([400, 'invalid_parameter'])
  })
})

describe('what a price costs', () => {
  test('test_duckdb_cache_miss: 100 sequential requests of one code cost one call', async () => {
    const before = await api.calls('daily')
    for (let turn = 0; turn < 100; turn += 1) {
      expect((await api.get('/price?code=000002.SZ&trade_date=20261117')).status).toBe(200)
    }
    expect((await api.calls('daily')) - before).toBe(1)
  })

  test('30 different codes at once: none meets a lock', async () => {
    const rows = await api.ask('daily', { trade_date: '20261118' }, 'ts_code')
    const answers = await Promise.all(
      rows
        .slice(0, 30)
        .map((row) => api.get(`/price?code=${String(row['ts_code'])}&trade_date=20261118`)),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 30 }, () => 200))
  })

  test('test_duckdb_cache_hit: after a restart it answers from its file, without a call', async () => {
    const path = '/price?code=000002.SZ&trade_date=20261117'
    const { body: earlier } = await api.get(path)
    await api.restart(friday)
    const before = await api.calls('daily')
    const answer = await api.get(path)
    expectCited(answer, { codes: ['000002.SZ'], asOf: '2026-11-17' })
    expect(await api.calls('daily')).toBe(before)
    expect(answer.body).toMatchObject({
      value_text: earlier['value_text'],
      cite: { tool_call_id: member(earlier['cite'], 'tool_call_id') },
    })
  })

  test('test_healthz: says what is loaded and how Tushare answered last', async () => {
    const response = await api.health()
    expect(response?.body).toMatchObject({
      ok: true,
      version: expect.any(String),
      checks: {
        database: { ok: true },
        nats: { ok: true },
        tushare: { ok: true },
        instruments: { ok: true, count: expect.any(Number) },
        trading_days: { ok: true, from: expect.any(String), to: expect.any(String) },
      },
    })
    expect(
      Number(member(member(response?.body['checks'], 'instruments'), 'count')),
    ).toBeGreaterThan(5500)
  })
})

describe('what was served', () => {
  test('a claim can be read again by who got it, and by nobody else', async () => {
    const { body } = await api.get('/price?code=600519.SH&trade_date=20261119')
    const path = `/claims/${String(member(body['cite'], 'tool_call_id'))}`
    const read = async () =>
      await api.owner.db.selectFrom('claims').select('tool_call_id').execute()
    await until(async () => (await read()).some((row) => path.endsWith(row.tool_call_id)))
    const record = await api.get(path)
    expect(record.status).toBe(200)
    expect(verifyResponse(body, { now: api.now(), asked: moutai, records: [record.body] })).toEqual(
      [],
    )
    const stranger = await api.newKey()
    const { status, body: nothing } = await api.get(path, bearer(stranger.key))
    expect([status, nothing['code']]).toEqual([404, 'not_found'])
    const sameOwner = await api.newKey({ userId: api.reader.userId })
    expect((await api.get(path, bearer(sameOwner.key))).status).toBe(200)
  })

  test('a thousand hits of one price are one record', async () => {
    const stranger = await api.newKey()
    const path = '/price?code=600519.SH&trade_date=20261119'
    for (let turn = 0; turn < 50; turn += 1) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => api.get(path, bearer(stranger.key))),
      )
      expect(answers.every(({ status }) => status === 200)).toBe(true)
    }
    const records = () =>
      api.owner.db
        .selectFrom('claims')
        .select('claim')
        .where('user_id', '=', stranger.userId)
        .execute()
    await until(async () => (await records()).length > 0)
    expect(await records()).toHaveLength(1)
  })

  test.each(['/claims/tc_00000000', '/claims/tc_x', '/claims/nothing'])(
    '%s is no claim',
    async (path) => {
      const { status } = await api.get(path)
      expect([400, 404]).toContain(status)
    },
  )
})

describe('beside the prices', () => {
  test.each(['/reports/search?code=600519.SH', '/search?query=x'])(
    '%s is not built yet',
    async (path) => {
      const { status, body } = await api.get(path)
      expect([status, body['code']]).toEqual([501, 'not_implemented'])
    },
  )

  test('a name, a part of it, initials and an old Beijing code resolve to the code', async () => {
    for (const [query, code] of [
      ['贵州茅台', '600519.SH'],
      ['茅台', '600519.SH'],
      ['GZMT', '600519.SH'],
      ['838163', '920163.BJ'],
      ['0700.HK', '00700.HK'],
      ['腾讯控股', '00700.HK'],
    ] as const) {
      const { body } = await api.get(`/resolve?q=${encodeURIComponent(query)}`)
      expect([query, body['code']]).toEqual([query, code])
    }
  })

  test('a name of several is a question back, and one of nobody is unknown', async () => {
    const several = await api.get(`/resolve?q=${encodeURIComponent('平安')}`)
    expect(several).toMatchObject({ status: 200, body: { code: null } })
    expect(JSON.stringify(several.body['candidates'])).toContain('000001.SZ')
    const nobody = await api.get(`/resolve?q=${encodeURIComponent('没有这个名字')}`)
    expect([nobody.status, nobody.body['code']]).toEqual([404, 'unknown_code'])
  })

  test('the calendar knows holidays, and which data is due', async () => {
    const { body } = await api.get('/calendar?date=20261001&from=20260928&to=20261012')
    expect(body).toMatchObject({
      date: '2026-10-01',
      is_open: false,
      previous_open_day: '2026-09-30',
      expected_as_of: { daily: '2026-11-20', daily_basic: '2026-11-20' },
    })
    expect(body['open_days']).toContain('2026-09-30')
    expect(body['open_days']).not.toContain('2026-10-01')
    expect((await api.get('/calendar?from=20260101&to=20300101')).status).toBe(400)
    expect((await api.get('/calendar?date=19950101')).status).toBe(404)
  })
})
