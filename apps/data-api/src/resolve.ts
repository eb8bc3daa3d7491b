import type { Finding } from '@twilight/market-sources/find-instrument'
import { z } from 'zod'
import { describeMatch, notFound, type Instruments } from './instruments.ts'
import { instrumentText } from './market-day-input.ts'

export const resolveQuery = z.object({
  q: instrumentText.describe('贵州茅台, 茅台, GZMT, 600519, sh600519, 0700.HK, AAPL'),
})

const candidate = z.object({
  code: z.string(),
  name: z.string().optional(),
  kind: z.string().optional(),
  matched: z.string().optional().describe('code, name, full_name, former_name or pinyin'),
  matched_text: z.string().optional().describe("The name that matched, when it is not today's"),
})

export const resolvedSchema = z.object({
  query: z.string(),
  code: z
    .string()
    .nullable()
    .describe('null when it could be several: ask which of the candidates'),
  name: z.string().optional(),
  kind: z.string().optional(),
  listing: z
    .object({
      list_date: z.iso.date().nullable(),
      delist_date: z.iso.date().nullable(),
      list_status: z.string().describe('L listed, P suspended, D delisted'),
    })
    .optional(),
  note: z.object({ zh: z.string(), en: z.string() }).optional().describe('How it was understood'),
  unverified: z
    .literal(true)
    .optional()
    .describe('Well formed, in a market we hold no list of: it may not exist'),
  candidates: z.array(candidate).describe('What it is or could be, best first'),
})

export type Resolved = z.input<typeof resolvedSchema>

/**
 * From a name, a part of one, pinyin initials or a code in any form to the code.
 *
 *     await resolveText(instruments, '茅台') // { code: '600519.SH', name: '贵州茅台', … }
 */
export async function resolveText(instruments: Instruments, query: string): Promise<Resolved> {
  const finding = await instruments.find(query)
  return describe(query, finding)
}

function describe(query: string, finding: Finding): Resolved {
  switch (finding.found) {
    case 'one': {
      const { match, note, alternatives = [] } = finding
      const { code, name, kind, stock } = match.instrument
      return {
        query,
        code,
        name,
        kind,
        ...(stock && {
          listing: {
            list_date: stock.list_date,
            delist_date: stock.delist_date,
            list_status: stock.list_status,
          },
        }),
        ...(note && { note }),
        candidates: [describeMatch(match), ...alternatives],
      }
    }
    case 'unlisted': {
      const { instrument, note } = finding
      return {
        query,
        ...instrument,
        ...(note && { note }),
        unverified: true,
        candidates: [instrument],
      }
    }
    case 'many': {
      const { message, candidates, alternatives = [] } = finding
      return {
        query,
        code: null,
        note: message,
        candidates: [...candidates.map(describeMatch), ...alternatives],
      }
    }
    case 'none': {
      // Several markets have the number: a question back, as for a name that several bear.
      if (finding.reason === 'ambiguous') {
        return { query, code: null, note: finding.message, candidates: finding.candidates ?? [] }
      }
      throw notFound(finding)
    }
    default:
      return finding satisfies never
  }
}
