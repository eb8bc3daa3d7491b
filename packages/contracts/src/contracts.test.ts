import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { dataSchemaOf, decodeEvent } from './envelope.ts'
import { apps, defineEvent, events, hints, paymentSettled } from './events.ts'
import { requests } from './requests.ts'
import { consumers, defineConsumer, streams } from './streams.ts'

const knownApps: readonly string[] = apps
const areas: Record<string, readonly string[]> = {
  payments: ['payments'],
  bots: ['bot-gateway'],
  warehouse: ['ingest'],
  auth: ['provisioner'],
}

describe('the tables of messages', () => {
  test('no two messages share a subject', () => {
    const subjects = [...events, ...hints, ...requests].map((message) => message.subject)
    expect(subjects).toEqual([...new Set(subjects)])
  })

  test('every event is kept by exactly one stream, and no hint or request by any', () => {
    for (const { subject } of events)
      expect([subject, keepersOf(subject)]).toEqual([subject, ['EVENTS']])
    for (const { subject } of [...hints, ...requests])
      expect([subject, keepersOf(subject)]).toEqual([subject, []])
  })

  test('subjects are lower-case tokens, and their area belongs to the app that sends or answers', () => {
    for (const { subject } of [...events, ...hints, ...requests]) {
      expect(subject).toMatch(/^[a-z0-9_-]+(\.[a-z0-9_-]+){2,3}$/)
      expect(subject.length).toBeLessThan(256)
    }
    for (const { subject, producers } of [...events, ...hints]) {
      expect(areas[subject.split('.')[0] ?? '']).toEqual(producers)
    }
  })

  test('producers, consumers and owners are apps, and an event names exactly those who consume it', () => {
    for (const { producers, consumers: readers } of [...events, ...hints]) {
      for (const app of [...producers, ...readers]) expect(knownApps).toContain(app)
    }
    for (const event of events) {
      const owners = Object.values(consumers)
        .filter((consumer) => consumer.event.name === event.name)
        .map((consumer) => consumer.owner)
      expect(owners.toSorted()).toEqual(event.consumers.toSorted())
    }
  })

  test('every consumer filters one subject, that of its event, in a stream that keeps it', () => {
    const names = Object.values(consumers).map((consumer) => consumer.name)
    expect(names).toEqual([...new Set(names)])
    for (const consumer of Object.values(consumers)) {
      expect(consumer.filterSubject).toBe(consumer.event.subject)
      expect(keepersOf(consumer.filterSubject)).toEqual([consumer.stream])
      expect(consumer.maxDeliver).toBe(consumer.backoffMs.length + 1)
      expect(consumer.name.startsWith(`${consumer.owner}-`)).toBe(true)
    }
  })

  test('names of streams and consumers are short and plain, and every stream is limited', () => {
    for (const { name } of [...streams, ...Object.values(consumers)])
      expect(name).toMatch(/^[A-Za-z0-9_-]{1,32}$/)
    for (const stream of streams) {
      expect(Math.min(stream.maxAgeMs, stream.maxBytes, stream.maxMessageBytes)).toBeGreaterThan(0)
      expect(stream.duplicateWindowMs).toBeLessThanOrEqual(stream.maxAgeMs)
    }
  })

  test('the second version of an event gets a subject of its own', () => {
    const second = defineEvent({ ...paymentSettled, version: 2 })
    expect(second.subject).toBe('payments.payment.settled.v2')
    expect(
      defineConsumer({ name: 'x', stream: 'EVENTS', owner: 'payments', event: second })
        .filterSubject,
    ).toBe(second.subject)
  })
})

describe('an event on the wire', () => {
  const event = defineEvent({
    name: 'test.thing.happened',
    version: 1,
    aggregateKind: 'thing',
    producers: ['payments'],
    consumers: [],
    schema: z.object({ count: z.int() }),
  })
  const envelope = {
    id: '01890a5d-ac96-774b-bcce-b302099a8057',
    type: event.name,
    source: 'payments',
    subject: 'thing:1',
    time: '2026-11-20T01:02:03.004Z',
    datacontenttype: 'application/json',
    dataschema: dataSchemaOf(event),
    data: { count: 1 },
  }

  test('fields added later are ignored', () => {
    expect(
      decodeEvent(event, encode({ ...envelope, later: true, data: { count: 1, more: 2 } })),
    ).toEqual(envelope)
  })

  test.each([
    ['invalid_json', '{"id":'],
    ['invalid_envelope', { ...envelope, id: 'not a uuid' }],
    ['invalid_envelope', null],
    ['wrong_type', { ...envelope, type: 'test.thing.other' }],
    ['unknown_version', { ...envelope, dataschema: 'urn:twilight:test.thing.happened:v2' }],
    ['invalid_data', { ...envelope, data: { count: 'many' } }],
  ])('what cannot be read is refused with the reason %s', (reason, body) => {
    expect(() => decodeEvent(event, encode(body))).toThrow(
      expect.objectContaining({ name: 'UnreadableEventError', reason }),
    )
  })
})

function encode(body: unknown): Uint8Array {
  return new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body))
}

function keepersOf(subject: string): string[] {
  return streams
    .filter((stream) =>
      stream.subjects.some((pattern) => matches(pattern.split('.'), subject.split('.'))),
    )
    .map((stream) => stream.name)
}

function matches(pattern: string[], subject: string[]): boolean {
  return (
    pattern.every(
      (token, i) =>
        token === '>' || (i < subject.length && (token === '*' || token === subject[i])),
    ) &&
    (pattern.at(-1) === '>' ? subject.length >= pattern.length : subject.length === pattern.length)
  )
}
