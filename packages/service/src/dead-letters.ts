import {
  type JetStreamManager,
  JetStreamApiCodes,
  JetStreamApiError,
  type StoredMsg,
} from '@nats-io/jetstream'
import { deadLetterStream } from '@twilight/contracts/streams'
import { deadLetterHeaders, originalHeaders, replayForHeader } from './dead-letters-record.ts'
import type { Bus } from './nats.ts'
import type { Connected } from './nats-connection.ts'

/**
 * The messages nobody could handle, oldest first: those our consumers gave up with a reason, and those
 * whose handler took its process down each time, of which only the server tells.
 *
 *     for (const letter of await listDeadLetters(bus, { limit: 50 })) console.log(letter.id, letter.reason)
 */
export async function listDeadLetters(
  bus: Bus,
  filter: DeadLetterFilter = {},
): Promise<DeadLetter[]> {
  const found = await readAll(bus.core.connection.current(), filter)
  return found.slice(0, filter.limit ?? 100).map(({ letter }) => letter)
}

/**
 * Publishes the message again for the consumer that failed and no other, then forgets the dead letter.
 * Asking twice is harmless; the event keeps its id, so an inbox that knows it does nothing.
 */
export async function replayDeadLetter(
  bus: Bus,
  id: string,
): Promise<'replayed' | 'not_found' | 'original_lost'> {
  const connected = bus.core.connection.current()
  const entry = (await readAll(connected, {})).find(({ letter }) => letter.id === id)
  return entry ? await replay(connected, entry) : 'not_found'
}

/** Replays all that fit; returns how many were, and how many could not be. */
export async function replayDeadLetters(
  bus: Bus,
  filter: DeadLetterFilter,
): Promise<{ replayed: number; lost: number }> {
  const connected = bus.core.connection.current()
  const result = { replayed: 0, lost: 0 }
  for (const entry of (await readAll(connected, filter)).slice(0, filter.limit ?? maxListed)) {
    if ((await replay(connected, entry)) === 'replayed') result.replayed += 1
    else result.lost += 1
  }
  return result
}

/** Forgets a dead letter; false when there is none of this id. */
export async function dropDeadLetter(bus: Bus, id: string): Promise<boolean> {
  const connected = bus.core.connection.current()
  const entry = (await readAll(connected, {})).find(({ letter }) => letter.id === id)
  if (entry) await forget(connected.jsm, entry)
  return entry !== undefined
}

export type DeadLetterFilter = {
  limit?: number
  stream?: string
  consumer?: string
  eventId?: string
}

export type DeadLetter = {
  id: string
  stream: string
  consumer: string
  subject: string | undefined
  eventId: string | undefined
  aggregate: string | undefined
  reason: string
  /** `crashed`: no handler lived to say why */
  errorClass: string
  deliveries: number
  publishedAt: string | undefined
  failedAt: string
  /** the body as it came; undefined when the stream no longer has it */
  payload: string | undefined
}

type Entry = { letter: DeadLetter; message: StoredMsg | undefined; seqs: number[] }

/** More than this are not looked at in one go: replay or drop some first. */
const maxListed = 10_000

async function readAll({ js, jsm }: Connected, filter: DeadLetterFilter): Promise<Entry[]> {
  const entries = new Map<string, Entry>()
  for (const message of await readStream({ js, jsm })) {
    const entry = message.subject.startsWith('dead.')
      ? fromRecord(message)
      : await fromAdvisory(jsm, message)
    if (!entry) continue
    const { letter } = entry
    const key = `${letter.stream}:${letter.consumer}:${entry.originalSeq}:${letter.publishedAt}`
    const known = entries.get(key)
    // Our own record says more than the server's advisory about the same message.
    if (!known) entries.set(key, { letter, message: entry.message, seqs: [message.seq] })
    else if (entry.letter.errorClass === 'crashed') known.seqs.push(message.seq)
    else entries.set(key, { letter, message: entry.message, seqs: [message.seq, ...known.seqs] })
  }
  return [...entries.values()].filter(({ letter }) =>
    [
      [filter.stream, letter.stream],
      [filter.consumer, letter.consumer],
      [filter.eventId, letter.eventId],
    ].every(([wanted, actual]) => wanted === undefined || wanted === actual),
  )
}

