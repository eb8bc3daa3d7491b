import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumer, ConsumerInfo, JsMsg } from '@nats-io/jetstream'
import { type ConsumerContract, deadLetterStream } from '@twilight/contracts/streams'
import type { BusCore } from './nats.ts'
import { ensureConsumer, ensureStreams } from './nats-streams.ts'

/**
 * Pulls messages until aborted, never more than there is room for. Whatever happens to the server, the
 * stream or the consumer, it looks again, makes what is missing and goes on.
 */
export async function pullMessages(
  core: BusCore,
  contract: ConsumerContract,
  options: PullOptions,
): Promise<void> {
  const { signal, room, onMessage } = options
  let consumer: Consumer | undefined
  for (let failures = 0; !signal.aborted;) {
    try {
      consumer ??= await findConsumer(core, contract, options.onFound)
      const free = await room()
      if (signal.aborted) return
      await pullBatch(consumer, free, signal, onMessage)
      failures = 0
    } catch (error) {
      consumer = undefined
      failures += 1
      core.log.warn(
        { err: error, consumer: contract.name, failures },
        'pulling failed; looking again',
      )
      // Aborting is how the pause ends early.
      await sleep(
        Math.min(5000, 100 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2),
        undefined,
        {
          signal,
        },
      ).catch(() => undefined)
    }
  }
}

export type PullOptions = {
  signal: AbortSignal
  /** resolves with how many messages may come; waits while there is no room */
  room: () => Promise<number>
  onMessage: (message: JsMsg) => void
  /** told the state of the consumer each time it is looked up */
  onFound: (info: ConsumerInfo) => void
}

async function findConsumer(
  core: BusCore,
  contract: ConsumerContract,
  onFound: PullOptions['onFound'],
): Promise<Consumer> {
  const { js, jsm } = core.connection.current()
  // Also where its failures go: a message is only given up once the dead letters have it.
  await ensureStreams(jsm, core.log, {
    streams: [
      ...core.streams.filter((stream) => stream.name === contract.stream),
      deadLetterStream,
    ],
  })
  const info = await ensureConsumer(jsm, core.log, contract)
  onFound(info)
  return js.consumers.getConsumerFromInfo(info)
}

async function pullBatch(
  consumer: Consumer,
  free: number,
  signal: AbortSignal,
  onMessage: (message: JsMsg) => void,
) {
  // Half of it is the heartbeat: a dead server is noticed after two of them.
  const batch = await consumer.fetch({ max_messages: free, expires: 5000 })
  // close() also takes back the request; the server would deliver into the void otherwise.
  const stop = () => void batch.close()
  signal.addEventListener('abort', stop, { once: true })
  try {
    for await (const message of batch) onMessage(message)
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
