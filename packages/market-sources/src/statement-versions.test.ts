import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chooseVersions, versionKey } from './statement-versions.ts'
import type { VersionedRow } from './statement-versions.ts'

const version = (
  end_date: string,
  f_ann_date: string,
  update_flag: string,
  more: Partial<VersionedRow> = {},
): VersionedRow => ({
  ts_code: '600519.SH',
  end_date,
  ann_date: '2026-04-28',
  f_ann_date,
  report_type: '1',
  update_flag,
  ...more,
})
// First published in April, corrected in August; a later restatement that the source has not flagged.
const first = version('2026-03-31', '2026-04-28', '0')
const corrected = version('2026-03-31', '2026-08-20', '1')
const unflagged = version('2026-03-31', '2026-09-01', '0')
const halfYear = version('2026-06-30', '2026-08-20', '0')

describe('restated statements', () => {
  it("today's view: the flagged one, then the latest announcement", () => {
    expect(chooseVersions([first, unflagged, corrected, halfYear])).toEqual([halfYear, corrected])
    expect(chooseVersions([first, unflagged])).toEqual([unflagged])
  })

  it.each([
    ['2026-04-27', []],
    ['2026-04-28', [first]],
    ['2026-08-19', [first]],
    ['2026-08-20', [halfYear, corrected]],
    ['2026-12-31', [halfYear, unflagged]],
  ])('as known on %s', (asKnown, expected) => {
    expect(chooseVersions([corrected, first, unflagged, halfYear], { asKnown })).toEqual(expected)
  })

  it('other kinds of report are never mixed in', () => {
    const parent = version('2026-03-31', '2026-10-01', '1', { report_type: '6' })
    expect(chooseVersions([first, parent])).toEqual([first])
    expect(chooseVersions([first, parent], { reportType: '6' })).toEqual([parent])
  })

  it('indicators, which have only ann_date, are dated by it', () => {
    const { f_ann_date: _f, report_type: _r, ...indicator } = first
    expect(chooseVersions([indicator], { asKnown: '2026-04-27' })).toEqual([])
    expect(chooseVersions([indicator], { asKnown: '2026-04-28' })).toEqual([indicator])
  })

  it('a row without any announcement date was known on no day', () => {
    const undated = version('2026-03-31', '', '1', { f_ann_date: null, ann_date: null })
    expect(chooseVersions([undated], { asKnown: '2099-01-01' })).toEqual([])
    expect(chooseVersions([undated])).toEqual([undated])
  })

  it('versions differ in their key', () => {
    expect(new Set([first, corrected, unflagged, halfYear].map(versionKey)).size).toBe(4)
  })

  it('the choice does not depend on the order of the rows, and never looks into the future', () => {
    const date = fc.constantFrom('2026-03-31', '2026-06-30', '2026-08-20', '2026-09-01')
    const row = fc
      .record({ end: date, announced: date, flag: fc.constantFrom('0', '1') })
      .map(({ end, announced, flag }) => version(end, announced, flag))
    fc.assert(
      fc.property(
        fc.uniqueArray(row, { selector: versionKey, maxLength: 20 }),
        date,
        (rows, asKnown) => {
          const chosen = chooseVersions(rows, { asKnown })
          expect(chooseVersions(rows.toReversed(), { asKnown })).toEqual(chosen)
          expect(chosen.every(({ f_ann_date }) => (f_ann_date ?? '') <= asKnown)).toBe(true)
        },
      ),
    )
  })
})
