import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { explainAbsence } from './explain-absence.ts'
import { createInstrumentIndex } from './find-instrument.ts'
import type { SourceFailure } from './source.ts'
import { chooseVersions } from './statement-versions.ts'
import { createTradingCalendar, expectedAsOf } from './trading-calendar.ts'
import { createTushareClient } from './tushare-client.ts'
import type { TushareClient } from './tushare-client.ts'
import {
  dailyTable,
  fundDailyTable,
  hkDailyTable,
  indexDailyTable,
  usDailyTable,
} from './tushare-bars.ts'
import {
  adjFactorTable,
  bseMappingTable,
  dailyBasicTable,
  nameChangeTable,
  stockBasicTable,
  suspendTable,
  tradeCalTable,
} from './tushare-rows.ts'
import {
  balanceSheetTable,
  cashFlowTable,
  dividendTable,
  finaIndicatorTable,
  incomeTable,
} from './tushare-statements.ts'

// The whole way against the simulated Tushare, as a process of its own: Friday evening, 20 November 2026.
const now = new Date('2026-11-20T18:30:00+08:00')
const repository = join(import.meta.dirname, '..', '..', '..')
const moutai = { codes: ['600519.SH'] }
const patient = { deadlineMs: 30_000 }

let child: ReturnType<typeof startSandbox>
let url: string
let tushare: TushareClient

