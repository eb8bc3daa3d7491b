import { issueKey } from '@twilight/auth/issue-key'
import type { Database } from '@twilight/database/schema'
import { Problem } from '@twilight/service/errors'
import { handleOnce } from '@twilight/service/inbox'
import { type Kysely, type Transaction } from 'kysely'
import { hash } from 'node:crypto'
import { z } from 'zod'

// Of class user only: a stolen admin key must not be able to breed others that outlive it.
export const keyOrder = z.strictObject({
  name: z.string().max(64).default('').describe('What its owner calls it'),
  scopes: z
    .array(z.string().regex(/^[a-z]+(:[a-z]+)?$/))
    .max(20)
    .default(['data:read']),
  rate_limit_per_min: z.int().min(1).max(6000).default(60),
  expires_in_days: z.int().min(1).max(3660).optional().describe('Left out: it has no end'),
})

export const issuedKey = z
  .object({
    id: z.uuid(),
    key: z.string().describe('Shown this once and stored nowhere'),
    prefix: z.string(),
    last4: z.string(),
  })
  .meta({ id: 'IssuedKey' })

/**
 * Issues a user key. Its text cannot be shown a second time, so a repeat under the same Idempotency-Key
 * issues nothing and names the key that the first one made.
 */
export async function issueUserKey(
  db: Kysely<Database>,
  { callerId, userId, order, idempotencyKey }: Issue,
): Promise<z.input<typeof issuedKey>> {
  if (idempotencyKey === undefined) return await issue(db, userId, order)
  const consumer = 'provisioner-admin-keys'
  const eventId = uuidOf(`${callerId} ${idempotencyKey}`)
  const fingerprint = hash('sha256', JSON.stringify([userId, order]))
  const issued: z.input<typeof issuedKey>[] = []
  await handleOnce(db, { consumer, eventId }, async (trx) => {
    const key = await issue(trx, userId, order)
    await remember(trx, { consumer, eventId }, { fingerprint, key_id: key.id })
    issued.push(key)
  })
  // The last one: a transaction that lost a race and ran again has issued only that.
  return issued.at(-1) ?? (await refuseRepeat(db, { consumer, eventId, fingerprint }))
}

/** The header as clients send it: quoted as the draft has it, or plain. */
export function readIdempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const [, quoted, plain] = /^(?:"([!#-~]{8,128})"|([!#-~]{8,128}))$/.exec(header) ?? []
  const value = quoted ?? plain
  if (value !== undefined) return value
  throw new Problem('invalid_parameter', {
    detail: 'Idempotency-Key takes 8 to 128 visible characters, such as a UUID.',
    errors: [{ detail: '8 to 128 visible characters', parameter: 'Idempotency-Key', in: 'header' }],
  })
}

type Issue = {
  /** the admin key that asks: what others send under the same Idempotency-Key is another request */
  callerId: string
  userId: string
  order: z.output<typeof keyOrder>
  idempotencyKey: string | undefined
}

const remembered = z.object({ fingerprint: z.string(), key_id: z.uuid() })
const dayMs = 86_400_000

async function issue(
  db: Kysely<Database>,
  userId: string,
  order: z.output<typeof keyOrder>,
): Promise<z.input<typeof issuedKey>> {
  const { name, scopes, rate_limit_per_min: ratePerMinute, expires_in_days: days } = order
  const { keyId, ...issued } = await issueKey(db, {
    userId,
    keyClass: 'user',
    scopes,
    name,
    ratePerMinute,
    expiresAt: days === undefined ? null : new Date(Date.now() + days * dayMs),
  })
  return { id: keyId, ...issued }
}

async function remember(
  trx: Transaction<Database>,
  { consumer, eventId }: { consumer: string; eventId: string },
  result: z.input<typeof remembered>,
): Promise<void> {
  await trx
    .updateTable('inbox')
    .set({ result })
    .where('consumer', '=', consumer)
    .where('event_id', '=', eventId)
    .execute()
}

async function refuseRepeat(
  db: Kysely<Database>,
  { consumer, eventId, fingerprint }: { consumer: string; eventId: string; fingerprint: string },
): Promise<never> {
  const row = await db
    .selectFrom('inbox')
    .select('result')
    .where('consumer', '=', consumer)
    .where('event_id', '=', eventId)
    .executeTakeFirstOrThrow()
  const first = remembered.parse(row.result)
  if (first.fingerprint !== fingerprint) throw new Problem('idempotency_key_reused')
  throw new Problem('conflict', {
    detail: `This request has issued the key ${first.key_id} already, and a key is shown once. If its text was lost, revoke it and issue another.`,
    extensions: { key_id: first.key_id },
  })
}

/** The inbox knows its rows by UUID: the hash of the text in the form of version 8. */
function uuidOf(text: string): string {
  const bytes = hash('sha256', text, 'buffer').subarray(0, 16)
  bytes[6] = 0x80 | ((bytes[6] ?? 0) & 0x0f)
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f)
  const hex = bytes.toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
