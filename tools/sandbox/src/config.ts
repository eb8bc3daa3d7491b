import { z } from 'zod'

/** Everything the sandbox can be told from outside; the defaults give a calm sandbox on the real date. */
export type Config = {
  host: string
  /** 0 takes any free port. */
  port: number
  /** The market's seed: another seed is another market. */
  seed: number
  /** Where the clock stands pinned; it runs when absent. */
  now: number | undefined
  chaosPercent: number
  chaosSeed: number
  tushareTokens: TushareAccount[]
  /** How many client addresses one Tushare token may come from in a day. */
  tushareMaxAddresses: number
  /** Lowers every interface's row limit, to meet has_more early; 0 keeps the documented ones. */
  tushareMaxRows: number
}

export type TushareAccount = {
  token: string
  points: number
  /** Interfaces sold separately that this token has paid for; "*" is all of them. */
  permissions: string[]
}

/** Reads the environment, and names everything that is wrong with it at once. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const result = schema.safeParse(env)
  if (!result.success) {
    const problems = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new ConfigError(`The sandbox cannot start with this environment: ${problems.join('; ')}.`)
  }
  const read = result.data
  return {
    host: read.SANDBOX_HOST,
    port: read.PORT,
    seed: read.SANDBOX_SEED,
    now: read.SANDBOX_NOW,
    chaosPercent: read.SANDBOX_CHAOS_PERCENT,
    chaosSeed: read.SANDBOX_CHAOS_SEED,
    tushareTokens: read.SANDBOX_TUSHARE_TOKENS,
    tushareMaxAddresses: read.SANDBOX_TUSHARE_MAX_ADDRESSES,
    tushareMaxRows: read.SANDBOX_TUSHARE_MAX_ROWS,
  }
}

export class ConfigError extends Error {}

// Points are in the last six digits, so that a token in a log tells what it may do. None of them is a secret.
const defaultTokens = [
  '5a4db0c5000000000000000000000000000000000000000000005000=5000',
  '5a4db0c5000000000000000000000000000000000000000000000120=120',
  '5a4db0c5000000000000000000000000000000000000000000002000=2000',
  '5a4db0c5000000000000000000000000000000000000000000010000=10000:*',
].join(',')

const integer = (min: number, max: number, otherwise: number) =>
  z
    .string()
    .regex(/^-?\d+$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`))
    .default(otherwise)

const schema = z.object({
  SANDBOX_HOST: z.string().min(1).default('127.0.0.1'),
  PORT: integer(0, 65_535, 0),
  SANDBOX_SEED: integer(0, 2_147_483_647, 20_161_101),
  SANDBOX_NOW: z
    .string()
    .transform((text, context) => {
      const at = Date.parse(text)
      if (Number.isFinite(at) && /[Z+]|-\d\d:\d\d$/.test(text)) return at
      context.addIssue({
        code: 'custom',
        message: 'must be an instant with a zone, such as 2026-11-20T15:30:00+08:00',
      })
      return z.NEVER
    })
    .optional(),
  SANDBOX_CHAOS_PERCENT: integer(0, 100, 0),
  SANDBOX_CHAOS_SEED: integer(0, 2_147_483_647, 1),
  SANDBOX_TUSHARE_TOKENS: z
    .string()
    .default('')
    .transform((text, context) => {
      const accounts: TushareAccount[] = []
      for (const entry of `${defaultTokens},${text}`.split(',').filter(Boolean)) {
        const match = /^([^=\s]{8,128})=(\d{1,7})(?::([a-z_*+]+))?$/.exec(entry.trim())
        if (match)
          accounts.push({
            token: match[1] ?? '',
            points: Number(match[2]),
            permissions: match[3]?.split('+') ?? [],
          })
        else
          context.addIssue({
            code: 'custom',
            message: 'must be a list such as <token>=5000,<token>=120:hk_daily+us_daily',
          })
      }
      return accounts
    }),
  SANDBOX_TUSHARE_MAX_ADDRESSES: integer(1, 1_000, 2),
  SANDBOX_TUSHARE_MAX_ROWS: integer(0, 100_000, 0),
})
