import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findPriceJump } from './impossible-bar.ts'
import { SourceFailure } from './source.ts'
import { readTushareAnswer } from './tushare-answer.ts'
import { dailyTable } from './tushare-bars.ts'
import {
  adjFactorTable,
  bseMappingTable,
  dailyBasicTable,
  stockBasicTable,
  tradeCalTable,
} from './tushare-rows.ts'
import { balanceSheetTable, finaIndicatorTable, incomeTable } from './tushare-statements.ts'
import { readRows } from './tushare-table.ts'
import type { RefusedRow, TableQuestion } from './tushare-table.ts'

const columns = [
  'ts_code',
  'trade_date',
  'open',
  'high',
  'low',
  'close',
  'pre_close',
  'change',
  'pct_chg',
  'vol',
  'amount',
]
const bar = [
  '000001.SZ',
  '20180718',
  8.75,
  8.85,
  8.69,
  8.7,
  8.72,
  -0.02,
  -0.23,
  525_152.77,
  460_697.377,
]

const answerText = (fields: unknown, items: unknown, more = '"has_more":false,"count":-1') =>
  `{"request_id":"r1","code":0,"msg":"","detail":null,"data":{"fields":${JSON.stringify(fields)},"items":${JSON.stringify(items)},${more}}}`
const parse = (text: string) => readTushareAnswer(new TextEncoder().encode(text))
const outcomeOf = (text: string) => {
  try {
    return typeof parse(text).code
  } catch (error) {
    return error instanceof Error ? 'Error' : 'something else'
  }
}
const readDaily = (
  items: unknown[][],
  question: TableQuestion = {},
  quarantine?: (row: RefusedRow) => void,
) => {
  const { table } = parse(answerText(columns, items))
  if (!table) throw new Error('no table')
  return readRows(dailyTable, table, question, quarantine)
}
const withCells = (changes: Record<string, unknown>) =>
  columns.map((name, i) => (name in changes ? changes[name] : bar[i]))
const kindOf = (read: () => unknown) => {
  try {
    read()
    return 'accepted'
  } catch (error) {
    return error instanceof SourceFailure ? error.kind : error
  }
}

describe('digits', () => {
  it('stay as the source wrote them, number or text', () => {
    const text = answerText(columns, [bar])
      .replace('8.75', '8.7500')
      .replace('-0.23', '"-0.230"')
      .replace('460697.377', '123456789012345678901')
    expect(parse(text).table?.rows[0]).toMatchObject({
      open: '8.7500',
      pct_chg: '-0.230',
      amount: '123456789012345678901',
    })
  })

  it('columns are mapped by name, whatever their order', () => {
    const order = columns.map((_, i) => (i * 7) % columns.length)
    const text = answerText(
      order.map((i) => columns[i]),
      [order.map((i) => bar[i])],
    )
    const { table } = parse(text)
    expect(table && readRows(dailyTable, table, {})).toEqual(readDaily([bar]))
  })

  it.each(['1e400', '"NaN"', '"8,75"', 'true', '{}', '[]', '"0x10"', '"１２"'])(
    '%s is no number',
    (cell) => {
      const { table } = (() => {
        try {
          return parse(answerText(columns, [bar]).replace('8.75', cell))
        } catch {
          // Not even a cell: refused before the row is looked at.
          return { table: undefined }
        }
      })()
      expect(table ? kindOf(() => readRows(dailyTable, table, {})) : 'bad_answer').toBe(
        'bad_answer',
      )
    },
  )
})

