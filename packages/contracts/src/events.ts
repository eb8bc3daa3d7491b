import { z } from 'zod'

/** The processes that talk to each other: an app's name is its folder's, its database role's and its NATS user's. */
export const apps = [
  'data-api',
  'search-proxy',
  'payments',
  'provisioner',
  'bot-gateway',
  'llm-relay',
  'landing',
  'ingest',
] as const
export type AppName = (typeof apps)[number]

/**
 * A fact: recorded with the change it reports (the outbox), kept in a stream, read by durable consumers.
 *
 *     const paymentSettled = defineEvent({ name: 'payments.payment.settled', version: 1, producers: ['payments'], … })
 *
 * Fields are only ever added, as optional ones. A change that breaks readers is a new event with the
 * next version, whose subject ends in `.v2`; the old one is published beside it until nobody reads it.
 */
export function defineEvent<Data>(
  event: Omit<EventContract<Data>, 'subject'>,
): EventContract<Data> {
  return { ...event, subject: event.version === 1 ? event.name : `${event.name}.v${event.version}` }
}

/** A hint: plain publish, gone when nobody listens. Whoever acts on it also looks for itself now and then. */
export function defineHint<Data>(hint: HintContract<Data>): HintContract<Data> {
  return hint
}

export type EventContract<Data = unknown> = {
  /** `<area>.<thing>.<what happened>` */
  name: string
  /** the major version of `schema` */
  version: number
  subject: string
  /** what its aggregate is: the part before the colon in `payment:1234` */
  aggregateKind: string
  producers: readonly string[]
  consumers: readonly string[]
  schema: z.ZodType<Data>
}

export type HintContract<Data = unknown> = {
  subject: string
  producers: readonly string[]
  consumers: readonly string[]
  schema: z.ZodType<Data>
}

const id = z.string().min(1).max(64)
const time = z.iso.datetime()
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)

/** Money has arrived for an order, whichever of callback, poll and bill saw it first. */
export const paymentSettled = defineEvent({
  name: 'payments.payment.settled',
  version: 1,
  aggregateKind: 'payment',
  producers: ['payments'],
  consumers: ['provisioner'],
  schema: z.object({
    payment_id: id,
    user_id: id,
    amount_fen: z.int().positive(),
    settled_at: time,
  }),
})

/** A user has scanned the pairing QR and confirmed. */
export const botPaired = defineEvent({
  name: 'bots.bot.paired',
  version: 1,
  aggregateKind: 'bot',
  producers: ['bot-gateway'],
  consumers: ['provisioner'],
  schema: z.object({ bot_id: id, user_id: id, paired_at: time }),
})

/** A new generation of the read replica lies ready to be attached. */
export const replicaPublished = defineEvent({
  name: 'warehouse.replica.published',
  version: 1,
  aggregateKind: 'replica',
  producers: ['ingest'],
  consumers: ['data-api'],
  schema: z.object({ generation: id, sha256, bytes: z.int().positive(), published_at: time }),
})

/** A key must die everywhere within a second; the database holds the truth for those who miss this. */
export const keyRevoked = defineHint({
  subject: 'auth.key.revoked',
  producers: ['provisioner'],
  consumers: ['data-api', 'search-proxy', 'llm-relay'],
  schema: z.object({ key_sha256: sha256, revoked_at: time }),
})

export const events: readonly EventContract[] = [paymentSettled, botPaired, replicaPublished]
export const hints: readonly HintContract[] = [keyRevoked]
