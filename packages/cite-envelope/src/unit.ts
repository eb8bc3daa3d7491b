import { shift } from './decimal.ts'

/**
 * The closed list of units. A figure is `base × 10^exponent`: every factor is a power of ten, so that conversion only
 * moves the point and is always exact. Per-share figures are in their currency, as every source gives them.
 */
export const units = {
  CNY: { kind: 'money', base: 'CNY', exponent: 0, zh: '元', en: 'CNY' },
  CNY_1K: { kind: 'money', base: 'CNY', exponent: 3, zh: '千元', en: 'thousand CNY' },
  CNY_10K: { kind: 'money', base: 'CNY', exponent: 4, zh: '万元', en: '10,000 CNY' },
  CNY_100M: { kind: 'money', base: 'CNY', exponent: 8, zh: '亿元', en: '100 million CNY' },
  USD: { kind: 'money', base: 'USD', exponent: 0, zh: '美元', en: 'USD' },
  USD_10K: { kind: 'money', base: 'USD', exponent: 4, zh: '万美元', en: '10,000 USD' },
  USD_100M: { kind: 'money', base: 'USD', exponent: 8, zh: '亿美元', en: '100 million USD' },
  HKD: { kind: 'money', base: 'HKD', exponent: 0, zh: '港元', en: 'HKD' },
  HKD_10K: { kind: 'money', base: 'HKD', exponent: 4, zh: '万港元', en: '10,000 HKD' },
  HKD_100M: { kind: 'money', base: 'HKD', exponent: 8, zh: '亿港元', en: '100 million HKD' },
  share: { kind: 'shares', base: 'share', exponent: 0, zh: '股', en: 'shares' },
  share_100: { kind: 'shares', base: 'share', exponent: 2, zh: '手', en: 'lots of 100 shares' },
  share_10K: { kind: 'shares', base: 'share', exponent: 4, zh: '万股', en: '10,000 shares' },
  share_100M: { kind: 'shares', base: 'share', exponent: 8, zh: '亿股', en: '100 million shares' },
  /** a plain proportion: an adjustment factor, a quotient, bonus shares per share */
  ratio: { kind: 'fraction', base: 'ratio', exponent: 0, zh: '', en: '' },
  pct: { kind: 'fraction', base: 'ratio', exponent: -2, zh: '%', en: '%' },
  /** the distance of two percentages, which is no percentage of anything: never converted to `pct` */
  pct_point: {
    kind: 'points',
    base: 'pct_point',
    exponent: 0,
    zh: '个百分点',
    en: 'percentage points',
  },
  /** a multiple such as P/E; a base of its own, so that 24.3 × never reads as 2430 % */
  x: { kind: 'multiple', base: 'x', exponent: 0, zh: '倍', en: 'x' },
  /** the level of an index */
  point: { kind: 'level', base: 'point', exponent: 0, zh: '点', en: 'points' },
  count: { kind: 'count', base: 'count', exponent: 0, zh: '', en: '' },
  day: { kind: 'duration', base: 'day', exponent: 0, zh: '天', en: 'days' },
  /** `value` is null and `value_text` the date itself */
  date: { kind: 'date', base: 'date', exponent: 0, zh: '', en: '' },
} as const satisfies Record<string, Unit>

export type UnitName = keyof typeof units

export const unitNames = Object.keys(units).filter(isUnit)

export function isUnit(text: string): text is UnitName {
  return Object.hasOwn(units, text)
}

/** True when a figure in `from` can be written in `to` without a rate of exchange or any other knowledge. */
export function canConvert(from: UnitName, to: UnitName): boolean {
  return units[from].base === units[to].base
}

/** `convertUnit('1466.00', 'CNY', 'CNY_10K') === '0.146600'`; undefined when there is no exact way. */
export function convertUnit(text: string, from: UnitName, to: UnitName): string | undefined {
  if (!canConvert(from, to)) return undefined
  return shift(text, units[from].exponent - units[to].exponent)
}

export type Unit = {
  kind: UnitKind
  base: string
  exponent: number
  zh: string
  en: string
}

export type UnitKind =
  | 'money'
  | 'shares'
  | 'fraction'
  | 'points'
  | 'multiple'
  | 'level'
  | 'count'
  | 'duration'
  | 'date'
