import { setTimeout as sleep } from 'node:timers/promises'
import { deadLetterStream, defineStream } from '@twilight/contracts/streams'
import { type DestinationStream, pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Bus, connectBus } from './nats.ts'
import { testStreams, thingPoked } from './test-contracts.ts'
import { startTestNats, type TestNats } from './test-nats.ts'
import { currentTrace, runInTrace, startTrace } from './trace.ts'

const log = pino({ level: 'silent' })
const soon = { timeout: 15_000, interval: 50 }
let nats: TestNats

beforeAll(async () => {
  nats = await startTestNats()
})
afterAll(() => nats[Symbol.asyncDispose]())

function connect(
  options: { log?: pino.Logger; metrics?: { registry: Registry } } = {},
): Promise<Bus> {
  return connectBus({ url: nats.url, service: 'tester', log, streams: testStreams, ...options })
}

describe('streams', () => {
  test('are made once; making them again changes nothing', async () => {
    await using bus = await connect()
    await bus.ensureStreams()
    const before = await bus.core.connection.current().jsm.streams.list().next()
    expect(await bus.ensureStreams()).toEqual(
      testStreams.map(({ name }) => ({ name, state: 'same', differences: [] })),
    )
    const after = await bus.core.connection.current().jsm.streams.list().next()
    expect(after.map(({ config, created }) => ({ config, created }))).toEqual(
      before.map(({ config, created }) => ({ config, created })),
    )
  })

  test('with other settings are reported, and changed only when told to', async () => {
    const smaller = testStreams.map((stream) =>
      stream.name === deadLetterStream.name
        ? defineStream({ ...stream, maxBytes: 1_048_576 })
        : stream,
    )
    await using bus = await connectBus({ url: nats.url, service: 'tester', log, streams: smaller })
    const liveBytes = async () =>
      (await bus.core.connection.current().jsm.streams.info(deadLetterStream.name)).config.max_bytes
    const before = await liveBytes()
    expect(await bus.ensureStreams()).toContainEqual({
      name: deadLetterStream.name,
      state: 'differs',
      differences: [{ setting: 'max_bytes', wanted: 1_048_576, live: before }],
    })
    expect(await liveBytes()).toBe(before)
    await bus.ensureStreams({ applyChanges: true })
    expect(await liveBytes()).toBe(1_048_576)
  })
})

describe('hints', () => {
  test('reach who listens, in the same trace; unreadable ones trouble nobody', async () => {
    const registry = new Registry()
    await using bus = await connect({ metrics: { registry } })
    const heard: { n: number; traceId: string | undefined }[] = []
    await using resources = new AsyncDisposableStack()
    resources.use(
      bus.subscribe(
        thingPoked,
        ({ n }) => void heard.push({ n, traceId: currentTrace()?.traceId }),
      ),
    )
    await bus.core.connection.current().nc.flush()
    bus.core.connection.current().nc.publish(thingPoked.subject, 'not json')
    const trace = startTrace()
    runInTrace(trace, () => bus.publish(thingPoked, { n: 7 }))
    await vi.waitFor(() => expect(heard).toEqual([{ n: 7, traceId: trace.traceId }]), soon)
    expect(await registry.metrics()).toContain(
      'subject="test.thing.poked",kind="hint",outcome="failed"} 1',
    )
  })

  test('that do not fit their contract are not sent', async () => {
    await using bus = await connect()
    expect(() => bus.publish(thingPoked, { n: 0.5 })).toThrow(/expected int/)
  })
})

describe('a server that goes away', () => {
  let lines: { status?: string }[] = []
  const destination: DestinationStream = { write: (line) => void lines.push(JSON.parse(line)) }
  beforeEach(() => {
    lines = []
  })

  test('is waited for at start: the bus is there at once, red, and turns green by itself', async () => {
    await nats.stop()
    await using bus = await connect()
    await expect(bus.check()).rejects.toThrow('The bus is not connected; try again.')
    expect(() => bus.publish(thingPoked, { n: 1 })).not.toThrow()
    const heard: number[] = []
    await using resources = new AsyncDisposableStack()
    resources.use(bus.subscribe(thingPoked, ({ n }) => void heard.push(n)))
    await nats.start()
    await vi.waitFor(() => bus.check(), soon)
    bus.publish(thingPoked, { n: 2 })
    await vi.waitFor(() => expect(heard).toEqual([2]), soon)
  })

  test('is found again after more than ten attempts, and everything flows on', async () => {
    const registry = new Registry()
    await using bus = await connect({
      log: pino({ level: 'debug' }, destination),
      metrics: { registry },
    })
    const heard: number[] = []
    await using resources = new AsyncDisposableStack()
    resources.use(bus.subscribe(thingPoked, ({ n }) => void heard.push(n)))
    await nats.kill()
    await vi.waitFor(
      () =>
        expect(lines.filter((line) => line.status === 'reconnecting').length).toBeGreaterThan(11),
      {
        timeout: 18_000,
        interval: 50,
      },
    )
    await expect(bus.check()).rejects.toThrow('did not store a test message')
    expect(await registry.metrics()).toContain('twilight_bus_connected 0')
    await nats.start()
    await vi.waitFor(() => bus.check(), soon)
    expect(await registry.metrics()).toContain('twilight_bus_connected 1')
    bus.publish(thingPoked, { n: 3 })
    await vi.waitFor(() => expect(heard).toEqual([3]), soon)
  }, 40_000)

  test('or is frozen makes the check red within three seconds and green once it goes on', async () => {
    await using bus = await connect()
    await bus.check()
    nats.freeze()
    const started = Date.now()
    await expect(bus.check()).rejects.toThrow('did not store a test message')
    expect(Date.now() - started).toBeLessThan(3000)
    nats.thaw()
    await vi.waitFor(() => bus.check(), soon)
  })

  test('and loses everything gets its canary stream again', async () => {
    await using bus = await connect()
    await bus.check()
    await nats.wipe()
    await expect(vi.waitFor(() => bus.check(), soon)).resolves.toBeDefined()
  })

  test('is not the end; a connection that closes for good says so', async () => {
    await using bus = await connect()
    await bus.core.connection.current().nc.close()
    expect(await bus.closed).toBeInstanceOf(Error)
    await expect(bus.check()).rejects.toThrow('not connected')
  })

  test('does not keep a process from stopping', async () => {
    const bus = await connect()
    await nats.kill()
    await sleep(50)
    const started = Date.now()
    await bus[Symbol.asyncDispose]()
    expect(Date.now() - started).toBeLessThan(3000)
    await nats.start()
  })
})
