import { z } from 'zod'
import type { EventContract } from './events.ts'

/**
 * What every event looks like on the wire: the attributes of CloudEvents 1.0, JSON, the payload in `data`.
 *
 *     const event = decodeEvent(paymentSettled, message.data)
 *     event.data.payment_id
 *
 * Unknown fields are ignored; anything else that does not fit throws an UnreadableEventError, because
 * no redelivery will ever make it fit.
 */
export function decodeEvent<Data>(
  contract: EventContract<Data>,
  body: Uint8Array,
): EventEnvelope<Data> {
  const envelope = parseWith(envelopeSchema, parseJson(body), 'invalid_envelope')
  if (envelope.type !== contract.name) {
    throw new UnreadableEventError('wrong_type', `expected ${contract.name}, got ${envelope.type}`)
  }
  if (envelope.dataschema !== dataSchemaOf(contract)) {
    throw new UnreadableEventError(
      'unknown_version',
      `expected ${dataSchemaOf(contract)}, got ${envelope.dataschema}: deploy the consumer that knows it, then replay`,
    )
  }
  return { ...envelope, data: parseWith(contract.schema, envelope.data, 'invalid_data') }
}

/** Names the payload's schema and its major version: additive changes keep it. */
export function dataSchemaOf(contract: { name: string; version: number }): string {
  return `urn:twilight:${contract.name}:v${contract.version}`
}

export type EventEnvelope<Data = unknown> = Omit<z.infer<typeof envelopeSchema>, 'data'> & {
  data: Data
}

export class UnreadableEventError extends Error {
  override readonly name = 'UnreadableEventError'
  readonly reason: UnreadableReason
  constructor(reason: UnreadableReason, detail: string, options?: ErrorOptions) {
    super(`${reason}: ${detail}`, options)
    this.reason = reason
  }
}

export type UnreadableReason =
  | 'invalid_json'
  | 'invalid_envelope'
  | 'wrong_type'
  | 'unknown_version'
  | 'invalid_data'

const envelopeSchema = z.object({
  id: z.uuid(),
  type: z.string().min(1).max(200),
  /** the app that recorded it */
  source: z.string().min(1).max(64),
  /** the thing it is about, as `<kind>:<id>`; events of one subject keep their order */
  subject: z.string().min(1).max(200),
  /** the record's time, by the database's clock */
  time: z.iso.datetime(),
  datacontenttype: z.literal('application/json'),
  dataschema: z.string().min(1).max(200),
  data: z.unknown(),
})

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (cause) {
    throw new UnreadableEventError('invalid_json', 'the body is not JSON in UTF-8', { cause })
  }
}

function parseWith<T>(schema: z.ZodType<T>, value: unknown, reason: UnreadableReason): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new UnreadableEventError(reason, z.prettifyError(parsed.error).slice(0, 500), {
    cause: parsed.error,
  })
}
