import { z } from 'zod'
import { faultKinds } from './fault-kinds.ts'
import { longestHoldMs } from './misbehave.ts'

const days = 86_400_000

/** What POST /__sandbox/faults takes; the upstream is checked against those that exist. */
export const faultRequest = z.strictObject({
  upstream: z.string(),
  endpoint: z.string().min(1).max(200).optional(),
  kind: z.enum(faultKinds),
  times: z.int().min(1).max(1_000_000).optional(),
  delay_ms: z.int().min(0).max(longestHoldMs).optional(),
  retry_after: z.enum(['seconds', 'date', 'absent', 'absurd']).optional(),
})

export const chaosRequest = z.strictObject({
  percent: z.number().min(0).max(100),
  seed: z.int().min(0).max(2_147_483_647).optional(),
})

export const clockRequest = z.union([
  z.strictObject({
    advance_ms: z
      .int()
      .min(0)
      .max(4_000 * days),
  }),
  z.strictObject({ now: z.iso.datetime({ offset: true }) }),
])
