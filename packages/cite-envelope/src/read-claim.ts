import { z } from 'zod'
import { citeFields, claimFields, crossCheckSchema, fields, serviceName } from './claim.ts'
import { fromNumber, isDecimal } from './decimal.ts'
import type { UnitName } from './unit.ts'

/**
 * Reads a claim of any age into one form. Takes both forms of `served_by` and answers that lack `source`, `service` or
 * `value_text`; drops unknown fields; never throws.
 *
 *     const read = readClaim(body)
 *     if (read.ok) console.log(read.claim.value_text, read.claim.cite.upstreams)
 */
export function readClaim(input: unknown): ReadClaim {
  const outer = ownFields(input)
  if (!outer) return { ok: false, problems: [{ code: 'not_an_object', pointer: '' }] }
  const assumedOfCite: string[] = []
  const cite = currentCite(outer['cite'], outer['cross_check'], assumedOfCite)
  const assumed = assumedOfCite.map((pointer) => `/cite${pointer}`)
  const value = outer['value']
  let valueText = outer['value_text']
  if (valueText === undefined && value === null) valueText = null
  if (valueText === undefined && typeof value === 'number' && Number.isFinite(value)) {
    valueText = fromNumber(value)
    assumed.push('/value_text')
  }
  const parsed = normalClaimSchema.safeParse({ ...outer, value_text: valueText, cite })
  if (parsed.success) return { ok: true, claim: parsed.data, assumed }
  return { ok: false, problems: problemsOf(parsed.error, input) }
}

/** The cite alone, such as that of a search result. */
export function readCite(input: unknown): ReadCite {
  const assumed: string[] = []
  const cite = currentCite(input, undefined, assumed)
  const parsed = normalCiteSchema.safeParse(cite)
  if (parsed.success) return { ok: true, cite: parsed.data, assumed }
  return { ok: false, problems: problemsOf(parsed.error, input) }
}

export type ReadClaim =
  | { ok: true; claim: NormalClaim; assumed: string[] }
  | { ok: false; problems: ReadProblem[] }

export type ReadCite =
  | { ok: true; cite: NormalCite; assumed: string[] }
  | { ok: false; problems: ReadProblem[] }

/** `pointer` is a JSON pointer (RFC 6901) into what was read. */
export type ReadProblem = { code: 'not_an_object' | 'missing' | 'invalid'; pointer: string }

const normalCiteSchema = z.object({
  ...citeFields,
  upstreams: z.array(fields.name).min(1).max(100),
  table: fields.name.optional(),
  original_url: fields.webAddress.optional(),
  cross_check: z.object(crossCheckSchema.shape).optional(),
})

const normalClaimSchema = z
  .object({ ...claimFields, cite: normalCiteSchema })
  .refine(textFitsUnit, { path: ['value_text'] })

/** A claim as this package knows it: no unknown field, and `cite.upstreams` whatever form `served_by` had. */
export type NormalClaim = z.infer<typeof normalClaimSchema>
export type NormalCite = z.infer<typeof normalCiteSchema>

function textFitsUnit({ unit, value_text: text }: { unit: UnitName; value_text: string | null }) {
  if (text === null) return true
  return unit === 'date' ? fields.day.safeParse(text).success : isDecimal(text)
}

/** The cite with `upstreams`, and with what older answers left unsaid; each such place is put into `assumed`. */
function currentCite(input: unknown, outerCrossCheck: unknown, assumed: string[]): unknown {
  const cite = ownFields(input)
  if (!cite) return input
  const servedBy = cite['served_by']
  // Once written as "tushare" or "tushare:daily".
  const isNamed = typeof servedBy === 'string' && servedBy !== serviceName
  const [namedSource, namedTable] = isNamed ? servedBy.split(':', 2) : []
  const upstreams = upstreamsOf(cite, namedSource)
  const current: Record<string, unknown> = { ...cite, upstreams }
  const isSearch = servedBy === serviceName && cite['original_url'] !== undefined
  if (!Array.isArray(servedBy) && !isSearch) assumed.push('/served_by')
  const assume = (field: string, value: unknown) => {
    if (current[field] !== undefined || value === undefined) return
    current[field] = value
    assumed.push(`/${field}`)
  }
  assume('source', Array.isArray(upstreams) ? upstreams[0] : undefined)
  assume('table', namedTable)
  assume('service', serviceName)
  assume('cross_check', outerCrossCheck)
  return current
}

function upstreamsOf(cite: Record<string, unknown>, namedSource: string | undefined): unknown {
  if (Array.isArray(cite['served_by'])) return cite['served_by']
  if (namedSource !== undefined) return [namedSource]
  if (cite['sources'] !== undefined) return cite['sources']
  return cite['source'] === undefined ? undefined : [cite['source']]
}

function ownFields(input: unknown): Record<string, unknown> | undefined {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return undefined
  return Object.fromEntries(Object.entries(input))
}

function problemsOf(error: z.ZodError, input: unknown): ReadProblem[] {
  return error.issues.map(({ path }) => {
    const place = path.map((part) => (part === 'upstreams' ? 'served_by' : part))
    return {
      code: valueAt(input, place) === undefined ? 'missing' : 'invalid',
      pointer: place
        .map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`)
        .join(''),
    }
  })
}

function valueAt(input: unknown, path: PropertyKey[]): unknown {
  let value = input
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = Reflect.get(value, part)
  }
  return value
}