function startSandbox() {
  const env = { PATH: process.env['PATH'], SANDBOX_NOW: now.toISOString() }
  return spawn(process.execPath, [join(repository, 'tools/sandbox/src/main.ts')], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

beforeAll(async () => {
  child = startSandbox()
  for await (const line of createInterface({ input: child.stdout })) {
    const { event, url: at } = JSON.parse(line)
    if (event === 'listening') {
      url = String(at)
      break
    }
  }
})
afterAll(async () => {
  const exited = once(child, 'close')
  child.stdout.resume()
  child.kill('SIGTERM')
  await exited
})
beforeEach(async () => {
  await control('reset')
  tushare = createTushareClient({
    baseUrl: `${url}/tushare/dataapi`,
    // Everything that can be bought: 10,000 points and all that is sold separately.
    token: { reveal: () => '5a4db0c5000000000000000000000000000000000000000000010000' },
    spend: () => Promise.resolve(),
    retryBaseMs: 10,
    idleTimeoutMs: 10_000,
  })
  return () => tushare[Symbol.asyncDispose]()
})

async function control(path: string, body: unknown = {}): Promise<void> {
  const response = await fetch(`${url}/__sandbox/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
}

const days = (code: string) => ({ codes: [code], from: '2026-11-01', to: '2026-11-20' })

const failureOf = (promise: Promise<unknown>): Promise<SourceFailure> =>
  promise.then(
    () => {
      throw new Error('It was accepted.')
    },
    (error: SourceFailure) => error,
  )

describe('every table is read', () => {
  it('a whole market day, none of its rows impossible', async () => {
    const day = { date: '2026-11-19' }
    const daily = await tushare.fetchRows(dailyTable, day, patient)
    expect(daily.rows.length).toBeGreaterThan(5300)
    expect((await tushare.fetchRows(dailyBasicTable, day, patient)).rows.length).toBeGreaterThan(
      5300,
    )
    expect((await tushare.fetchRows(adjFactorTable, day, patient)).rows.length).toBeGreaterThan(
      5300,
    )
    expect(await tushare.fetchRows(suspendTable, day, patient)).toMatchObject({
      receipts: [{ api: 'suspend_d' }],
    })
  })

  it('indices, funds, Hong Kong and US, whose bars stand in tables of their own', async () => {
    const answers = [
      await tushare.fetchRows(indexDailyTable, days('000001.SH')),
      await tushare.fetchRows(fundDailyTable, days('510300.SH')),
      await tushare.fetchRows(hkDailyTable, days('00700.HK')),
      await tushare.fetchRows(usDailyTable, days('AAPL')),
    ]
    for (const { rows } of answers) expect(rows.length).toBeGreaterThan(8)
  })

  it('one stock: its history of a month, factors, statements, dividends', async () => {
    const { rows } = await tushare.fetchRows(dailyTable, {
      ...moutai,
      from: '2026-10-20',
      to: '2026-11-20',
    })
    expect(rows.map((row) => row.trade_date)).toContain('2026-11-19')
    const halfYear = { ...moutai, period: '2026-06-30' }
    const statements = [
      await tushare.fetchRows(incomeTable, halfYear),
      await tushare.fetchRows(balanceSheetTable, halfYear),
      await tushare.fetchRows(cashFlowTable, halfYear),
    ]
    for (const answer of statements) {
      expect(answer.rows[0]).toMatchObject({ ts_code: '600519.SH', end_date: '2026-06-30' })
    }
    expect((await tushare.fetchRows(finaIndicatorTable, moutai)).rows.length).toBeGreaterThan(4)
    expect((await tushare.fetchRows(dividendTable, moutai)).rows.length).toBeGreaterThan(0)
  })

  it('a restated report keeps both versions, and the past sees the first', async () => {
    // Its first quarter of 2026 was announced on 24 April and corrected on 22 October.
    const { rows } = await tushare.fetchRows(incomeTable, {
      codes: ['000006.SZ'],
      period: '2026-03-31',
    })
    expect(new Set(rows.map((row) => row.f_ann_date))).toEqual(
      new Set(['2026-04-24', '2026-10-22']),
    )
    const knownOn = (asKnown?: string) =>
      chooseVersions(rows, asKnown === undefined ? {} : { asKnown })[0]?.f_ann_date
    expect(knownOn()).toBe('2026-10-22')
    expect(knownOn('2026-10-21')).toBe('2026-04-24')
    expect(knownOn('2026-04-23')).toBeUndefined()
  })
})

describe('the day of a question', () => {
  it('calendar, suspension and listing tell why a row is missing', async () => {
    const { rows: year } = await tushare.fetchRows(tradeCalTable, {
      from: '2026-01-01',
      to: '2026-12-31',
      params: { exchange: 'SSE' },
    })
    const calendar = createTradingCalendar(year)
    expect(expectedAsOf(calendar, 'daily', now)).toBe('2026-11-20')
    const { rows: holiday } = await tushare.fetchRows(dailyTable, { ...moutai, date: '2026-10-01' })
    expect(holiday).toEqual([])
    expect(explainAbsence({ calendar, table: 'daily', date: '2026-10-01', now })).toMatchObject({
      reason: 'not_trading_day',
    })

    const { rows: suspensions } = await tushare.fetchRows(
      suspendTable,
      { date: '2026-11-19' },
      patient,
    )
    const whole = suspensions.find((row) => row.suspend_type === 'S' && row.suspend_timing === null)
    if (!whole) throw new Error('Nothing is suspended on that day: choose another.')
    const { rows } = await tushare.fetchRows(dailyTable, {
      codes: [whole.ts_code],
      date: '2026-11-19',
    })
    expect(rows).toEqual([])
    expect(
      explainAbsence({ calendar, table: 'daily', date: '2026-11-19', now, suspensions: [whole] })
        .reason,
    ).toBe('suspended')
  })

  it('names, former names, pinyin and old Beijing codes lead to the code', async () => {
    const fetchListed = (list_status: string) =>
      tushare.fetchRows(stockBasicTable, { params: { list_status } }, patient)
    const stocks = (await Promise.all(['L', 'D', 'P'].map(fetchListed))).flatMap(({ rows }) => rows)
    const { rows: formerNames } = await tushare.fetchRows(
      nameChangeTable,
      { codes: ['600519.SH', '000001.SZ'] },
      patient,
    )
    const { rows: mapping } = await tushare.fetchRows(bseMappingTable, {})
    const beijingCodes = new Map(mapping.map((row) => [row.o_code, row.n_code]))
    const index = createInstrumentIndex({ stocks, formerNames, beijingCodes })
    for (const query of ['贵州茅台', 'GZMT', '茅台', 'sh600519']) {
      const found = index.find(query)
      expect(found.found === 'one' && found.match.instrument.code).toBe('600519.SH')
    }
    expect(index.find('838163')).toMatchObject({
      found: 'one',
      match: { instrument: { code: '920163.BJ', kind: 'bj' } },
    })
    expect(stocks.some((stock) => stock.list_status === 'D')).toBe(true)
  })
})

describe('misbehaviour of the sandbox', () => {
  it.each([
    ['http_500', 'http_status'],
    ['http_502_html', 'http_status'],
    ['http_429', 'quota'],
    ['reset', 'unreachable'],
    ['truncated', 'bad_answer'],
    ['garbled', 'bad_answer'],
    ['empty_body', 'bad_answer'],
    ['html', 'bad_answer'],
    ['wrong_shape', 'bad_answer'],
    ['quota_day', 'quota'],
    ['quota', 'quota'],
    ['no_permission', 'no_permission'],
    ['bad_token', 'bad_token'],
    ['ip_limit', 'too_many_addresses'],
    ['timeout', 'timeout'],
  ])('%s becomes %s', async (kind, expected) => {
    await control('faults', { upstream: 'tushare', kind })
    const failure = await failureOf(
      tushare.fetchRows(dailyTable, { ...moutai, date: '2026-11-19' }, { deadlineMs: 800 }),
    )
    expect(failure.kind).toBe(expected)
  })

  it('no lie about prices, days or codes passes as data', async () => {
    await control('faults', { upstream: 'tushare', kind: 'lie' })
    const answers: string[] = []
    for (let turn = 0; turn < 4; turn += 1) {
      const asked = tushare.fetchRows(dailyTable, { ...moutai, date: '2026-11-19' })
      answers.push(
        await asked.then(
          ({ rows }) => `${rows.length} rows`,
          (error: SourceFailure) => error.kind,
        ),
      )
    }
    // The fourth lie is an empty table, which only calendar and suspensions can see through.
    expect(answers.toSorted()).toEqual(['0 rows', 'upstream_lie', 'upstream_lie', 'upstream_lie'])
  })

  it('no spoilt number passes as data', async () => {
    await control('faults', { upstream: 'tushare', kind: 'bad_numbers' })
    for (let turn = 0; turn < 4; turn += 1) {
      const failure = await failureOf(
        tushare.fetchRows(dailyTable, { ...moutai, date: '2026-11-19' }),
      )
      expect(['bad_answer', 'upstream_lie']).toContain(failure.kind)
    }
  })
})
