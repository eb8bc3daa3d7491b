import { z } from 'zod'
import { parseMarketDate } from './market-date.ts'

/** A number in the source's own digits: compare and show these, compute with decimals. */
export type Digits = string

const numberText = z
  .string()
  .regex(/^-?\d{1,24}(?:\.\d{1,24})?(?:[eE][+-]?\d{1,3})?$/, 'is not a number')
  .refine((text) => Number.isFinite(Number(text)), 'is not finite')

const emptyToNull = (value: unknown) => (value === '' ? null : value)

export const digits: z.ZodType<Digits> = numberText
export const digitsOrNull: z.ZodType<Digits | null> = z.preprocess(
  emptyToNull,
  numberText.nullable(),
)

export const text: z.ZodType<string> = z.string().min(1).max(2000)
export const textOrNull: z.ZodType<string | null> = z.preprocess(
  emptyToNull,
  z.string().max(20_000).nullable(),
)

export const tsCode: z.ZodType<string> = z
  .string()
  .regex(/^[A-Z0-9][A-Z0-9.]{0,15}$/, 'is not a code')

const marketDate = z.string().transform((value, context) => {
  const date = parseMarketDate(value)
  if (date !== undefined) return date
  context.addIssue({ code: 'custom', message: 'is not a date' })
  return z.NEVER
})

export const date: z.ZodType<string> = marketDate
export const dateOrNull: z.ZodType<string | null> = z.preprocess(emptyToNull, marketDate.nullable())

/** Declared as text, often delivered as a number, once seen as 1.0: all mean the same. */
export const flag: z.ZodType<boolean> = z
  .string()
  .regex(/^[01](?:\.0+)?$/, 'is neither 0 nor 1')
  .transform((value) => value.startsWith('1'))

/** Number columns the source may leave out or leave empty: absent, null and a value are three things. */
export function optionalDigits<const Name extends string>(
  names: readonly Name[],
): { [N in Name]: z.ZodOptional<z.ZodType<Digits | null>> } {
  const columns = names.map((name) => [name, digitsOrNull.optional()] as const)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- fromEntries forgets which names it was given
  return Object.fromEntries(columns) as { [N in Name]: z.ZodOptional<z.ZodType<Digits | null>> }
}
