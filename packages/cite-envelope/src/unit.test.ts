import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canConvert, convertUnit, isUnit, unitNames, units } from './unit.ts'

describe('units', () => {
  it.each([
    ['1466.00', 'CNY', 'CNY_10K', '0.146600'],
    ['183645678.1234', 'CNY_10K', 'CNY_100M', '18364.56781234'],
    ['183645678.1234', 'CNY_10K', 'CNY', '1836456781234'],
    ['460697.377', 'CNY_1K', 'CNY', '460697377'],
    ['460697.377', 'CNY_1K', 'CNY_100M', '4.60697377'],
    ['525152.77', 'share_100', 'share', '52515277'],
    ['125619.7800', 'share_10K', 'share_100M', '12.56197800'],
    ['0.123', 'ratio', 'pct', '12.3'],
    ['12.3', 'pct', 'ratio', '0.123'],
    ['-3.5', 'pct', 'pct', '-3.5'],
  ] as const)('%s %s is %4$s in %3$s', (text, from, to, expected) => {
    expect(convertUnit(text, from, to)).toBe(expected)
  })

  it.each([
    ['CNY', 'USD'],
    ['HKD', 'CNY'],
    ['pct', 'pct_point'],
    ['x', 'pct'],
    ['x', 'ratio'],
    ['share', 'CNY'],
    ['count', 'share'],
    ['date', 'day'],
    ['point', 'pct_point'],
  ] as const)('%s never becomes %s', (from, to) => {
    expect(canConvert(from, to)).toBe(false)
    expect(convertUnit('1', from, to)).toBeUndefined()
  })

  it('converting there and back changes no figure', () => {
    const unit = fc.constantFrom(...unitNames)
    const isKept = fc.property(unit, unit, fc.integer(), fc.nat(9999), (from, to, whole, part) => {
      const text = `${whole}.${String(part).padStart(4, '0')}`
      const there = convertUnit(text, from, to)
      if (there === undefined) return units[from].base !== units[to].base
      return trimmed(convertUnit(there, to, from)) === trimmed(text)
    })
    expect(() => fc.assert(isKept, { numRuns: 1000 })).not.toThrow()
  })

  it('only the names of the list are units', () => {
    for (const name of unitNames) expect(isUnit(name)).toBe(true)
    for (const name of ['', 'cny', 'RMB', '__proto__', 'constructor', 'toString']) {
      expect(isUnit(name)).toBe(false)
    }
  })
})

function trimmed(text: string | undefined): string | undefined {
  return text?.replace(/0+$/, '').replace(/\.$/, '')
}
