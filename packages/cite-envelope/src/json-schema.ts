import { z } from 'zod'
import { citeSchema, claimSchema } from './claim.ts'

/** The schemas for readers without zod, by the name of their file in `schema/`. */
export function jsonSchemas(): Record<string, object> {
  return {
    'claim.schema.json': { title: 'Claim', ...z.toJSONSchema(claimSchema) },
    'cite.schema.json': { title: 'Cite', ...z.toJSONSchema(citeSchema) },
  }
}
