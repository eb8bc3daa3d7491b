import {
  botPaired,
  type EventContract,
  events,
  paymentSettled,
  replicaPublished,
} from './events.ts'

/** A stream with a limit on everything: one without fills the disk that all of them share. */
export function defineStream(stream: StreamContract): StreamContract {
  return stream
}

/**
 * Who reads an event, and how patiently.
 *
 *     const settled = defineConsumer({ name: 'provisioner-payment-settled', event: paymentSettled, owner: 'provisioner', stream: 'EVENTS' })
 *
 * A failed handler is tried again after each step of `backoffMs`; then the message is a dead letter.
 */
export function defineConsumer<Data>(
  consumer: Pick<ConsumerContract<Data>, 'name' | 'stream' | 'owner' | 'event'> &
    Partial<Pick<ConsumerContract, 'ackWaitMs' | 'backoffMs'>>,
): ConsumerContract<Data> {
  const backoffMs = consumer.backoffMs ?? [1_000, 5_000, 15_000, 60_000]
  return {
    ackWaitMs: 30_000,
    ...consumer,
    backoffMs,
    filterSubject: consumer.event.subject,
    maxDeliver: backoffMs.length + 1,
  }
}

export type StreamContract = {
  name: string
  /** each subject exactly: a wildcard would also swallow requests and answer them */
  subjects: readonly string[]
  maxAgeMs: number
  maxBytes: number
  maxMessageBytes: number
  duplicateWindowMs: number
  /** keep only so many messages of one subject */
  maxPerSubject?: number
}

export type ConsumerContract<Data = unknown> = {
  name: string
  stream: string
  owner: string
  event: EventContract<Data>
  /** one subject: a list of them needs a newer server than Debian has */
  filterSubject: string
  /** no sign of life from the handler's process for this long: somebody else gets the message */
  ackWaitMs: number
  backoffMs: readonly number[]
  maxDeliver: number
}

const hour = 3_600_000
const day = 24 * hour
const mebibyte = 1_048_576

export const eventStream = defineStream({
  name: 'EVENTS',
  subjects: events.map((event) => event.subject),
  maxAgeMs: 14 * day,
  maxBytes: 256 * mebibyte,
  // The outbox takes payloads up to 64 KiB; the rest is for the envelope and the headers.
  maxMessageBytes: 96 * 1024,
  duplicateWindowMs: 2 * hour,
})

/**
 * Messages nobody could handle: our own record under `dead.<stream>.<consumer>`, and the server's word
 * on those whose handler took its whole process down each time.
 */
export const deadLetterStream = defineStream({
  name: 'DEAD_LETTERS',
  subjects: [
    'dead.*.*',
    '$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>',
    '$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>',
  ],
  maxAgeMs: 30 * day,
  maxBytes: 64 * mebibyte,
  maxMessageBytes: 128 * 1024,
  duplicateWindowMs: 2 * hour,
})

/** Written by every health check, because a server with a full disk still calls itself healthy. */
export const canaryStream = defineStream({
  name: 'CANARY',
  subjects: ['sys.canary.*'],
  maxAgeMs: hour,
  maxBytes: mebibyte,
  maxMessageBytes: 1024,
  duplicateWindowMs: 1000,
  maxPerSubject: 1,
})

export const streams: readonly StreamContract[] = [eventStream, deadLetterStream, canaryStream]

export const consumers = {
  provisionerPaymentSettled: defineConsumer({
    name: 'provisioner-payment-settled',
    stream: eventStream.name,
    owner: 'provisioner',
    event: paymentSettled,
  }),
  provisionerBotPaired: defineConsumer({
    name: 'provisioner-bot-paired',
    stream: eventStream.name,
    owner: 'provisioner',
    event: botPaired,
  }),
  dataApiReplicaPublished: defineConsumer({
    name: 'data-api-replica-published',
    stream: eventStream.name,
    owner: 'data-api',
    event: replicaPublished,
  }),
} as const
