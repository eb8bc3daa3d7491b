import type { Adjust, Operation } from './claim.ts'
import { add, compare, div, mul, sub } from './decimal.ts'
import type { NormalClaim } from './read-claim.ts'
import { maxArguments, refusalOf, type CalcReason } from './calc-rules.ts'
import { convertUnit, type UnitName } from './unit.ts'

/** What an operation over claims gives, apart from who computed it and when. The verifier computes it again. */
export function deriveFigure(
  op: Operation,
  args: readonly NormalClaim[],
  digits: number,
): Derived | { refused: CalcReason } {
  const refused = refusalOf(op, args)
  const first = args[0]
  if (refused || !first) return { refused: refused ?? 'bad_arguments' }
  const texts = args.map(
    (claim) => convertUnit(claim.value_text ?? '', claim.unit, first.unit) ?? '',
  )
  const result = compute(op, texts, digits)
  if ('refused' in result) return result
  const about = describe(op, args, first)
  // Arguments that are derived themselves bring several codes and upstreams each.
  const widest = Math.max(about.code.split(',').length, about.upstreams.length)
  if (widest > maxArguments) return { refused: 'bad_arguments' }
  return { ...about, ...result, unit: unitOf(op, first.unit) }
}

export type Derived = {
  value_text: string
  unit: UnitName
  rounding: string
  metric: string
  code: string
  name?: string
  as_of: string
  as_of_from?: string
  period?: string
  adjust?: Adjust
  upstreams: string[]
}

type Computed = { value_text: string; rounding: string }

function compute(
  op: Operation,
  texts: string[],
  digits: number,
): Computed | { refused: CalcReason } {
  const [a = '', b = ''] = texts
  const rounding = `half-even:${digits}`
  switch (op) {
    case 'diff':
      return { value_text: sub(a, b), rounding: 'exact' }
    case 'sum':
      return { value_text: total(texts), rounding: 'exact' }
    case 'mean': {
      const sum = total(texts)
      return rounded(sum, div(sum, String(texts.length), { digits }), rounding)
    }
    case 'ratio':
      return rounded(a, div(a, b, { digits }), rounding)
    case 'pct_change': {
      const change = mul(sub(a, b), '100')
      return rounded(change, div(change, b, { digits }), rounding)
    }
    default:
      return op satisfies never
  }
}

/** A result that is not zero must not be rounded to zero: "unchanged" would be wrong. */
function rounded(
  exact: string,
  text: string,
  rounding: string,
): Computed | { refused: CalcReason } {
  if (compare(text, '0') === 0 && compare(exact, '0') !== 0) return { refused: 'precision_lost' }
  return { value_text: text, rounding }
}

function total(texts: string[]): string {
  return texts.reduce((sum, text) => add(sum, text))
}

function unitOf(op: Operation, unit: UnitName): UnitName {
  if (op === 'ratio') return 'ratio'
  if (op === 'pct_change') return 'pct'
  return op === 'diff' && unit === 'pct' ? 'pct_point' : unit
}

function describe(op: Operation, args: readonly NormalClaim[], first: NormalClaim) {
  const dates = args.flatMap((claim) => [claim.as_of_from ?? claim.as_of, claim.as_of]).toSorted()
  const from = dates[0] ?? first.as_of
  const to = dates.at(-1) ?? first.as_of
  const codes = [...new Set(args.flatMap((claim) => claim.code.split(',')))]
  const period = same(args.map((claim) => claim.period))
  const adjust = same(args.map((claim) => claim.adjust))
  return {
    metric: metricOf(op, args),
    code: codes.join(','),
    ...(codes.length === 1 && first.name !== undefined && { name: first.name }),
    as_of: to,
    ...(from !== to && { as_of_from: from }),
    ...(period !== undefined && { period }),
    ...(adjust !== undefined && { adjust }),
    upstreams: [...new Set(args.flatMap((claim) => claim.cite.upstreams))],
  }
}

/** `close_pct_change`, `total_mv_ratio_n_income`; several metrics too long to name are just the operation. */
function metricOf(op: Operation, args: readonly NormalClaim[]): string {
  const [metric = '', ...others] = new Set(args.map((claim) => claim.metric))
  const text = [metric, op, ...others].join('_')
  return text.length <= 128 ? text : op
}

function same<Value>(values: Value[]): Value | undefined {
  return new Set(values).size === 1 ? values[0] : undefined
}