async function readStream({ js, jsm }: Pick<Connected, 'js' | 'jsm'>): Promise<StoredMsg[]> {
  // It is made with the first dead letter at the latest; until then there are none.
  if (!(await streamExists(jsm, deadLetterStream.name))) return []
  const reader = await js.consumers.get(deadLetterStream.name, { name_prefix: 'dead-letters' })
  try {
    const wanted = Math.min((await reader.info(true)).num_pending, maxListed)
    const seqs: number[] = []
    if (wanted > 0) {
      const batch = await reader.fetch({ max_messages: wanted, expires: 5000 })
      for await (const message of batch) seqs.push(message.seq)
    }
    const stored = await Promise.all(seqs.map((seq) => getMessage(jsm, deadLetterStream.name, seq)))
    return stored.filter((message) => message !== undefined)
  } finally {
    // It would end by itself after five minutes of silence.
    await reader.delete().catch(() => false)
  }
}

function fromRecord(
  message: StoredMsg,
): (Omit<Entry, 'seqs'> & { originalSeq: number }) | undefined {
  const about = (name: keyof typeof deadLetterHeaders) =>
    message.header.get(deadLetterHeaders[name])
  return {
    message,
    originalSeq: Number(about('seq')),
    letter: {
      id: String(message.seq),
      stream: about('stream'),
      consumer: about('consumer'),
      subject: about('subject'),
      ...identify(message),
      reason: about('reason'),
      errorClass: about('errorClass'),
      deliveries: Number(about('deliveries')),
      publishedAt: about('publishedAt'),
      failedAt: about('failedAt'),
      payload: message.string(),
    },
  }
}

/** The advisory names a place in a stream; the message itself must be fetched from there. */
async function fromAdvisory(jsm: JetStreamManager, message: StoredMsg) {
  const advisory = readAdvisory(message)
  if (!advisory) return undefined
  const stored = await getMessage(jsm, advisory.stream, advisory.stream_seq)
  // A stream made anew counts from 1 again: what is younger than the advisory is another message.
  const original = stored && stored.time <= message.time ? stored : undefined
  return {
    message: original,
    originalSeq: advisory.stream_seq,
    letter: {
      id: String(message.seq),
      stream: advisory.stream,
      consumer: advisory.consumer,
      subject: original?.subject,
      ...identify(original),
      reason: `given up after ${advisory.deliveries} deliveries without an answer: its handler ended with its process, or never ended`,
      errorClass: 'crashed',
      deliveries: advisory.deliveries,
      publishedAt: original?.time.toISOString(),
      failedAt: message.time.toISOString(),
      payload: original?.string(),
    },
  }
}

function identify(message: StoredMsg | undefined): Pick<DeadLetter, 'eventId' | 'aggregate'> {
  return {
    eventId: message?.header.get('Td-Event-Id') || undefined,
    aggregate: message?.header.get('Td-Aggregate') || undefined,
  }
}

async function replay({ js, jsm }: Connected, entry: Entry): Promise<'replayed' | 'original_lost'> {
  const { letter, message } = entry
  if (!message || letter.subject === undefined) return 'original_lost'
  const fields = originalHeaders(message.header)
  fields.set(replayForHeader, letter.consumer)
  // Another message id than the event's, which the stream would drop as a repeat; the same for a second
  // request to replay this letter.
  const msgID = `replay:${letter.consumer}:${letter.id}:${letter.failedAt}`
  await js.publish(letter.subject, message.data, { msgID, headers: fields, timeout: 2000 })
  await forget(jsm, entry)
  return 'replayed'
}

async function forget(jsm: JetStreamManager, { seqs }: Entry): Promise<void> {
  for (const seq of seqs) {
    try {
      await jsm.streams.deleteMessage(deadLetterStream.name, seq)
    } catch (error) {
      // Gone already is what we want.
      if (!(await isGone(jsm, seq))) throw error
    }
  }
}

async function isGone(jsm: JetStreamManager, seq: number): Promise<boolean> {
  return (await getMessage(jsm, deadLetterStream.name, seq)) === undefined
}

async function streamExists(jsm: JetStreamManager, name: string): Promise<boolean> {
  try {
    await jsm.streams.info(name)
    return true
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) {
      return false
    }
    throw error
  }
}

async function getMessage(
  jsm: JetStreamManager,
  stream: string,
  seq: number,
): Promise<StoredMsg | undefined> {
  try {
    return (await jsm.streams.getMessage(stream, { seq })) ?? undefined
  } catch (error) {
    const gone: number[] = [JetStreamApiCodes.NoMessageFound, JetStreamApiCodes.StreamNotFound]
    if (error instanceof JetStreamApiError && gone.includes(error.code)) return undefined
    throw error
  }
}

type Advisory = { stream: string; consumer: string; stream_seq: number; deliveries: number }

function readAdvisory(message: StoredMsg): Advisory | undefined {
  const content = message.json<Partial<Advisory>>()
  const { stream, consumer, stream_seq, deliveries } = content
  if (stream === undefined || consumer === undefined || stream_seq === undefined) return undefined
  return { stream, consumer, stream_seq, deliveries: deliveries ?? 0 }
}
