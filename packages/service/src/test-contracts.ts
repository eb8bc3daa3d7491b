import { defineEvent, defineHint } from '@twilight/contracts/events'
import {
  canaryStream,
  type ConsumerContract,
  deadLetterStream,
  defineConsumer,
  defineStream,
} from '@twilight/contracts/streams'
import { z } from 'zod'

/** Messages for tests, made by the same constructors as the real ones; patient for milliseconds only. */
export const thingChanged = defineEvent({
  name: 'test.thing.changed',
  version: 1,
  aggregateKind: 'thing',
  producers: ['payments'],
  consumers: ['provisioner'],
  schema: z.object({ n: z.int(), text: z.string().optional() }),
})

export const thingPoked = defineHint({
  subject: 'test.thing.poked',
  producers: ['payments'],
  consumers: ['provisioner'],
  schema: z.object({ n: z.int() }),
})

const testStream = defineStream({
  name: 'TEST',
  subjects: [thingChanged.subject],
  maxAgeMs: 3_600_000,
  maxBytes: 64 * 1024 * 1024,
  maxMessageBytes: 96 * 1024,
  duplicateWindowMs: 120_000,
})

export const testStreams = [testStream, deadLetterStream, canaryStream]

export function testConsumer(
  name: string,
  patience: { ackWaitMs?: number; backoffMs?: number[] } = {},
): ConsumerContract<{ n: number; text?: string | undefined }> {
  return defineConsumer({
    name,
    stream: testStream.name,
    owner: 'provisioner',
    event: thingChanged,
    ackWaitMs: 2000,
    backoffMs: [50, 100],
    ...patience,
  })
}
