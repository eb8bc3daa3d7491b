import type { InstrumentKind } from './instrument.ts'

export type Exchange = 'SH' | 'SZ' | 'BJ'

/** What a six-digit number means on an exchange; undefined when the exchange issues no such number. */
export type NumberMeaning = InstrumentKind | 'old_beijing' | 'bond' | 'third_board'

export function meaningOn(exchange: Exchange, digits: string): NumberMeaning | undefined {
  return ranges[exchange].find(([pattern]) => pattern.test(digits))?.[1]
}

/**
 * The one exchange a bare number points at. Shanghai's indices share numbers with Shenzhen's stocks:
 * the bare number means the stock.
 */
export function exchangeOf(digits: string): Exchange | undefined {
  if (numbersWithoutStock.has(digits)) return 'SH'
  if (meaningOn('SZ', digits) !== undefined) return 'SZ'
  if (meaningOn('SH', digits) !== undefined) return 'SH'
  return meaningOn('BJ', digits) === undefined ? undefined : 'BJ'
}

// 000300 was never given to a Shenzhen stock, so the bare number can only be the index.
const numbersWithoutStock = new Set(['000300'])

type Range = readonly [pattern: RegExp, meaning: NumberMeaning]

const ranges: Record<Exchange, readonly Range[]> = {
  SH: [
    [/^60\d{4}$/, 'stock'],
    [/^68[89]\d{3}$/, 'stock'],
    [/^900\d{3}$/, 'b_share'],
    [/^5[01268]\d{4}$/, 'fund'],
    [/^(?!000000)000\d{3}$/, 'index'],
    // 01 and 02 are treasuries, 204 repo, the rest of 1 convertible, corporate and local bonds.
    [/^(?:0[12]|1[0-9]|204|24)\d+$/, 'bond'],
  ],
  SZ: [
    [/^(?!000000)00[0-4]\d{3}$/, 'stock'],
    [/^30\d{4}$/, 'stock'],
    [/^20[01]\d{3}$/, 'b_share'],
    [/^1[568]\d{4}$/, 'fund'],
    [/^399\d{3}$/, 'index'],
    [/^1[01234]\d{4}$/, 'bond'],
  ],
  BJ: [
    [/^920\d{3}$/, 'bj'],
    [/^899\d{3}$/, 'index'],
    [/^(?:43|83|87|88)\d{4}$/, 'old_beijing'],
    [/^81\d{4}$/, 'bond'],
    [/^(?:4\d|82)\d{4}$/, 'third_board'],
  ],
}
