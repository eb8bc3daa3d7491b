import { setTimeout as sleep } from 'node:timers/promises'
import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerInfo,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  ReplayPolicy,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream'
import type { ConsumerContract, StreamContract } from '@twilight/contracts/streams'
import { nanos } from '@nats-io/transport-node'
import type { Logger } from './log.ts'

/**
 * Creates the streams that are missing. One that exists with other settings is reported and left alone,
 * unless `applyChanges` says that this is the moment to change it.
 */
export async function ensureStreams(
  jsm: JetStreamManager,
  log: Logger,
  options: EnsureStreamsOptions,
): Promise<EnsuredStream[]> {
  const results: EnsuredStream[] = []
  for (const stream of options.streams) {
    const result = await ensureStream(jsm, streamConfig(stream), options.applyChanges ?? false)
    results.push(result)
    if (result.state === 'created') log.info({ stream: result.name }, 'stream created')
    else if (result.state === 'changed') log.info(result, 'stream changed')
    else if (result.state === 'differs')
      log.warn(result, 'stream differs from its contract; change it on purpose')
  }
  return results
}

export type EnsureStreamsOptions = { streams: readonly StreamContract[]; applyChanges?: boolean }

export type EnsuredStream = {
  name: string
  state: 'created' | 'same' | 'differs' | 'changed'
  differences: Difference[]
}

/** One setting of a live stream or consumer that is not what its contract says. */
export type Difference = { setting: string; wanted: unknown; live: unknown }

/** The durable consumer behind a contract: created when missing, reported when it differs. */
export async function ensureConsumer(
  jsm: JetStreamManager,
  log: Logger,
  contract: ConsumerContract,
): Promise<ConsumerInfo> {
  const wanted = consumerConfig(contract)
  try {
    const info = await jsm.consumers.info(contract.stream, contract.name)
    const differences = compare(wanted, info.config)
    // Adding it again would silently change the live one on old servers.
    if (differences.length > 0)
      log.warn({ consumer: contract.name, differences }, 'consumer differs from its contract')
    return info
  } catch (error) {
    if (!isMissing(error, JetStreamApiCodes.ConsumerNotFound)) throw error
    log.info({ consumer: contract.name, stream: contract.stream }, 'consumer created')
    return await jsm.consumers.add(contract.stream, wanted)
  }
}

/** Only settings that servers from 2.9 on understand alike. */
export function streamConfig(stream: StreamContract) {
  return {
    name: stream.name,
    subjects: [...stream.subjects],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    num_replicas: 1,
    max_age: nanos(stream.maxAgeMs),
    max_bytes: stream.maxBytes,
    max_msg_size: stream.maxMessageBytes,
    max_msgs_per_subject: stream.maxPerSubject ?? -1,
    duplicate_window: nanos(stream.duplicateWindowMs),
  } satisfies Partial<StreamConfig>
}

/** No server-side backoff: it would replace the ack wait, and a `nak` names its own delay. */
export function consumerConfig(consumer: ConsumerContract) {
  return {
    durable_name: consumer.name,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    replay_policy: ReplayPolicy.Instant,
    filter_subject: consumer.filterSubject,
    ack_wait: nanos(consumer.ackWaitMs),
    max_deliver: consumer.maxDeliver,
    max_ack_pending: 1000,
  } satisfies Partial<ConsumerConfig>
}

async function ensureStream(
  jsm: JetStreamManager,
  wanted: ReturnType<typeof streamConfig>,
  applyChanges: boolean,
): Promise<EnsuredStream> {
  const { name } = wanted
  for (let attempt = 1; ; attempt += 1) {
    try {
      const differences = compare(wanted, (await jsm.streams.info(name)).config)
      if (differences.length === 0) return { name, state: 'same', differences }
      if (!applyChanges) return { name, state: 'differs', differences }
      await jsm.streams.update(name, wanted)
      return { name, state: 'changed', differences }
    } catch (error) {
      if (!isMissing(error, JetStreamApiCodes.StreamNotFound)) throw error
    }
    try {
      await jsm.streams.add(wanted)
      return { name, state: 'created', differences: [] }
    } catch (error) {
      // Another process may be creating it at this moment: look again, twice.
      if (attempt === 3) throw error
      await sleep(100 * attempt)
    }
  }
}

function compare(wanted: object, live: object): Difference[] {
  const found = new Map<string, unknown>(Object.entries(live))
  return Object.entries(wanted).flatMap(([setting, value]) =>
    JSON.stringify(value) === JSON.stringify(found.get(setting))
      ? []
      : [{ setting, wanted: value, live: found.get(setting) }],
  )
}

function isMissing(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code
}
