import { z } from 'zod'
import { claimSchema, fields, searchCiteSchema } from './claim.ts'

/** A code that has no figure, and why: `problem.code` is one of the service's problem codes, such as suspended. */
export const absenceSchema = z.looseObject({
  code: z.string().min(1).max(64).describe('The code as it was asked for'),
  problem: z.looseObject({ code: z.string().min(1), title: z.string().optional() }),
})

/** `GET /price?codes=…`: one entry per code, in the order asked. */
export const priceListSchema = z.looseObject({
  prices: z.array(z.union([claimSchema, absenceSchema])).max(100),
})

/** `GET /fundamentals`; `as_of` is the newest `as_of` of the claims. */
export const fundamentalsSchema = z.looseObject({
  code: fields.code,
  as_of: fields.day,
  claims: z.array(claimSchema),
})

/** One hit of `GET /search`. */
export const searchResultSchema = z.looseObject({
  title: z.string(),
  url: fields.webAddress,
  snippet: z.string(),
  fetched_at: fields.instant,
  cite: searchCiteSchema,
})

export const searchAnswerSchema = z.looseObject({ results: z.array(searchResultSchema) })

export type Absence = z.infer<typeof absenceSchema>
export type PriceList = z.infer<typeof priceListSchema>
export type Fundamentals = z.infer<typeof fundamentalsSchema>
export type SearchResult = z.infer<typeof searchResultSchema>
export type SearchAnswer = z.infer<typeof searchAnswerSchema>
