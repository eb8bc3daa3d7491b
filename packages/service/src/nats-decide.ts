import { setTimeout as sleep } from 'node:timers/promises'
import type { JsMsg } from '@nats-io/jetstream'
import { decodeEvent, type EventEnvelope } from '@twilight/contracts/envelope'
import type { ConsumerContract } from '@twilight/contracts/streams'
import { replayForHeader } from './dead-letters-record.ts'
import type { BusCore } from './nats.ts'
import { judge, type Verdict } from './nats-settle.ts'

/** Runs the handler for a message and says what the message comes to. Never throws. */
export function createDecider<Data>(
  options: DeciderOptions<Data>,
): (message: JsMsg) => Promise<Verdict> {
  const { core, contract, stopping } = options
  return async (message) => {
    const replayFor = message.headers?.get(replayForHeader)
    if (replayFor && replayFor !== contract.name) return { outcome: 'done' }
    for (let outages = 0; ; outages += 1) {
      const verdict = await attempt(options, message)
      if (verdict.outcome !== 'outage' || stopping.aborted || outages >= maxOutages) return verdict
      core.log.warn(
        { err: verdict.error, consumer: contract.name },
        'database away; the message waits',
      )
      const pauseMs = Math.min(5000, 100 * 2 ** Math.min(outages, 10)) * (0.5 + Math.random() / 2)
      // Stopping is how the pause ends early; one more try, then the message goes back to the server.
      await sleep(pauseMs, undefined, { signal: stopping }).catch(() => undefined)
    }
  }
}

export type EventHandler<Data> = (
  event: ReceivedEvent<Data>,
  context: { signal: AbortSignal },
) => Promise<void>

/** One event as its handler sees it. */
export type ReceivedEvent<Data> = EventEnvelope<Data> & {
  aggregate: string
  aggregateSeq: number | undefined
  /** 1 for the first delivery */
  deliveries: number
}

type DeciderOptions<Data> = {
  core: BusCore
  contract: ConsumerContract<Data>
  handler: EventHandler<Data>
  handlerTimeoutMs: number
  /** no new tries */
  stopping: AbortSignal
  /** no more patience with running ones */
  aborting: AbortSignal
}

/** At five seconds each that is a day: longer than that and the operator should look. */
const maxOutages = 17_280

async function attempt<Data>(options: DeciderOptions<Data>, message: JsMsg): Promise<Verdict> {
  const { contract, handler, handlerTimeoutMs, aborting } = options
  const deliveries = message.info.deliveryCount
  const limit = new AbortController()
  const signal = AbortSignal.any([limit.signal, aborting])
  const tooLong = new Error(`handler took longer than ${handlerTimeoutMs} ms`)
  const timer = setTimeout(() => limit.abort(tooLong), handlerTimeoutMs)
  try {
    const event = readEvent(contract, message, deliveries)
    // A handler deaf to its signal is not waited for; the inbox keeps it from acting twice.
    await Promise.race([handler(event, { signal }), rejectOnAbort(signal)])
    return { outcome: 'done' }
  } catch (error) {
    // Cut short by our own stop: not the message's fault.
    return aborting.aborted ? { outcome: 'outage', error } : judge(error, contract, deliveries)
  } finally {
    clearTimeout(timer)
  }
}

function readEvent<Data>(
  contract: ConsumerContract<Data>,
  message: JsMsg,
  deliveries: number,
): ReceivedEvent<Data> {
  const event = decodeEvent(contract.event, message.data)
  const aggregateSeq = Number(message.headers?.get('Td-Aggregate-Seq') || Number.NaN)
  return {
    ...event,
    aggregate: event.subject,
    aggregateSeq: Number.isSafeInteger(aggregateSeq) ? aggregateSeq : undefined,
    deliveries,
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    if (signal.aborted) fail()
    else signal.addEventListener('abort', fail, { once: true })
  })
}
