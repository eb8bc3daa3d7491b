import { setTimeout as sleep } from 'node:timers/promises'
import { dataSchemaOf } from '@twilight/contracts/envelope'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  dropDeadLetter,
  listDeadLetters,
  replayDeadLetter,
  replayDeadLetters,
} from './dead-letters.ts'
import { type Bus, connectBus } from './nats.ts'
import type { ConsumeOptions } from './nats-consume.ts'
import type { EventHandler } from './nats-decide.ts'
import { PermanentError } from './nats-settle.ts'
import { outgoingHeaders } from './nats-headers.ts'
import { DatabaseUnavailableError } from './postgres-errors.ts'
import { testConsumer, testStreams, thingChanged } from './test-contracts.ts'
import { startTestNats, type TestNats } from './test-nats.ts'
import { currentTrace, runInTrace, startTrace } from './trace.ts'
import { uuidV7 } from './uuid-v7.ts'

type Data = { n: number; text?: string | undefined }

const soon = { timeout: 15_000, interval: 20 }
const log = pino({ level: 'silent' })
let nats: TestNats
let bus: Bus

beforeAll(async () => {
  nats = await startTestNats()
  bus = await connectBus({ url: nats.url, service: 'tester', log, streams: testStreams })
})
afterAll(async () => {
  await bus[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
})
beforeEach(async () => {
  const { jsm } = bus.core.connection.current()
  await bus.ensureStreams()
  for await (const { name } of jsm.consumers.list('TEST')) await jsm.consumers.delete('TEST', name)
  await jsm.streams.purge('TEST')
  await jsm.streams.purge('DEAD_LETTERS')
})

describe('a consumer', () => {
  test('hands over each event once, with its aggregate and the trace it was published in', async () => {
    const seen: unknown[] = []
    consume(testConsumer('plain'), async (event) => {
      seen.push({ n: event.data.n, aggregate: event.aggregate, traceId: currentTrace()?.traceId })
    })
    const trace = startTrace()
    await runInTrace(trace, () => publish({ n: 1 }))
    await vi.waitFor(
      () => expect(seen).toEqual([{ n: 1, aggregate: 'thing:1', traceId: trace.traceId }]),
      soon,
    )
    await vi.waitFor(async () => expect((await info('plain')).num_ack_pending).toBe(0), soon)
  })

  test('keeps the order within an aggregate through failures, while others run beside it', async () => {
    const seen: string[] = []
    let failures = 2
    consume(testConsumer('ordered'), async ({ aggregate, data }) => {
      if (aggregate === 'thing:slow' && data.n === 0 && failures-- > 0) throw new Error('not yet')
      seen.push(`${aggregate} ${data.n}`)
    })
    for (let n = 0; n < 5; n += 1) {
      await publish({ n }, { aggregate: 'thing:slow' })
      await publish({ n }, { aggregate: 'thing:quick' })
    }
    await vi.waitFor(() => expect(seen).toHaveLength(10), soon)
    expect(seen.filter((line) => line.startsWith('thing:slow'))).toEqual(
      [0, 1, 2, 3, 4].map((n) => `thing:slow ${n}`),
    )
    expect(seen.slice(0, 5)).toEqual([0, 1, 2, 3, 4].map((n) => `thing:quick ${n}`))
  })

  test('runs a handler longer than the ack wait without a second delivery', async () => {
    const deliveries: number[] = []
    consume(testConsumer('slow', { ackWaitMs: 300 }), async (event) => {
      deliveries.push(event.deliveries)
      await sleep(500)
    })
    await publish({ n: 1 })
    await vi.waitFor(
      async () => expect((await info('slow')).ack_floor.stream_seq).toBeGreaterThan(0),
      soon,
    )
    expect(deliveries).toEqual([1])
  })

  test('aborts a handler at its time limit and tries again', async () => {
    const reasons: unknown[] = []
    consume(
      testConsumer('limited'),
      async ({ deliveries }, { signal }) => {
        if (deliveries > 1) return
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        reasons.push(signal.reason)
        throw signal.reason
      },
      { handlerTimeoutMs: 100 },
    )
    await publish({ n: 1 })
    await vi.waitFor(async () => expect((await info('limited')).num_ack_pending).toBe(0), soon)
    await vi.waitFor(
      () => expect(reasons).toEqual([new Error('handler took longer than 100 ms')]),
      soon,
    )
  })

  test('waits for the database without using up tries', async () => {
    let calls = 0
    const deliveries: number[] = []
    consume(testConsumer('patient'), async (event) => {
      calls += 1
      if (calls < 8)
        throw new Error('saving failed', { cause: new DatabaseUnavailableError('away') })
      deliveries.push(event.deliveries)
    })
    await publish({ n: 1 })
    await vi.waitFor(() => expect(deliveries).toEqual([1]), soon)
    expect(await listDeadLetters(bus)).toEqual([])
  }, 40_000)

  test('stops in order: running handlers finish, what waits goes back, and the next copy gets it', async () => {
    const first: number[] = []
    const second: number[] = []
    const stopped = bus.consume(
      testConsumer('stopping'),
      async ({ data }) => {
        await sleep(200)
        first.push(data.n)
      },
      { concurrency: 2 },
    )
    for (let n = 0; n < 10; n += 1) await publish({ n }, { aggregate: `thing:${n}` })
    await vi.waitFor(() => expect(first.length).toBeGreaterThan(1), soon)
    await stopped[Symbol.asyncDispose]()
    const finished = first.length
    consume(testConsumer('stopping'), async ({ data }) => void second.push(data.n))
    // Within less than the ack wait: they were handed back, not left to expire. (2.9 may keep one that long.)
    await vi.waitFor(() => expect(second.length).toBeGreaterThan(3), {
      timeout: 1500,
      interval: 20,
    })
    await vi.waitFor(() => expect(new Set([...first, ...second]).size).toBe(10), soon)
    expect(first).toHaveLength(finished)
  })

  test('stops by its deadline though a handler is deaf, and that was no try', async () => {
    const stuck = bus.consume(testConsumer('deaf'), () => new Promise(() => {}), {
      stopDeadlineMs: 100,
    })
    await publish({ n: 1 })
    await vi.waitFor(async () => expect((await info('deaf')).num_ack_pending).toBe(1), soon)
    const started = Date.now()
    await stuck[Symbol.asyncDispose]()
    expect(Date.now() - started).toBeLessThan(1000)
    const seen: number[] = []
    consume(testConsumer('deaf'), async ({ data }) => void seen.push(data.n))
    await vi.waitFor(() => expect(seen).toEqual([1]), { timeout: 1500, interval: 20 })
  })

  test('with other settings than its contract is reported and left as it is', async () => {
    const lines: string[] = []
    const loud = await connectBus({
      url: nats.url,
      service: 'tester',
      log: pino({ level: 'warn' }, { write: (line) => void lines.push(line) }),
      streams: testStreams,
    })
    onTestFinished(() => loud[Symbol.asyncDispose]())
    consume(testConsumer('settled'), async () => {})
    await vi.waitFor(() => info('settled'), soon)
    const other = loud.consume(testConsumer('settled', { ackWaitMs: 9000 }), async () => {})
    await vi.waitFor(
      () =>
        expect(lines.join()).toContain(
          '"setting":"ack_wait","wanted":9000000000,"live":2000000000',
        ),
      soon,
    )
    await other[Symbol.asyncDispose]()
    expect((await info('settled')).config.ack_wait).toBe(2_000_000_000)
  })

  test('uses only settings that servers from 2.9 on share', async () => {
    consume(testConsumer('subset'), async () => {})
    const { config } = await vi.waitFor(() => info('subset'), soon)
    expect(config).toMatchObject({
      filter_subject: thingChanged.subject,
      ack_policy: 'explicit',
      ack_wait: 2_000_000_000,
      max_deliver: 3,
      max_ack_pending: 1000,
    })
    expect(config.backoff).toBeUndefined()
    expect(config.filter_subjects).toBeUndefined()
  })
})

describe('a bus that goes away', () => {
  test('killed and started: the consumer goes on without a restart of its process', async () => {
    const seen: number[] = []
    consume(testConsumer('survivor'), async ({ data }) => void seen.push(data.n))
    await publish({ n: 1 })
    await vi.waitFor(() => expect(seen).toEqual([1]), soon)
    await nats.kill()
    await nats.start()
    await vi.waitFor(() => publish({ n: 2 }), soon)
    await vi.waitFor(() => expect(seen).toContain(2), soon)
  }, 40_000)

  test('consumer deleted, stream deleted: both are made again', async () => {
    const seen: number[] = []
    consume(testConsumer('remade'), async ({ data }) => void seen.push(data.n))
    await publish({ n: 1 })
    await vi.waitFor(() => expect(seen).toEqual([1]), soon)
    const { jsm } = bus.core.connection.current()
    await jsm.consumers.delete('TEST', 'remade')
    await publish({ n: 2 })
    await vi.waitFor(() => expect(seen).toContain(2), soon)
    await jsm.streams.delete('TEST')
    await vi.waitFor(() => publish({ n: 3 }), soon)
    await vi.waitFor(() => expect(seen).toContain(3), soon)
  }, 40_000)

  test('frozen for longer than a heartbeat: the consumer goes on when it does', async () => {
    const seen: number[] = []
    consume(testConsumer('frozen'), async ({ data }) => void seen.push(data.n))
    await publish({ n: 1 })
    await vi.waitFor(() => expect(seen).toEqual([1]), soon)
    nats.freeze()
    await sleep(7000)
    nats.thaw()
    await vi.waitFor(() => publish({ n: 2 }), soon)
    await vi.waitFor(() => expect(seen).toContain(2), soon)
  }, 40_000)
})

describe('a poison message', () => {
  test('ends in the dead letters after its tries, does not hold up its neighbours, and is replayed', async () => {
    let broken = true
    const tries: number[] = []
    const latenciesMs: number[] = []
    const done: number[] = []
    consume(testConsumer('poisoned', { backoffMs: [300, 300] }), async ({ data, deliveries }) => {
      if (data.n === -1) {
        tries.push(deliveries)
        if (broken) throw new Error('cannot digest this')
        done.push(data.n)
        return
      }
      latenciesMs.push(performance.now() - data.n)
    })
    const id = await publish({ n: -1 }, { aggregate: 'thing:poison' })
    for (let i = 0; i < 50; i += 1) {
      await publish({ n: Math.floor(performance.now()) }, { aggregate: `thing:${i}` })
      await sleep(10)
    }
    await vi.waitFor(async () => expect(await listDeadLetters(bus)).toHaveLength(1), soon)
    expect(tries).toEqual([1, 2, 3])
    const [letter] = await listDeadLetters(bus)
    expect(letter).toMatchObject({
      stream: 'TEST',
      consumer: 'poisoned',
      eventId: id,
      aggregate: 'thing:poison',
      errorClass: 'exhausted',
      reason: 'Error: cannot digest this',
      deliveries: 3,
    })
    expect(latenciesMs).toHaveLength(50)
    // Beside a message that takes 600 ms of retries each of them takes milliseconds.
    expect(latenciesMs.toSorted((a, b) => a - b)[45]).toBeLessThan(150)

    broken = false
    expect(await replayDeadLetter(bus, letter?.id ?? '')).toBe('replayed')
    await vi.waitFor(() => expect(done).toEqual([-1]), soon)
    expect(await listDeadLetters(bus)).toEqual([])
    expect(await replayDeadLetter(bus, letter?.id ?? '')).toBe('not_found')
  }, 40_000)

  test.each([
    ['not JSON', 'x', 'unreadable', /^UnreadableEventError: invalid_json/],
    [
      'of an unknown version',
      JSON.stringify({ ...envelope({ n: 1 }), dataschema: 'urn:twilight:test.thing.changed:v9' }),
      'unreadable',
      /unknown_version/,
    ],
    [
      'with data of the wrong shape',
      JSON.stringify(envelope({ n: 'x' })),
      'unreadable',
      /invalid_data/,
    ],
    [
      'refused for good by its handler',
      JSON.stringify(envelope({ n: 13 })),
      'permanent',
      /^PermanentError: unlucky/,
    ],
  ])('%s is a dead letter at once', async (_, body, errorClass, reason) => {
    consume(testConsumer('strict'), async ({ data }) => {
      if (data.n === 13) throw new PermanentError('unlucky')
    })
    await bus.core.connection.current().js.publish(thingChanged.subject, body)
    const [letter] = await vi.waitFor(async () => {
      const letters = await listDeadLetters(bus)
      expect(letters).toHaveLength(1)
      return letters
    }, soon)
    expect(letter).toMatchObject({ errorClass, deliveries: 1, payload: body })
    expect(letter?.reason).toMatch(reason)
  })

  test('that its consumer never answered is listed too, dropped on request, and not replayed once it is gone', async () => {
    const { js, jsm } = bus.core.connection.current()
    await jsm.consumers.add('TEST', {
      durable_name: 'mute',
      ack_policy: 'explicit',
      ack_wait: 200_000_000,
      max_deliver: 1,
    })
    const mute = await js.consumers.get('TEST', 'mute')
    for (const n of [1, 2]) {
      await publish({ n })
      await mute.next({ expires: 1000 })
    }
    const [first, second] = await vi.waitFor(async () => {
      // The server gives up a message when somebody asks for the next one.
      await mute.next({ expires: 1000 })
      const letters = await listDeadLetters(bus)
      expect(letters).toHaveLength(2)
      return letters
    }, soon)
    // Both are given up in the same instant, and the server tells of them in either order.
    expect(new Set([first?.aggregate, second?.aggregate])).toEqual(new Set(['thing:1', 'thing:2']))
    expect(first).toMatchObject({ errorClass: 'crashed', consumer: 'mute', deliveries: 1 })
    expect(await dropDeadLetter(bus, first?.id ?? '')).toBe(true)
    expect(await dropDeadLetter(bus, first?.id ?? '')).toBe(false)
    await jsm.streams.purge('TEST')
    expect(await listDeadLetters(bus)).toEqual([
      expect.objectContaining({ id: second?.id, payload: undefined }),
    ])
    expect(await replayDeadLetter(bus, second?.id ?? '')).toBe('original_lost')
  })

  test('is replayed to the consumer that failed and to no other', async () => {
    let broken = true
    const failing: number[] = []
    const other: number[] = []
    consume(testConsumer('failing', { backoffMs: [] }), async ({ data }) => {
      if (broken) throw new Error('broken')
      failing.push(data.n)
    })
    consume(testConsumer('other'), async ({ data }) => void other.push(data.n))
    await publish({ n: 1 })
    await publish({ n: 2 })
    await vi.waitFor(
      async () => expect(await listDeadLetters(bus, { consumer: 'failing' })).toHaveLength(2),
      soon,
    )
    broken = false
    expect(await replayDeadLetters(bus, { consumer: 'other' })).toEqual({ replayed: 0, lost: 0 })
    expect(await replayDeadLetters(bus, { consumer: 'failing' })).toEqual({ replayed: 2, lost: 0 })
    await vi.waitFor(() => expect(failing.toSorted((a, b) => a - b)).toEqual([1, 2]), soon)
    await vi.waitFor(async () => expect((await info('other')).num_pending).toBe(0), soon)
    await vi.waitFor(async () => expect((await info('other')).num_ack_pending).toBe(0), soon)
    expect(other.toSorted((a, b) => a - b)).toEqual([1, 2])
  })
})

function consume(
  contract: ReturnType<typeof testConsumer>,
  handler: EventHandler<Data>,
  options?: ConsumeOptions,
): void {
  const consumer = bus.consume(contract, handler, options)
  onTestFinished(() => consumer[Symbol.asyncDispose]())
}

function info(name: string) {
  return bus.core.connection.current().jsm.consumers.info('TEST', name)
}

async function publish(data: Data, { aggregate = `thing:${data.n}` } = {}): Promise<string> {
  const event = envelope(data, aggregate)
  const fields = outgoingHeaders({ 'Td-Event-Id': event.id, 'Td-Aggregate': aggregate })
  await bus.core.connection.current().js.publish(thingChanged.subject, JSON.stringify(event), {
    msgID: event.id,
    headers: fields,
    timeout: 2000,
  })
  return event.id
}

function envelope(data: unknown, aggregate = 'thing:1') {
  return {
    id: uuidV7(),
    type: thingChanged.name,
    source: 'payments',
    subject: aggregate,
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    dataschema: dataSchemaOf(thingChanged),
    data,
  }
}
