import { setTimeout as sleep } from 'node:timers/promises'
import type { HintContract } from '@twilight/contracts/events'
import type { RequestContract } from '@twilight/contracts/requests'
import {
  canaryStream,
  type ConsumerContract,
  type StreamContract,
  streams as allStreams,
} from '@twilight/contracts/streams'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import { type BusConnection, BusUnavailableError, keepConnected } from './nats-connection.ts'
import { type ConsumeOptions, startConsumer } from './nats-consume.ts'
import type { EventHandler } from './nats-decide.ts'
import { publishHint, subscribeHint } from './nats-hints.ts'
import { type BusMeter, createBusMeter } from './nats-metrics.ts'
import { answer, ask, type Reply } from './nats-request.ts'
import { type EnsuredStream, ensureStreams } from './nats-streams.ts'

/**
 * The bus of a process. It resolves within two seconds whether or not the server is there: a service
 * starts and serves without its bus, health says so, and everything below begins once it arrives.
 *
 *     await using bus = await connectBus({ url, service: 'provisioner', log, metrics })
 *     await using settled = bus.consume(consumers.provisionerPaymentSettled, async (event) => { … })
 */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const { url, service, log, streams = allStreams } = options
  const meter = createBusMeter(options.metrics)
  const connection = keepConnected({ url, service, log, onState: meter.connected })
  const core: BusCore = { service, log, meter, connection, streams }
  await waitBriefly(connection.first)
  return {
    core,
    closed: connection.closed,
    publish: (contract, data) => publishHint(core, contract, data),
    subscribe: (contract, handler) => subscribeHint(core, contract, handler),
    request: (contract, question, limits) => ask(core, contract, question, limits),
    respond: (contract, handler, limits) => answer(core, contract, handler, limits),
    consume: (contract, handler, limits) => startConsumer(core, contract, handler, limits),
    ensureStreams: async (limits) => {
      const { jsm } = connection.current()
      return await ensureStreams(jsm, log, { streams, ...limits })
    },
    check: () => checkBus(core),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  }
}

export type BusOptions = {
  /** `nats://user:password@host:port` */
  url: string
  /** the app's name: it prefixes reply subjects and shows in the server's list of connections */
  service: string
  log: Logger
  metrics?: Metrics
  /** default: the table in contracts */
  streams?: readonly StreamContract[]
}

export type Bus = AsyncDisposable & {
  /** for the outbox relay and the dead letters; apps do not need it */
  core: BusCore
  /** resolves if the connection ends for good although nobody asked: the process should end too */
  closed: Promise<Error>
  publish: <Data>(contract: HintContract<Data>, data: Data) => void
  subscribe: <Data>(
    contract: HintContract<Data>,
    handler: (data: Data) => Promise<void> | void,
  ) => AsyncDisposable
  request: <Question, Answer>(
    contract: RequestContract<Question, Answer>,
    question: Question,
    options?: { timeoutMs?: number },
  ) => Promise<Reply<Answer>>
  respond: <Question, Answer>(
    contract: RequestContract<Question, Answer>,
    handler: (question: Question, context: { signal: AbortSignal }) => Promise<Answer>,
    options?: { concurrency?: number },
  ) => AsyncDisposable
  consume: <Data>(
    contract: ConsumerContract<Data>,
    handler: EventHandler<Data>,
    options?: ConsumeOptions,
  ) => AsyncDisposable
  ensureStreams: (options?: { applyChanges?: boolean }) => Promise<EnsuredStream[]>
  check: () => Promise<{ server_version: string | undefined; server_id: string | undefined }>
}

export type BusCore = {
  service: string
  log: Logger
  meter: BusMeter
  connection: BusConnection
  streams: readonly StreamContract[]
}

/** Stores a message and sees it acknowledged: the server's own health page says ok with its disk full. */
async function checkBus({ connection, service, log, streams }: BusCore) {
  const { nc, js, jsm } = connection.current()
  const subject = `sys.canary.${service}`
  try {
    await js.publish(subject, '', { timeout: 2000, retries: 0 })
  } catch (error) {
    // Its stream is made on first use, and again after the server lost everything.
    if (!(error instanceof Error && error.name === 'JetStreamNotEnabled')) {
      throw new BusUnavailableError('The bus did not store a test message within 2 s.', {
        cause: error,
      })
    }
    await ensureStreams(jsm, log, {
      streams: [canaryStream, ...streams.filter((stream) => stream.name !== canaryStream.name)],
    })
    await js.publish(subject, '', { timeout: 2000 })
  }
  return { server_version: nc.info?.version, server_id: nc.info?.server_id }
}

async function waitBriefly(first: Promise<unknown>): Promise<void> {
  const timer = new AbortController()
  // Aborted as soon as the connection is there.
  await Promise.race([
    first,
    sleep(2000, undefined, { signal: timer.signal }).catch(() => undefined),
  ])
  timer.abort()
}