describe('an answer of another shape is refused as such', () => {
  it.each([
    ['not an object', '[]'],
    ['no code', '{"data":{}}'],
    ['success without data', '{"code":0,"data":null}'],
    ['a shape of its own', '{"status":"success","result":{"rows":[]}}'],
    ['fields not a list', answerText('ts_code', [])],
    ['a column twice', answerText(['a', 'a'], [])],
    ['a column special to objects', answerText(['__proto__'], [['x']])],
    ['items not a list', answerText(columns, {})],
    ['a short item', answerText(columns, [bar.slice(1)])],
    ['cut off', answerText(columns, [bar]).slice(0, 200)],
    ['an infinite depth', '['.repeat(100_000)],
    ['NaN', answerText(columns, [bar]).replace('8.75', 'NaN')],
  ])('%s', (_name, text) => {
    expect(() => parse(text)).toThrow(Error)
  })

  it('a missing column is named', () => {
    const { table } = parse(answerText(columns.slice(0, 6), [bar.slice(0, 6)]))
    expect(() => table && readRows(dailyTable, table, {})).toThrow('pre_close')
  })

  it('bytes of any kind end in an answer or an Error, never anything else', () => {
    const whole = answerText(columns, [bar, bar])
    fc.assert(
      fc.property(
        fc.nat(whole.length),
        fc.nat(whole.length),
        fc.string({ unit: 'binary', maxLength: 6 }),
        (from, to, piece) => {
          const text = whole.slice(0, Math.min(from, to)) + piece + whole.slice(Math.max(from, to))
          expect(outcomeOf(text)).toMatch(/^(?:number|Error)$/)
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('a wrong answer is a lie and never data', () => {
  const question = { codes: ['000001.SZ'], date: '2018-07-18' }

  it('what was asked for passes, with dates in our form', () => {
    expect(readDaily([bar], question)).toMatchObject([
      { ts_code: '000001.SZ', trade_date: '2018-07-18', close: '8.7' },
    ])
  })

  it.each<[string, Record<string, unknown>]>([
    ['another code', { ts_code: '600519.SH' }],
    ['another day', { trade_date: '20180717' }],
    ['close zero', { close: 0 }],
    ['close below zero', { close: -8.7 }],
    ['high below low', { high: 8.5 }],
    ['close outside of the range', { close: 9.9 }],
    ['one price times 100', { close: 870, high: 885 }],
    ['all prices times 100', { open: 875, high: 885, low: 869, close: 870, pre_close: 872 }],
    ['shares for lots', { vol: 52_515_277 }],
    ['yuan for thousand yuan', { amount: 460_697_377 }],
    ['change of another day', { change: 1.5 }],
    ['percentage of another day', { pct_chg: 2.3 }],
    ['volume below zero', { vol: -1 }],
  ])('%s', (_name, changes) => {
    expect(kindOf(() => readDaily([withCells(changes)], question))).toBe('upstream_lie')
  })

  it('a range holds its days', () => {
    expect(kindOf(() => readDaily([bar], { from: '2018-07-19', to: '2018-07-30' }))).toBe(
      'upstream_lie',
    )
    expect(kindOf(() => readDaily([bar], { from: '2018-07-01', to: '2018-07-18' }))).toBe(
      'accepted',
    )
  })

  it('of a whole market one impossible row is set aside and the rest kept', () => {
    const refused: RefusedRow[] = []
    const rows = readDaily(
      [bar, withCells({ ts_code: '000002.SZ', close: 0 })],
      { date: '2018-07-18' },
      (row) => refused.push(row),
    )
    expect(rows.map((row) => row.ts_code)).toEqual(['000001.SZ'])
    expect(refused).toMatchObject([{ row: { ts_code: '000002.SZ' }, reason: 'a price is zero' }])
  })

  it('but many impossible rows mean that the whole answer is in other units', () => {
    const items = Array.from({ length: 40 }, (_, i) =>
      withCells({ ts_code: `${600_000 + i}.SH`, vol: 52_515_277 }),
    )
    expect(kindOf(() => readDaily(items, {}, () => undefined))).toBe('upstream_lie')
  })

  it('balance sheets balance', () => {
    const row = {
      ts_code: '600519.SH',
      end_date: '20260930',
      ann_date: '20261025',
      f_ann_date: '20261025',
      report_type: '1',
      comp_type: '1',
      update_flag: '1',
    }
    const read = (assets: string) =>
      readRows(
        balanceSheetTable,
        asTable([{ ...row, total_assets: assets, total_liab_hldr_eqy: '300.5' }]),
        {},
      )
    expect(kindOf(() => read('300.50'))).toBe('accepted')
    expect(kindOf(() => read('30050'))).toBe('upstream_lie')
  })
})

const asTable = (rows: Record<string, string | null>[]) => ({
  fields: Object.keys(rows[0] ?? {}),
  rows,
})

describe('tables', () => {
  it('exact duplicates count once', () => {
    expect(readDaily([bar, bar, withCells({ trade_date: '20180717' })])).toHaveLength(2)
  })

  it('is_open is read from a number, a text and a decimal', () => {
    const days = ['1', '0', '1.0'].map((is_open, i) => ({
      exchange: 'SSE',
      cal_date: `2026100${8 + (i % 2)}`,
      is_open,
      pretrade_date: null,
    }))
    expect(readRows(tradeCalTable, asTable(days), {}).map((day) => day.is_open)).toEqual([
      true,
      false,
      true,
    ])
  })

  it('a loss has no P/E: null is kept apart from absent', () => {
    const row = Object.fromEntries(
      Object.keys(dailyBasicTable.row.shape).map((name) => [name, null]),
    )
    const given = {
      ...row,
      ts_code: '600519.SH',
      trade_date: '20261119',
      close: '1466.00',
      pe: null,
      total_mv: '184157.1',
      total_share: '125.6',
    }
    expect(readRows(dailyBasicTable, asTable([given]), {})).toMatchObject([
      { close: '1466.00', pe: null },
    ])
    const statement = {
      ts_code: '601398.SH',
      ann_date: null,
      end_date: '20260930',
      update_flag: '1',
      eps: null,
    }
    expect(readRows(finaIndicatorTable, asTable([statement]), {})[0]).toEqual({
      ...statement,
      end_date: '2026-09-30',
    })
  })

  it('market value that does not fit price and shares is refused', () => {
    const row = Object.fromEntries(
      Object.keys(dailyBasicTable.row.shape).map((name) => [name, null]),
    )
    const given = {
      ...row,
      ts_code: '600519.SH',
      trade_date: '20261119',
      close: '1466.00',
      total_mv: '18415710',
      total_share: '125.6',
    }
    expect(kindOf(() => readRows(dailyBasicTable, asTable([given]), {}))).toBe('upstream_lie')
  })

  it('a factor is above zero, a mapping leads to a new Beijing code, a listing has a known status', () => {
    expect(
      kindOf(() =>
        readRows(
          adjFactorTable,
          asTable([{ ts_code: '600519.SH', trade_date: '20261119', adj_factor: '0' }]),
          {},
        ),
      ),
    ).toBe('upstream_lie')
    expect(
      kindOf(() =>
        readRows(
          bseMappingTable,
          asTable([
            { name: '方大新材', o_code: '838163.BJ', n_code: '838163.BJ', list_date: null },
          ]),
          {},
        ),
      ),
    ).toBe('upstream_lie')
    const listing = Object.fromEntries(
      Object.keys(stockBasicTable.row.shape).map((name) => [name, null]),
    )
    const given = {
      ...listing,
      ts_code: '600519.SH',
      symbol: '600519',
      name: '贵州茅台',
      list_status: 'X',
    }
    expect(kindOf(() => readRows(stockBasicTable, asTable([given]), {}))).toBe('bad_answer')
  })

  it('another quarter than the one asked for is a lie', () => {
    const row = {
      ts_code: '600519.SH',
      end_date: '20260630',
      ann_date: '20260825',
      f_ann_date: '20260825',
      report_type: '1',
      comp_type: '1',
      update_flag: '1',
    }
    expect(kindOf(() => readRows(incomeTable, asTable([row]), { period: '2026-09-30' }))).toBe(
      'upstream_lie',
    )
  })
})

describe('a jump no price limit allows', () => {
  const day = {
    ts_code: '600519.SH',
    trade_date: '2026-11-19',
    close: '1466.00',
    pre_close: '1460.00',
  }
  const old = { listDate: '2001-08-27' }
  it.each([
    [undefined, { bar: day, ...old }],
    ['10', { bar: { ...day, close: '1700.00' }, ...old }],
    ['pre_close', { bar: day, previousClose: '14.60', ...old }],
    // Ten for ten halves the price, and that is no error.
    [undefined, { bar: day, previousClose: '2920.00', ...old }],
    [undefined, { bar: { ...day, ts_code: '300750.SZ', close: '1740.00' }, ...old }],
    ['20', { bar: { ...day, ts_code: '300750.SZ', close: '1800.00' }, ...old }],
    [undefined, { bar: { ...day, ts_code: '920163.BJ', close: '1890.00' }, ...old }],
    [undefined, { bar: { ...day, close: '9999.00' }, listDate: '2026-11-18' }],
    [undefined, { bar: { ...day, close: '9999.00' } }],
  ])('%s', (part, question) => {
    const found = findPriceJump(question)
    expect(part === undefined ? found : found?.includes(part)).toBe(
      part === undefined ? undefined : true,
    )
  })
})
