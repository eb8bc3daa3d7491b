import type { JsMsg } from '@nats-io/jetstream'
import { headers, type MsgHdrs } from '@nats-io/transport-node'
import type { Connected } from './nats-connection.ts'
import { headerValue } from './nats-headers.ts'

/** Why a message was given up: it can never be read, its handler refused it for good, or every try failed. */
export type DeadLetterClass = 'unreadable' | 'permanent' | 'exhausted'

/**
 * Keeps a message nobody could handle, as it came, with the reason in headers. Resolves once the stream
 * has it; only then may the original be given up.
 */
export async function recordDeadLetter({ js }: Connected, letter: NewDeadLetter): Promise<void> {
  const { message, consumer, errorClass, error } = letter
  const { stream, streamSequence, deliveryCount } = message.info
  const fields = headers()
  for (const [name, values] of message.headers ?? []) {
    // What the server wrote is about the old place of the message.
    if (!name.startsWith('Nats-')) fields.set(name, values[0] ?? '')
  }
  const about = {
    [deadLetterHeaders.reason]:
      error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    [deadLetterHeaders.errorClass]: errorClass,
    [deadLetterHeaders.subject]: message.subject,
    [deadLetterHeaders.stream]: stream,
    [deadLetterHeaders.consumer]: consumer,
    [deadLetterHeaders.seq]: String(streamSequence),
    [deadLetterHeaders.deliveries]: String(deliveryCount),
    [deadLetterHeaders.publishedAt]: message.time.toISOString(),
    [deadLetterHeaders.failedAt]: new Date().toISOString(),
  }
  for (const [name, value] of Object.entries(about)) fields.set(name, headerValue(value))
  await js.publish(`dead.${stream}.${consumer}`, message.data, {
    // A stream made anew counts from 1 again, so the number alone does not name a message.
    msgID: `${stream}:${consumer}:${streamSequence}:${message.timestampNanos}`,
    headers: fields,
    timeout: 2000,
  })
}

export type NewDeadLetter = {
  message: JsMsg
  consumer: string
  errorClass: DeadLetterClass
  error: unknown
}

export const deadLetterHeaders = {
  reason: 'Td-Dead-Reason',
  errorClass: 'Td-Dead-Class',
  subject: 'Td-Dead-Subject',
  stream: 'Td-Dead-Stream',
  consumer: 'Td-Dead-Consumer',
  seq: 'Td-Dead-Seq',
  deliveries: 'Td-Dead-Deliveries',
  publishedAt: 'Td-Dead-Published-At',
  failedAt: 'Td-Dead-Failed-At',
} as const

/** On a replayed message: the one consumer it is meant for. The others settle it unread. */
export const replayForHeader = 'Td-Replay-For'

/** The headers a dead letter came with, without those that say why it is one. */
export function originalHeaders(fields: MsgHdrs): MsgHdrs {
  const result = headers()
  for (const [name, values] of fields) {
    if (!name.startsWith('Nats-') && !name.startsWith('Td-Dead-') && name !== replayForHeader) {
      result.set(name, values[0] ?? '')
    }
  }
  return result
}
