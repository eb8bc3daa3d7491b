import {
  claimSchema,
  fields,
  serviceName,
  type Adjust,
  type Claim,
  type CrossCheck,
} from './claim.ts'
import { crossCheck } from './cross-check.ts'
import { compare, fractionDigits, isDecimal, numberMatchesText, plain, round } from './decimal.ts'
import { clockSkewMs, dashedDate, shanghaiDate } from './shanghai-date.ts'
import { isUnit, type UnitName } from './unit.ts'

/**
 * A claim from a figure an upstream gave. Refuses with a `ClaimError` what must never be served.
 *
 *     buildClaim({
 *       figure: '1466.00', unit: 'CNY', metric: 'close', code: '600519.SH', asOf: '20261119',
 *       source: 'tushare', servedBy: ['tushare'], table: 'daily', fetchedAt: '2026-11-20T01:02:03Z',
 *       servedVersion: '0.2.0', toolCallId: createToolCallId(), now: new Date(),
 *     })
 */
export function buildClaim(input: ClaimInput): Claim {
  const asOf = dashedDate(input.asOf)
  const expected = input.expectedAsOf === undefined ? undefined : dashedDate(input.expectedAsOf)
  const stale = input.stale === true || (expected !== undefined && expected > asOf)
  const claim = {
    ...figureFields(input),
    metric: input.metric,
    code: input.code,
    ...(input.name !== undefined && { name: input.name }),
    as_of: asOf,
    ...(expected !== undefined && { expected_as_of: expected }),
    ...(stale && { stale }),
    ...(input.adjust !== undefined && { adjust: input.adjust }),
    ...(input.period !== undefined && { period: dashedDate(input.period) }),
    ...(input.knownAt !== undefined && { known_at: dashedDate(input.knownAt) }),
    cite: {
      kind: 'tool' as const,
      source: input.source,
      served_by: input.servedBy,
      service: serviceName,
      served_version: input.servedVersion,
      table: input.table,
      fetched_at: input.fetchedAt,
      cache_age_seconds: cacheAgeSeconds(input, asOf),
      tool_call_id: input.toolCallId,
      ...(input.rawSha256 !== undefined && { raw_sha256: input.rawSha256 }),
      ...(input.attribution !== undefined && { attribution: input.attribution }),
      ...(input.crossCheck && { cross_check: checkedCloses(input.crossCheck) }),
    },
  }
  if (!input.servedBy.includes(input.source)) {
    const message = `servedBy of ${about(input)} must list its source.`
    throw new ClaimError('malformed', 'servedBy', message)
  }
  const parsed = claimSchema.safeParse(claim)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const field = issue?.path.join('.') ?? 'claim'
  throw new ClaimError('malformed', field, `${field} of ${about(input)}: ${issue?.message}.`)
}

export type ClaimInput = {
  /** as the source wrote it, best as text; null when it has none, and then nullReason says why */
  figure: string | number | null
  /** pads the fraction with zeros to so many digits (prices: 2); never cuts any */
  minFractionDigits?: number
  nullReason?: string
  unit: UnitName
  metric: string
  code: string
  name?: string
  /** all dates: YYYYMMDD, as sources write them, or YYYY-MM-DD */
  asOf: string
  expectedAsOf?: string
  /** set when a newer figure could not be fetched; a newer expectedAsOf sets it anyway */
  stale?: boolean
  adjust?: Adjust
  period?: string
  knownAt?: string
  source: string
  servedBy: string[]
  table: string
  /** RFC 3339 with offset */
  fetchedAt: string
  rawSha256?: string
  attribution?: string
  /** the raw, unadjusted closes of both sources */
  crossCheck?: { tushareClose: string | number; tdxClose: string | number }
  servedVersion: string
  toolCallId: string
  now: Date
}

export class ClaimError extends Error {
  readonly code: ClaimErrorCode
  /** the field of the input to look at */
  readonly field: string
  constructor(code: ClaimErrorCode, field: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ClaimError'
    this.code = code
    this.field = field
  }
}

