import { z } from 'zod'
import { toolCallIdPattern } from './tool-call-id.ts'
import { unitNames } from './unit.ts'

/** Who serves. As `served_by` it is the form of web search results; market data lists its upstreams there. */
export const serviceName = 'twilight-drive-backend'

/** The `source` of a derived figure: no upstream gave it. */
export const derivedSource = 'calc'

const name = z.string().min(1).max(200)
const instrument = '[A-Za-z0-9^][A-Za-z0-9.=:^_-]{0,31}'

export const fields = {
  /** plain notation, as many digits as the source gave, or a date when the unit is `date` */
  valueText: z
    .string()
    .max(810)
    .regex(/^(-?(0|[1-9]\d*)(\.\d+)?|\d{4}-\d{2}-\d{2})$/)
    .nullable(),
  metric: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_]{0,127}$/)
    .describe('The column of the source, such as close or pe_ttm'),
  code: z
    .string()
    .regex(new RegExp(`^${instrument}(,${instrument}){0,99}$`))
    .describe(
      'The canonical code; a figure derived from several instruments lists them with commas',
    ),
  period: z
    .string()
    .regex(/^\d{4}(Q[1-4]|-\d{2}(-\d{2})?)?$/)
    .describe('The reporting period: 2025-12-31, 2025Q4, 2025-11 or 2025'),
  toolCallId: z.string().regex(toolCallIdPattern),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  instant: z.iso.datetime({ offset: true }),
  day: z.iso.date(),
  webAddress: z
    .string()
    .max(4096)
    .regex(/^https?:\/\/[^\s]+$/),
  name,
} as const

export const crossCheckSchema = z
  .looseObject({
    tushare_close: z.number(),
    tdx_close: z.number(),
    diff_pct: z.number().describe('(tdx - tushare) / tushare in percent, half-even to 6 digits'),
    agreement: z.boolean().describe('The closes differ by at most 0.01 %'),
  })
  .describe('Two sources about the same raw close')

/** What both forms of a cite have in common. */
export const citeFields = {
  kind: z.literal('tool'),
  source: name.describe('The upstream whose value is shown; calc for a derived figure'),
  service: name,
  served_version: name,
  fetched_at: fields.instant.describe('When the upstream answered'),
  cache_age_seconds: z.int().nonnegative().describe('Age of that answer when it was served'),
  tool_call_id: fields.toolCallId,
  raw_sha256: fields.sha256
    .optional()
    .describe('SHA-256 of the archived upstream body, secrets removed'),
  attribution: name.optional().describe('What the licence of the source asks to show'),
}

export const marketCiteSchema = z.looseObject({
  ...citeFields,
  served_by: z.array(name).min(1).max(100).describe('Every upstream that backed the value'),
  table: name,
  cross_check: crossCheckSchema.optional(),
})

export const searchCiteSchema = z.looseObject({
  ...citeFields,
  served_by: z.literal(serviceName),
  original_url: fields.webAddress,
  table: name.optional(),
})

/** Where a value comes from. Fields may be added; a reader ignores those it does not know. */
export const citeSchema = z.union([marketCiteSchema, searchCiteSchema])

/** The fields of a claim apart from its cite. */
export const claimFields = {
  value: z.number().nullable().describe('For convenience; value_text is exact'),
  value_text: fields.valueText.describe("The source's digits in plain notation, or a date"),
  null_reason: z
    .string()
    .regex(/^[a-z0-9_]{1,64}$/)
    .optional()
    .describe(
      'Why there is no value, such as loss or not_reported; present when value_text is null',
    ),
  unit: z.enum(unitNames),
  metric: fields.metric,
  code: fields.code,
  name: name.optional(),
  as_of: fields.day.describe('The trading or period date the value is about, Asia/Shanghai'),
  as_of_from: fields.day
    .optional()
    .describe('The earliest date a derived figure rests on, when it differs from as_of'),
  expected_as_of: fields.day
    .optional()
    .describe('The newest date the trading calendar says should exist'),
  stale: z.boolean().optional().describe('Newer data should exist, or could not be fetched'),
  adjust: z.enum(['none', 'qfq', 'hfq']).optional(),
  period: fields.period.optional(),
  known_at: z
    .union([fields.day, fields.instant])
    .optional()
    .describe('When the market could know this version of the value'),
  op: z.enum(['diff', 'ratio', 'pct_change', 'sum', 'mean']).optional(),
  derived_from: z
    .array(fields.toolCallId)
    .min(1)
    .max(100)
    .optional()
    .describe('The tool_call_ids of the arguments of op, in order'),
  rounding: z
    .string()
    .regex(/^(exact|half-even:\d{1,2})$/)
    .optional()
    .describe('How a derived value was rounded: exact, or half-even to so many digits'),
}

/**
 * One figure and its origin: what /price answers, and what every list of claims is made of.
 *
 *     claimSchema.parse(await response.json()).value_text // '1466.00'
 */
export const claimSchema = z.looseObject({ ...claimFields, cite: citeSchema })

export type Claim = z.infer<typeof claimSchema>
export type Cite = z.infer<typeof citeSchema>
export type MarketCite = z.infer<typeof marketCiteSchema>
export type SearchCite = z.infer<typeof searchCiteSchema>
export type CrossCheck = z.infer<typeof crossCheckSchema>
export type Adjust = NonNullable<Claim['adjust']>
export type Operation = NonNullable<Claim['op']>
