import { parseMarketDate, type MarketDate } from '@twilight/market-sources/market-date'
import { z } from 'zod'

/** A day of a question, written 20260430 or 2026-04-30; one that does not exist is refused. */
export const marketDay = z.string().transform((text, context): MarketDate => {
  const date = parseMarketDate(text)
  if (date !== undefined) return date
  context.addIssue({
    code: 'custom',
    message: 'write a day that exists as 20260430 or 2026-04-30, from 1990 on',
  })
  return z.NEVER
})

/** The last day of a quarter, as statements name their period. */
export const quarterEnd = marketDay.refine(
  (date) => /-(03-31|06-30|09-30|12-31)$/.test(date),
  'write the last day of a quarter, such as 20251231',
)

/** A code in any form, a name, or pinyin initials. */
export const instrumentText = z.string().trim().min(1).max(64)
