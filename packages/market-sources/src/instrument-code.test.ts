import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseInstrumentCode } from './instrument-code.ts'
import { toTushare } from './instrument.ts'
import type { InstrumentKind } from './instrument.ts'

const beijingCodes = new Map([
  ['838163.BJ', '920163.BJ'],
  ['430047.BJ', '920047.BJ'],
])
const parse = (text: unknown) => parseInstrumentCode(text, { beijingCodes })

const codes = (text: string) => {
  const reading = parse(text)
  return reading.ok ? [] : reading.candidates?.map(({ code }) => code)
}
const api = (text: string) => {
  const reading = parse(text)
  return reading.ok ? toTushare(reading.instrument) : reading.reason
}

describe('every form people write is read as the one canonical code', () => {
  it.each<[text: string, code: string, kind: InstrumentKind]>([
    ...[
      '600519',
      '600519.SH',
      'SH600519',
      'sh600519',
      '600519.sh',
      '600519.SS',
      '600519.XSHG',
      '1.600519',
    ].map((text): [string, string, InstrumentKind] => [text, '600519.SH', 'stock']),
    ['６００５１９', '600519.SH', 'stock'],
    ['６００５１９．ＳＨ', '600519.SH', 'stock'],
    ['600519.SH\n', '600519.SH', 'stock'],
    [' 600519.SH ', '600519.SH', 'stock'],
    ['6005\u200b19', '600519.SH', 'stock'],
    ['sh.600519', '600519.SH', 'stock'],
    ['SHSE.600519', '600519.SH', 'stock'],
    ['000001', '000001.SZ', 'stock'],
    ['SZ000001', '000001.SZ', 'stock'],
    ['000001.XSHE', '000001.SZ', 'stock'],
    ['0.000001', '000001.SZ', 'stock'],
    ['SH000001', '000001.SH', 'index'],
    ['000001.SH', '000001.SH', 'index'],
    ['1.000001', '000001.SH', 'index'],
    ['999999', '000001.SH', 'index'],
    ['上证指数', '000001.SH', 'index'],
    ['上证综指', '000001.SH', 'index'],
    ['沪深300', '000300.SH', 'index'],
    ['300750', '300750.SZ', 'stock'],
    ['301001', '301001.SZ', 'stock'],
    ['302132', '302132.SZ', 'stock'],
    ['688981', '688981.SH', 'stock'],
    ['689009', '689009.SH', 'stock'],
    ['920163', '920163.BJ', 'bj'],
    ['920163.BJ', '920163.BJ', 'bj'],
    ['0.920163', '920163.BJ', 'bj'],
    ['838163', '920163.BJ', 'bj'],
    ['838163.BJ', '920163.BJ', 'bj'],
    ['bj430047', '920047.BJ', 'bj'],
    ['900901', '900901.SH', 'b_share'],
    ['200011', '200011.SZ', 'b_share'],
    ['510300', '510300.SH', 'fund'],
    ['501018', '501018.SH', 'fund'],
    ['520500', '520500.SH', 'fund'],
    ['560010', '560010.SH', 'fund'],
    ['588000', '588000.SH', 'fund'],
    ['159915', '159915.SZ', 'fund'],
    ['161725', '161725.SZ', 'fund'],
    ['180101', '180101.SZ', 'fund'],
    ['000300', '000300.SH', 'index'],
    ['000905', '000905.SZ', 'stock'],
    ['000905.SH', '000905.SH', 'index'],
    ['000016', '000016.SZ', 'stock'],
    ['000016.SH', '000016.SH', 'index'],
    ['000688', '000688.SZ', 'stock'],
    ['399001', '399001.SZ', 'index'],
    ['399300.SZ', '399300.SZ', 'index'],
    ['000300.CSI', '000300.CSI', 'index'],
    ['801010.SI', '801010.SI', 'index'],
    ['801010', '801010.SI', 'index'],
    ['00700', '00700.HK', 'hk'],
    ['0700.HK', '00700.HK', 'hk'],
    ['700.hk', '00700.HK', 'hk'],
    ['HK00700', '00700.HK', 'hk'],
    ['港股700', '00700.HK', 'hk'],
    ['116.00700', '00700.HK', 'hk'],
    ['80700.HK', '80700.HK', 'hk'],
    ['09988', '09988.HK', 'hk'],
    ['9988.HK', '09988.HK', 'hk'],
    ['AAPL', 'AAPL', 'us'],
    ['aapl', 'AAPL', 'us'],
    ['AAPL.US', 'AAPL', 'us'],
    ['NASDAQ:AAPL', 'AAPL', 'us'],
    ['105.AAPL', 'AAPL', 'us'],
    ['106.BABA', 'BABA', 'us'],
    ['BRK.B', 'BRK.B', 'us'],
    ['BRK-B', 'BRK.B', 'us'],
  ])('%j is %s', (text, code, kind) => {
    const reading = parse(text)
    expect(reading).toMatchObject({ ok: true, instrument: { code, kind } })
    // Anything that was interpreted says so in both languages.
    const note = reading.ok ? reading.note : undefined
    expect([note?.zh.includes(code), note?.en.includes(code)]).toEqual(
      text === code ? [undefined, undefined] : [true, true],
    )
  })
})