export type ClaimErrorCode =
  | 'empty_figure'
  | 'not_a_number'
  | 'not_a_date'
  | 'not_finite'
  | 'null_without_reason'
  | 'unknown_unit'
  | 'bad_time'
  | 'fetched_in_future'
  | 'as_of_after_fetch'
  | 'bad_cross_check'
  | 'malformed'

type FigureFields = Pick<Claim, 'value' | 'value_text' | 'null_reason' | 'unit'>

function figureFields(input: ClaimInput): FigureFields {
  const { figure, unit } = input
  if (!isUnit(unit)) {
    throw new ClaimError(
      'unknown_unit',
      'unit',
      `"${String(unit)}" of ${about(input)} is no unit of unit.ts.`,
    )
  }
  if (figure === null) {
    if (input.nullReason === undefined) {
      const hint = 'has no value; pass nullReason, such as loss or not_reported.'
      throw new ClaimError('null_without_reason', 'nullReason', `${about(input)} ${hint}`)
    }
    return { value: null, value_text: null, null_reason: input.nullReason, unit }
  }
  if (unit === 'date') {
    const day = dashedDate(String(figure))
    if (!fields.day.safeParse(day).success) {
      throw new ClaimError('not_a_date', 'figure', `${about(input)} is "${figure}", not a date.`)
    }
    return { value: null, value_text: day, unit }
  }
  const text = decimalFigure(figure, about(input))
  const digits = Math.max(fractionDigits(text), input.minFractionDigits ?? 0)
  const valueText = round(text, digits)
  return { value: Number(valueText), value_text: valueText, unit }
}

function decimalFigure(figure: string | number, what: string): string {
  if (figure === '') throw new ClaimError('empty_figure', 'figure', `${what} is an empty text.`)
  const text = String(figure)
  if (isDecimal(text) && numberMatchesText(Number(text), text)) return plain(text)
  const shown = text.slice(0, 40)
  // The text 1e400 is a number that no JSON number holds: as little a figure as Infinity.
  if (typeof figure === 'number' || Math.abs(Number(text)) === Infinity) {
    throw new ClaimError('not_finite', 'figure', `${what} is ${shown}; look at the raw answer.`)
  }
  throw new ClaimError('not_a_number', 'figure', `${what} is "${shown}", not a decimal number.`)
}

function cacheAgeSeconds(input: ClaimInput, asOf: string): number {
  const fetchedMs = Date.parse(input.fetchedAt)
  const nowMs = input.now.getTime()
  if (Number.isNaN(fetchedMs) || Number.isNaN(nowMs)) {
    const field = Number.isNaN(nowMs) ? 'now' : 'fetchedAt'
    throw new ClaimError('bad_time', field, `${field} of ${about(input)} is no point in time.`)
  }
  if (fetchedMs > nowMs + clockSkewMs) {
    const hint = `was fetched at ${input.fetchedAt}, in the future; compare the clocks.`
    throw new ClaimError('fetched_in_future', 'fetchedAt', `${about(input)} ${hint}`)
  }
  if (fields.day.safeParse(asOf).success && asOf > shanghaiDate(fetchedMs)) {
    const hint = `is about ${asOf} but was fetched before, at ${input.fetchedAt}.`
    throw new ClaimError('as_of_after_fetch', 'asOf', `${about(input)} ${hint}`)
  }
  return Math.max(0, Math.floor((nowMs - fetchedMs) / 1000))
}

function checkedCloses(closes: NonNullable<ClaimInput['crossCheck']>): CrossCheck {
  const tushare = decimalFigure(closes.tushareClose, 'crossCheck.tushareClose')
  const tdx = decimalFigure(closes.tdxClose, 'crossCheck.tdxClose')
  if (compare(tushare, '0') <= 0 || compare(tdx, '0') <= 0) {
    const message = `Closes are positive, not ${tushare} and ${tdx}; leave crossCheck out.`
    throw new ClaimError('bad_cross_check', 'crossCheck', message)
  }
  return crossCheck(tushare, tdx)
}

function about(input: ClaimInput): string {
  return `${input.metric} of ${input.code} (${input.source})`
}
