// Exact decimal arithmetic on plain text; no float takes part in it. Own code and not big.js or decimal.js: whoever
// installs this package should get zod and nothing else, those libraries drop the trailing zeros a source wrote, and
// BigInt leaves little to write.

export type Rounding = 'half-even' | 'half-up'

/** Digits before and after the point. Every finite JSON number fits; `1e400` does not. */
export const maxDigits = 400

/** True for text such as `1466.00`, `-0.5` or `1.2e-7`; false for ``, `.5`, `1,466`, `NaN`, `1e400`. */
export function isDecimal(text: string): boolean {
  return parse(text) !== undefined
}

/** The same number in plain notation: `plain('1.20e3') === '1200'`, `plain('+1466.00') === '1466.00'`. */
export function plain(text: string): string {
  return format(scaled(text))
}

/** The shortest text that reads back as this number: `fromNumber(1850.2) === '1850.2'`. */
export function fromNumber(value: number): string {
  if (!Number.isFinite(value)) {
    throw new DecimalError(
      'not_finite',
      `${value} is not a figure; find out why the source sent it.`,
    )
  }
  return plain(String(value))
}

/** The sum, with the digits of the longer fraction: `add('0.10', '0.2') === '0.30'`. */
export function add(a: string, b: string): string {
  const [left, right, scale] = aligned(a, b)
  return format({ units: left + right, scale })
}

export function sub(a: string, b: string): string {
  const [left, right, scale] = aligned(a, b)
  return format({ units: left - right, scale })
}

export function mul(a: string, b: string): string {
  const [left, right] = [scaled(a), scaled(b)]
  return format({ units: left.units * right.units, scale: left.scale + right.scale })
}

/** The quotient with exactly `digits` digits after the point: `div('2', '3', { digits: 4 }) === '0.6667'`. */
export function div(
  a: string,
  b: string,
  { digits, rounding = 'half-even' }: { digits: number; rounding?: Rounding },
): string {
  assertDigits(digits)
  const [left, right] = aligned(a, b)
  if (right === 0n) throw new DecimalError('division_by_zero', `${a} cannot be divided by zero.`)
  return format({ units: roundedQuotient(left * pow10(digits), right, rounding), scale: digits })
}

/** Exactly `digits` digits after the point: `round('2.675', 2) === '2.68'`, `round('1.5', 2) === '1.50'`. */
export function round(text: string, digits: number, rounding: Rounding = 'half-even'): string {
  assertDigits(digits)
  const { units, scale } = scaled(text)
  if (scale <= digits) return format({ units: units * pow10(digits - scale), scale: digits })
  return format({ units: roundedQuotient(units, pow10(scale - digits), rounding), scale: digits })
}

/** Times a power of ten, which is always exact: `shift('1466.00', -4) === '0.146600'`. */
export function shift(text: string, exponent: number): string {
  assertDigits(Math.abs(exponent))
  const { units, scale } = scaled(text)
  if (scale >= exponent) return format({ units, scale: scale - exponent })
  return format({ units: units * pow10(exponent - scale), scale: 0 })
}

/** Order by value alone: `compare('1.50', '1.5') === 0`. */
export function compare(a: string, b: string): -1 | 0 | 1 {
  const [left, right] = aligned(a, b)
  if (left === right) return 0
  return left < right ? -1 : 1
}

/** How many digits stand after the point: `fractionDigits('1466.00') === 2`. */
export function fractionDigits(text: string): number {
  return scaled(text).scale
}

/**
 * True when a JSON number and a text are the same figure. A double holds 15 digits of any decimal; of a longer text
 * the number can only be the nearest double, and then that is what it must be.
 */
export function numberMatchesText(value: number, text: string): boolean {
  if (!Number.isFinite(value) || !isDecimal(text)) return false
  if (compare(fromNumber(value), text) === 0) return true
  const nearest = Number(text)
  if (significantDigits(text) <= 15 || !Number.isFinite(nearest)) return false
  return compare(fromNumber(nearest), fromNumber(value)) === 0
}

export class DecimalError extends Error {
  readonly code: DecimalErrorCode
  constructor(code: DecimalErrorCode, message: string) {
    super(message)
    this.name = 'DecimalError'
    this.code = code
  }
}

export type DecimalErrorCode =
  | 'not_decimal'
  | 'not_finite'
  | 'out_of_range'
  | 'division_by_zero'
  | 'bad_digits'

/** The value is units / 10^scale. */
type Scaled = { units: bigint; scale: number }

const decimalText = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,4}))?$/

function parse(text: string): Scaled | undefined {
  // Sign, both parts, point and exponent: what is longer cannot be in range, and is not even looked at.
  if (text.length > 2 * maxDigits + 8) return undefined
  const match = decimalText.exec(text)
  if (!match) return undefined
  const [, sign = '', whole = '', fraction = '', exponentText = '0'] = match
  const exponent = Number(exponentText)
  const scale = fraction.length - exponent
  if (scale > maxDigits || whole.length + exponent > maxDigits) return undefined
  const units = BigInt(whole + fraction) * (sign === '-' ? -1n : 1n)
  return scale >= 0 ? { units, scale } : { units: units * pow10(-scale), scale: 0 }
}

function scaled(text: string): Scaled {
  const parsed = parse(text)
  if (parsed) return parsed
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text
  throw new DecimalError(
    'not_decimal',
    `"${shown}" is not a decimal number of at most ${maxDigits} digits on each side of the point.`,
  )
}

function format({ units, scale }: Scaled): string {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  if (whole.length > maxDigits || scale > maxDigits) {
    throw new DecimalError('out_of_range', `A result needs more than ${maxDigits} digits.`)
  }
  return `${units < 0n ? '-' : ''}${whole}${scale > 0 ? `.${digits.slice(-scale)}` : ''}`
}

function aligned(a: string, b: string): [bigint, bigint, number] {
  const [left, right] = [scaled(a), scaled(b)]
  const scale = Math.max(left.scale, right.scale)
  return [left.units * pow10(scale - left.scale), right.units * pow10(scale - right.scale), scale]
}

/** Both modes round away from zero above the middle; they differ on the middle alone. */
function roundedQuotient(numerator: bigint, denominator: bigint, rounding: Rounding): bigint {
  const negative = numerator < 0n !== denominator < 0n
  const [n, d] = [magnitude(numerator), magnitude(denominator)]
  const quotient = n / d
  const twiceRest = (n % d) * 2n
  const up =
    twiceRest > d || (twiceRest === d && (rounding === 'half-up' || (quotient & 1n) === 1n))
  const rounded = up ? quotient + 1n : quotient
  return negative ? -rounded : rounded
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value
}

function pow10(exponent: number): bigint {
  return 10n ** BigInt(exponent)
}

function significantDigits(text: string): number {
  return magnitude(scaled(text).units).toString().length
}

function assertDigits(digits: number): void {
  if (Number.isInteger(digits) && digits >= 0 && digits <= maxDigits) return
  throw new DecimalError(
    'bad_digits',
    `${digits} is not a number of digits from 0 to ${maxDigits}.`,
  )
}