describe('what cannot be read is refused by type', () => {
  it.each<[text: unknown, reason: string]>([
    ['', 'unknown_form'],
    ['   ', 'unknown_form'],
    ["600519.SH'--", 'unknown_form'],
    ['../', 'unknown_form'],
    ['9'.repeat(4096), 'unknown_form'],
    ['\ufdfa'.repeat(39), 'unknown_form'],
    [['600519'], 'unknown_form'],
    [600_519, 'unknown_form'],
    [null, 'unknown_form'],
    [undefined, 'unknown_form'],
    ['600519.SH.SH', 'unknown_form'],
    ['600519 000001', 'unknown_form'],
    ['贵州茅台', 'unknown_form'],
    ['1234567', 'unknown_form'],
    ['999999.SH', 'no_such_code'],
    ['000000', 'no_such_code'],
    ['700001', 'no_such_code'],
    ['600519.SZ', 'no_such_code'],
    ['900901.BJ', 'no_such_code'],
    ['00000.HK', 'no_such_code'],
    ['700', 'ambiguous'],
    ['0700', 'ambiguous'],
    ['1', 'ambiguous'],
    ['113050', 'not_covered'],
    ['123001', 'not_covered'],
    ['131810', 'not_covered'],
    ['127045.SZ', 'not_covered'],
    ['430001', 'not_covered'],
    ['830001.BJ', 'not_covered'],
    ['880001', 'not_covered'],
    ['400010', 'not_covered'],
  ])('%j: %s', (text, reason) => {
    expect(parse(text)).toMatchObject({
      ok: false,
      reason,
      message: { zh: expect.any(String), en: expect.any(String) },
    })
  })

  it('a short number is asked about, with what it may be', () => {
    expect(codes('700')).toEqual(['00700.HK', '000700.SZ'])
    expect(codes('2594')).toEqual(['02594.HK', '002594.SZ'])
    expect(codes('9988')).toEqual(['09988.HK'])
  })

  it('a code on the wrong exchange is not silently corrected', () => {
    expect(parse('600519.SZ')).toMatchObject({
      ok: false,
      candidates: [{ code: '600519.SH', kind: 'stock' }],
    })
  })
})

it('a bare number that is also an index says so and offers it', () => {
  expect(parse('000001')).toMatchObject({
    ok: true,
    explicit: false,
    alternatives: [{ code: '000001.SH', kind: 'index' }],
    note: { zh: expect.stringContaining('上证指数') },
  })
  expect(parse('000002')).not.toHaveProperty('alternatives')
})

it('the table of Tushare that holds the bars follows from the kind', () => {
  expect(api('sh600519')).toEqual({ tsCode: '600519.SH', api: 'daily' })
  expect(api('920163')).toEqual({ tsCode: '920163.BJ', api: 'daily' })
  expect(api('510300')).toEqual({ tsCode: '510300.SH', api: 'fund_daily' })
  expect(api('999999')).toEqual({ tsCode: '000001.SH', api: 'index_daily' })
  expect(api('0700.HK')).toEqual({ tsCode: '00700.HK', api: 'hk_daily' })
  expect(api('AAPL')).toEqual({ tsCode: 'AAPL', api: 'us_daily' })
})

describe('whatever the text', () => {
  const nearlyCodes = fc
    .array(fc.constantFrom(...Array.from('0123456789ABHKSZJXU.:-/ ６\u200b港股茅')), {
      maxLength: 14,
    })
    .map((letters) => letters.join(''))
  const wild = fc.oneof(
    fc.anything(),
    fc.string(),
    fc.string({ unit: 'binary', maxLength: 5000 }),
    nearlyCodes,
  )

  it('the parser never throws', () => {
    fc.assert(
      fc.property(wild, (text) => {
        expect(parse(text).ok).toBeTypeOf('boolean')
      }),
      { numRuns: 3000 },
    )
  })

  it('a canonical code reads as itself, with the same kind and without a note of doubt', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          nearlyCodes,
          fc.integer({ min: 0, max: 999_999 }).map((n) => String(n).padStart(6, '0')),
        ),
        (text) => {
          const reading = parse(text)
          if (!reading.ok) return
          const again = parse(reading.instrument.code)
          expect(again).toMatchObject({ ok: true, instrument: reading.instrument })
          expect(again).not.toHaveProperty('alternatives')
        },
      ),
      { numRuns: 5000 },
    )
  })
})
