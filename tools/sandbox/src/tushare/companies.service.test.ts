import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startTestSandbox, type TestSandbox } from '../test-sandbox.ts'

let sandbox: TestSandbox
beforeAll(async () => {
  sandbox = await startTestSandbox()
})
afterEach(() => sandbox.control('POST', 'reset'))
afterAll(() => sandbox[Symbol.asyncDispose]())

describe('companies', () => {
  it('state a P/E for 600519 that follows from its close and its last annual profit', async () => {
    const [basic] = await sandbox.rows('daily_basic', {
      ts_code: '600519.SH',
      trade_date: '20261119',
    })
    const [income] = await sandbox.rows('income', { ts_code: '600519.SH', period: '20251231' })
    const value = Number(basic?.['total_mv']) * 10_000
    expect(value).toBeCloseTo(
      Number(basic?.['close']) * Number(basic?.['total_share']) * 10_000,
      -3,
    )
    expect(Number(basic?.['pe'])).toBeCloseTo(value / Number(income?.['n_income_attr_p']), 3)
  })

  it('have null for a loss where others have a P/E, and null where a bank has no such line', async () => {
    const rows = await sandbox.rows('daily_basic', { trade_date: '20261119' }, 'ts_code,pe,pb')
    const without = rows.filter((row) => row['pe'] === null).length
    expect(without).toBeGreaterThan(300)
    expect(without).toBeLessThan(rows.length / 2)
    const [bank] = await sandbox.rows('fina_indicator', {
      ts_code: '000001.SZ',
      period: '20251231',
    })
    expect(bank).toMatchObject({ grossprofit_margin: null, current_ratio: null })
    expect(bank?.['roe']).toBeTypeOf('number')
  })

  it('balance in every table, in yuan', async () => {
    const [sheet] = await sandbox.rows('balancesheet', { ts_code: '600519.SH', period: '20251231' })
    const [assets, liabilities, equity] = [
      'total_assets',
      'total_liab',
      'total_hldr_eqy_inc_min_int',
    ].map((name) => Number(sheet?.[name]))
    expect((liabilities ?? 0) + (equity ?? 0)).toBeCloseTo(assets ?? 0, 1)
    const [indicator] = await sandbox.rows('fina_indicator', {
      ts_code: '600519.SH',
      period: '20251231',
    })
    const [income] = await sandbox.rows('income', { ts_code: '600519.SH', period: '20251231' })
    expect(indicator?.['netprofit_margin']).toBeCloseTo(
      (Number(income?.['n_income']) / Number(income?.['revenue'])) * 100,
      3,
    )
    expect(indicator?.['eps']).toBe(income?.['basic_eps'])
    expect(indicator?.['debt_to_assets']).toBeCloseTo(((liabilities ?? 0) / (assets ?? 1)) * 100, 3)
  })

  it('restate with both versions visible, dated, flagged, the newest first, and repeat rows exactly', async () => {
    const rows = await sandbox.rows('income_vip', { period: '20241231' })
    const groups = Map.groupBy(rows, (row) => String(row['ts_code']))
    const restated = [...groups.values()].filter(
      (group) => new Set(group.map((row) => row['f_ann_date'])).size > 1,
    )
    expect(restated.length).toBeGreaterThan(20)
    for (const group of restated) {
      const newest = group.filter((row) => row['update_flag'] === '1')
      const oldest = group.filter((row) => row['update_flag'] === '0')
      expect(
        newest.every((row) =>
          oldest.every((old) => String(row['f_ann_date']) > String(old['f_ann_date'])),
        ),
      ).toBe(true)
      expect(new Set(group.map((row) => row['ann_date'])).size).toBe(1)
    }
    const repeated = [...groups.values()].filter(
      (group) => group.length > new Set(group.map((row) => JSON.stringify(row))).size,
    )
    expect(repeated.length).toBeGreaterThan(100)
  })

  it('keep the original of a restatement as report_type 5 and the correction as 4', async () => {
    const originals = await sandbox.rows(
      'income_vip',
      { period: '20241231', report_type: '5' },
      'ts_code,f_ann_date,ann_date,report_type',
    )
    expect(originals.length).toBeGreaterThan(20)
    expect(
      originals.every((row) => row['f_ann_date'] === row['ann_date'] && row['report_type'] === '5'),
    ).toBe(true)
    const code = originals[0]?.['ts_code']
    const corrected = await sandbox.rows('income', {
      ts_code: code,
      period: '20241231',
      report_type: '4',
    })
    expect(corrected[0]?.['f_ann_date']).not.toBe(corrected[0]?.['ann_date'])
  })

  it('add up their single quarters (report_type 2) to the year', async () => {
    const quarters = await Promise.all(
      ['20250331', '20250630', '20250930', '20251231'].map((period) =>
        sandbox.rows('income', { ts_code: '600519.SH', period, report_type: '2' }, 'revenue'),
      ),
    )
    const [year] = await sandbox.rows(
      'income',
      { ts_code: '600519.SH', period: '20251231' },
      'revenue',
    )
    const sum = quarters.reduce((total, [row]) => total + Number(row?.['revenue']), 0)
    expect(sum).toBeCloseTo(Number(year?.['revenue']), 0)
  })

  it('show a report from its announcement on and not a day earlier', async () => {
    const [report] = await sandbox.rows(
      'income',
      { ts_code: '600519.SH', period: '20260930' },
      'ann_date',
    )
    const day = String(report?.['ann_date'])
    const midnight = Date.parse(
      `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}T00:00:00+08:00`,
    )
    await sandbox.control('POST', 'clock', { now: new Date(midnight - 1_000).toISOString() })
    expect(await sandbox.rows('income', { ts_code: '600519.SH', period: '20260930' })).toEqual([])
    await sandbox.control('POST', 'clock', { advance_ms: 2_000 })
    expect(
      (await sandbox.rows('income', { ts_code: '600519.SH', period: '20260930' })).length,
    ).toBeGreaterThan(0)
  })

  it('pay dividends per share whose ex date lowers pre_close by exactly that', async () => {
    const dividends = await sandbox.rows('dividend', { ts_code: '600519.SH' })
    const paid = dividends.find((row) => row['div_proc'] === '实施')
    const ex = String(paid?.['ex_date'])
    const [bar] = await sandbox.rows('daily', { ts_code: '600519.SH', trade_date: ex })
    const [before] = await sandbox.rows('daily', {
      ts_code: '600519.SH',
      end_date: paid?.['record_date'],
      limit: 1,
    })
    expect(Number(bar?.['pre_close'])).toBeCloseTo(
      Number(before?.['close']) - Number(paid?.['cash_div_tax']),
      1,
    )
    const factors = await sandbox.rows('adj_factor', {
      ts_code: '600519.SH',
      start_date: before?.['trade_date'],
      end_date: ex,
    })
    const [after, earlier] = factors.map((row) => Number(row['adj_factor']))
    expect((after ?? 0) / (earlier ?? 1)).toBeCloseTo(
      Number(before?.['close']) / Number(bar?.['pre_close']),
      3,
    )
    expect(await sandbox.rows('dividend', { ex_date: ex })).toContainEqual(paid)
  })

  it('forecast in ten thousands of yuan and report early in yuan', async () => {
    const forecasts = await sandbox.rows('forecast_vip', { period: '20251231' })
    const types = new Set(forecasts.map((row) => row['type']))
    for (const type of ['预增', '预减', '扭亏', '首亏', '续亏', '略增', '略减'])
      expect(types).toContain(type)
    const [express] = await sandbox.rows('express_vip', { period: '20251231' })
    const [income] = await sandbox.rows(
      'income',
      { ts_code: express?.['ts_code'], period: '20251231', report_type: '1' },
      'n_income_attr_p,update_flag',
    )
    expect(express?.['n_income']).toBeTypeOf('number')
    expect(income).toBeDefined()
    const dates = await sandbox.rows('disclosure_date', {
      ts_code: '600519.SH',
      end_date: '20261231',
    })
    expect(dates).toEqual([])
  })
})
