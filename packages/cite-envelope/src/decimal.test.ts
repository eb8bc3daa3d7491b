import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  add,
  compare,
  DecimalError,
  div,
  fractionDigits,
  fromNumber,
  isDecimal,
  mul,
  numberMatchesText,
  plain,
  round,
  shift,
  sub,
} from './decimal.ts'

describe('reading', () => {
  it.each([
    ['1466.00', '1466.00'],
    ['0', '0'],
    ['-0.00', '0.00'],
    ['+5', '5'],
    ['007.10', '7.10'],
    ['1.20e3', '1200'],
    ['1.2345e2', '123.45'],
    ['1.2E-7', '0.00000012'],
    ['5e-324', `0.${'0'.repeat(323)}5`],
    ['0e400', undefined],
    ['1e400', undefined],
    ['1e-401', undefined],
    ['1e99999', undefined],
    ['NaN', undefined],
    ['Infinity', undefined],
    ['-Infinity', undefined],
    ['', undefined],
    ['.5', undefined],
    ['5.', undefined],
    ['1,466', undefined],
    [' 1', undefined],
    ['1 ', undefined],
    ['1\n', undefined],
    ['0x10', undefined],
    ['1_000', undefined],
    ['１２', undefined],
    ['--1', undefined],
    ['1e', undefined],
    ['9'.repeat(401), undefined],
    ['9'.repeat(1_000_000), undefined],
  ])('%s is %s', (text, expected) => {
    expect(isDecimal(text)).toBe(expected !== undefined)
    expect(plainOrRefused(text)).toBe(expected)
  })

  it.each([
    [1850.2, '1850.2'],
    [1466, '1466'],
    [0.1, '0.1'],
    [-0, '0'],
    [1e21, '1000000000000000000000'],
    [1e-7, '0.0000001'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    [6.510000228881836, '6.510000228881836'],
  ])('the number %d is %s', (value, text) => {
    expect(fromNumber(value)).toBe(text)
  })

  it('refuses what is no number', () => {
    for (const value of [NaN, Infinity, -Infinity, Number('1e400')]) {
      expect(() => fromNumber(value)).toThrow(expect.objectContaining({ code: 'not_finite' }))
    }
  })

  it('every number survives the way to text and back', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Number(fromNumber(value))).toBe(value + 0)
        expect(numberMatchesText(value, fromNumber(value))).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('computing', () => {
  it('knows that 0.1 and 0.2 make 0.3', () => {
    expect(add('0.1', '0.2')).toBe('0.3')
    expect(sub('0.3', '0.1')).toBe('0.2')
    expect(mul('1.10', '3')).toBe('3.30')
    expect(compare(add('0.1', '0.2'), '0.3')).toBe(0)
  })

  it.each([
    ['2.5', 0, '2', '3'],
    ['3.5', 0, '4', '4'],
    ['-2.5', 0, '-2', '-3'],
    ['-3.5', 0, '-4', '-4'],
    ['2.51', 0, '3', '3'],
    ['2.49', 0, '2', '2'],
    ['0.5', 0, '0', '1'],
    ['-0.5', 0, '0', '-1'],
    ['2.675', 2, '2.68', '2.68'],
    ['2.665', 2, '2.66', '2.67'],
    ['1.005', 2, '1.00', '1.01'],
    ['9.995', 2, '10.00', '10.00'],
    ['1.5', 3, '1.500', '1.500'],
  ])('%s to %d digits is %s half-even and %s half-up', (text, digits, even, up) => {
    expect(round(text, digits)).toBe(even)
    expect(round(text, digits, 'half-up')).toBe(up)
  })

  it.each([
    ['2', '3', 4, '0.6667'],
    ['-2', '3', 4, '-0.6667'],
    ['1', '8', 2, '0.12'],
    ['3', '8', 2, '0.38'],
    ['1', '-8', 2, '-0.12'],
    ['0', '7', 2, '0.00'],
    ['1466.00', '1400.0', 6, '1.047143'],
  ])('%s / %s to %d digits is %s', (a, b, digits, expected) => {
    expect(div(a, b, { digits })).toBe(expected)
  })

  it('refuses a division by zero, wrong digits and results without bound', () => {
    expect(() => div('1', '0.00', { digits: 2 })).toThrow(
      expect.objectContaining({ code: 'division_by_zero' }),
    )
    for (const digits of [-1, 1.5, NaN, 401]) {
      expect(() => round('1', digits)).toThrow(expect.objectContaining({ code: 'bad_digits' }))
    }
    expect(() => mul('1e399', '1e399')).toThrow(expect.objectContaining({ code: 'out_of_range' }))
  })

  it('moves the point without losing a digit', () => {
    expect(shift('1466.00', -4)).toBe('0.146600')
    expect(shift('0.146600', 4)).toBe('1466.00')
    expect(shift('12', 3)).toBe('12000')
    expect(shift('-1.5', 1)).toBe('-15')
  })
})

describe('laws, against fractions of BigInt', () => {
  const runs = { numRuns: 1000 }

  it('add, sub and mul are exact and keep order and digits', () => {
    fc.assert(
      fc.property(decimals, decimals, decimals, (a, b, c) => {
        expect(fraction(add(a, b))).toEqual(reduced(plus(fraction(a), fraction(b))))
        expect(fraction(mul(a, b))).toEqual(reduced(times(fraction(a), fraction(b))))
        expect(add(a, b)).toBe(add(b, a))
        expect(add(add(a, b), c)).toBe(add(a, add(b, c)))
        expect(compare(sub(add(a, b), b), a)).toBe(0)
        expect(compare(mul(a, add(b, c)), add(mul(a, b), mul(a, c)))).toBe(0)
        expect(fractionDigits(add(a, b))).toBe(Math.max(fractionDigits(a), fractionDigits(b)))
      }),
      runs,
    )
  })

  it('compare is the order of the fractions', () => {
    fc.assert(
      fc.property(decimals, decimals, (a, b) => {
        const [x, y] = [fraction(a), fraction(b)]
        const difference = x.n * y.d - y.n * x.d
        expect(compare(a, b)).toBe(difference === 0n ? 0 : difference < 0n ? -1 : 1)
        expect(compare(a, b)).toBe(-compare(b, a) + 0)
      }),
      runs,
    )
  })

  it('div and round are never further from the truth than half a unit of the last digit', () => {
    fc.assert(
      fc.property(decimals, decimals, fc.nat(12), modes, (a, b, digits, rounding) => {
        fc.pre(compare(b, '0') !== 0)
        const exact = times(fraction(a), { n: fraction(b).d, d: fraction(b).n })
        expect(isNearest(exact, div(a, b, { digits, rounding }), digits)).toBe(true)
        expect(isNearest(fraction(a), round(a, digits, rounding), digits)).toBe(true)
      }),
      runs,
    )
  })

  it('rounding twice to the same digits changes nothing', () => {
    fc.assert(
      fc.property(decimals, fc.nat(12), modes, (a, digits, rounding) => {
        const once = round(a, digits, rounding)
        expect(round(once, digits, rounding)).toBe(once)
        expect(fractionDigits(once)).toBe(digits)
      }),
      runs,
    )
  })

  it('no text makes it throw anything but its own error', () => {
    const numeric = fc.string({ unit: fc.constantFrom('0', '1', '9', '.', 'e', 'E', '+', '-') })
    const isTotal = fc.property(fc.oneof(fc.string(), numeric), (text) => {
      return isDecimal(text) === (plainOrRefused(text) !== undefined)
    })
    expect(() => fc.assert(isTotal, runs)).not.toThrow()
  })
})

function plainOrRefused(text: string): string | undefined {
  try {
    return plain(text)
  } catch (error) {
    if (error instanceof DecimalError) return undefined
    throw error
  }
}

describe('a JSON number and its text', () => {
  it.each([
    [1466, '1466.00', true],
    [1850.2, '1850.20', true],
    [1850.2, '1850.21', false],
    [0.30000000000000004, '0.3', false],
    [0, '-0.00', true],
    [NaN, 'NaN', false],
    [Infinity, '1e400', false],
    [1, 'one', false],
    [183645678.1234, '183645678.1234', true],
    [123456789012345680, '123456789012345678.91', true],
    [123456789012345700, '123456789012345678.91', false],
  ])('%d and %s agree: %s', (value, text, expected) => {
    expect(numberMatchesText(value, text)).toBe(expected)
  })
})

const modes = fc.constantFrom('half-even' as const, 'half-up' as const)

const decimals = fc
  .tuple(fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }), fc.nat(12))
  .map(([units, scale]) => shift(units.toString(), -scale))

type Fraction = { n: bigint; d: bigint }

/** Read without the code under test. */
function fraction(text: string): Fraction {
  const [whole = '', digits = ''] = text.split('.')
  return reduced({ n: BigInt(whole + digits), d: 10n ** BigInt(digits.length) })
}

function plus(a: Fraction, b: Fraction): Fraction {
  return { n: a.n * b.d + b.n * a.d, d: a.d * b.d }
}

function times(a: Fraction, b: Fraction): Fraction {
  return { n: a.n * b.n, d: a.d * b.d }
}

function reduced({ n, d }: Fraction): Fraction {
  const sign = d < 0n ? -1n : 1n
  const divisor = greatestCommonDivisor(n, d) * sign
  return { n: n / divisor, d: d / divisor }
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b]
  while (y !== 0n) [x, y] = [y, x % y]
  return x === 0n ? 1n : x
}

function isNearest(exact: Fraction, text: string, digits: number): boolean {
  const { n, d } = reduced(plus(exact, times(fraction(text), { n: -1n, d: 1n })))
  const distance = n < 0n ? -n : n
  return 2n * distance * 10n ** BigInt(digits) <= d
}
