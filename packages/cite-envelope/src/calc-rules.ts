import type { Operation } from './claim.ts'
import { compare } from './decimal.ts'
import type { NormalClaim } from './read-claim.ts'
import { canConvert, units, type UnitName } from './unit.ts'

/** Why an operation over these claims would mean nothing; undefined when it may be computed. */
export function refusalOf(op: Operation, args: readonly NormalClaim[]): CalcReason | undefined {
  const [first, second] = args
  const binary = op === 'diff' || op === 'ratio' || op === 'pct_change'
  if (!first || !second || args.length > maxArguments || (binary && args.length !== 2)) {
    return 'bad_arguments'
  }
  if (args.some((claim) => units[claim.unit].kind === 'date')) return 'not_numeric'
  if (args.some((claim) => claim.value_text === null)) return 'no_value'
  if (!args.every((claim) => canConvert(claim.unit, first.unit))) return 'mixed_units'
  if (hasRepeats(args.map((claim) => claim.cite.tool_call_id))) return 'repeated_argument'
  return refusalByMeaning(op, args) ?? (binary ? refusalByBase(op, first, second) : undefined)
}

export const maxArguments = 100

export type CalcReason = keyof typeof calcReasons

export const calcReasons = {
  bad_arguments: {
    zh: `diff、ratio、pct_change 需要两个数，sum、mean 需要 2 到 ${maxArguments} 个数。`,
    en: `diff, ratio and pct_change take two claims, sum and mean 2 to ${maxArguments}.`,
  },
  bad_digits: {
    zh: '小数位数应为 0 到 30 的整数。',
    en: 'digits must be a whole number from 0 to 30.',
  },
  unreadable_argument: {
    zh: '有参数不是完整的引用数据，请重新查询。',
    en: 'An argument is not a complete claim; fetch it again.',
  },
  no_value: {
    zh: '有参数没有数值（例如亏损公司的市盈率），不能参与计算。',
    en: 'An argument has no value (such as the P/E of a company with a loss).',
  },
  not_numeric: { zh: '日期不能参与计算。', en: 'Dates cannot be computed with.' },
  mixed_units: {
    zh: '参数的单位不能互相换算（例如元和美元、倍和百分比）。',
    en: 'The units cannot be converted into each other (such as CNY and USD, x and pct).',
  },
  mixed_adjust: {
    zh: '参数的复权方式不同，请用同一种复权价格。',
    en: 'The prices are adjusted differently; use one way of adjusting.',
  },
  mixed_metrics: {
    zh: '这个运算需要同一个指标。',
    en: 'This operation needs one and the same metric.',
  },
  mixed_codes: {
    zh: '不同证券的不同指标不能这样计算。',
    en: 'Different metrics of different instruments cannot be combined like this.',
  },
  mixed_dates: {
    zh: '日期或报告期不同的数据不能这样计算。',
    en: 'Figures of different dates or periods cannot be combined like this.',
  },
  repeated_argument: {
    zh: '同一个数据出现了两次。',
    en: 'The same figure stands there twice.',
  },
  not_additive: {
    zh: '倍数和点位不能相加。',
    en: 'Multiples and index levels cannot be added up.',
  },
  wrong_order: {
    zh: 'pct_change 的第一个参数应为较新的数据。',
    en: 'pct_change takes the newer figure first.',
  },
  zero_base: { zh: '除数或基数为零。', en: 'The divisor or base is zero.' },
  negative_base: {
    zh: '基数为负，百分比变化没有意义，请改用 diff。',
    en: 'A change in percent of a negative base means nothing; use diff.',
  },
  precision_lost: {
    zh: '结果按这个小数位数会变成零，请增加 digits。',
    en: 'At so few digits the result would be zero; pass more digits.',
  },
  out_of_range: {
    zh: '结果超出可表示的范围。',
    en: 'The result is beyond any number JSON can carry.',
  },
} as const satisfies Record<string, { zh: string; en: string }>

function refusalByMeaning(op: Operation, args: readonly NormalClaim[]): CalcReason | undefined {
  const sameMetric = allSame(args, (claim) => claim.metric)
  const sameCode = allSame(args, (claim) => claim.code)
  const sameDate = allSame(args, dateKey)
  if (sameMetric && !allSame(args, (claim) => claim.adjust ?? 'none')) return 'mixed_adjust'
  if (op === 'sum' && args.some((claim) => notAdditive.has(claim.unit))) return 'not_additive'
  if (op === 'sum' || op === 'mean') {
    // Two answers about one figure would count it twice, whatever their ids.
    if (hasRepeats(args.map((claim) => `${claim.metric} ${claim.code} ${dateKey(claim)}`))) {
      return 'repeated_argument'
    }
  }
  if (sameMetric) return sameCode || sameDate ? undefined : 'mixed_dates'
  if (op === 'mean' || op === 'pct_change') return 'mixed_metrics'
  if (!sameCode) return 'mixed_codes'
  // A quotient may cross dates, such as market value today over last year's profit; a sum may not.
  return sameDate || op === 'ratio' ? undefined : 'mixed_dates'
}

const notAdditive: ReadonlySet<UnitName> = new Set(['x', 'point', 'ratio'])

function refusalByBase(
  op: Operation,
  first: NormalClaim,
  second: NormalClaim,
): CalcReason | undefined {
  if (op === 'diff') return undefined
  const sign = compare(second.value_text ?? '0', '0')
  if (sign === 0) return 'zero_base'
  if (op === 'ratio') return undefined
  if (sign < 0) return 'negative_base'
  const [newer, older] = [dateOf(first), dateOf(second)]
  const comparable = first.code === second.code && newer.length === older.length
  return comparable && newer < older ? 'wrong_order' : undefined
}

/** When the figure is about: two of one key are about the same time. */
function dateKey(claim: NormalClaim): string {
  return `${claim.as_of_from ?? ''} ${claim.as_of} ${claim.period ?? ''}`
}

function dateOf(claim: NormalClaim): string {
  return claim.period ?? claim.as_of
}

function allSame(args: readonly NormalClaim[], key: (claim: NormalClaim) => string): boolean {
  return new Set(args.map(key)).size === 1
}

function hasRepeats(keys: string[]): boolean {
  return new Set(keys).size < keys.length
}
