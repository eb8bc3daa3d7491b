import type { CrossCheck } from './claim.ts'
import { compare, div, fromNumber, mul, sub } from './decimal.ts'

/**
 * Two sources about one raw close. Whether they agree is decided exactly; only the percentage shown is rounded.
 *
 *     crossCheck('1466.00', '1466.14') // { …, diff_pct: 0.00955, agreement: true }
 */
export function crossCheck(tushareClose: string, tdxClose: string): CrossCheck {
  const difference = sub(tdxClose, tushareClose)
  const percent = div(mul(difference, '100'), tushareClose, { digits: 6 })
  // |difference| ≤ 0.01 % of the close, without a division that would round.
  const agreement = compare(absolute(mul(difference, '10000')), absolute(tushareClose)) <= 0
  return {
    tushare_close: Number(tushareClose),
    tdx_close: Number(tdxClose),
    diff_pct: Number(percent),
    agreement,
  }
}

/** True when the closes are positive and the rest follows from them. */
export function crossCheckHolds(check: CrossCheck): boolean {
  if (!(check.tushare_close > 0) || !(check.tdx_close > 0)) return false
  const expected = crossCheck(fromNumber(check.tushare_close), fromNumber(check.tdx_close))
  return (
    check.agreement === expected.agreement &&
    compare(fromNumber(check.diff_pct), fromNumber(expected.diff_pct)) === 0
  )
}

function absolute(text: string): string {
  return text.startsWith('-') ? text.slice(1) : text
}
