import type { JsMsg } from '@nats-io/jetstream'
import type { ConsumerContract } from '@twilight/contracts/streams'
import type { BusCore } from './nats.ts'
import { incomingTrace } from './nats-headers.ts'
import { createDecider, type EventHandler } from './nats-decide.ts'
import { createLanes, type Job } from './nats-lanes.ts'
import { pullMessages } from './nats-pull.ts'
import { settle, type Verdict } from './nats-settle.ts'
import { runInTrace } from './trace.ts'

/**
 * Handles the messages of a durable consumer until disposed. Messages of one aggregate run one after
 * another, others beside them; a failed one is tried again after its backoff and ends as a dead letter.
 *
 *     await using consumer = startConsumer(core, consumers.provisionerPaymentSettled, async (event, { signal }) => { … })
 *
 * A handler may see an event twice (use the inbox) and must obey its signal.
 */
export function startConsumer<Data>(
  core: BusCore,
  contract: ConsumerContract<Data>,
  handler: EventHandler<Data>,
  options: ConsumeOptions = {},
): AsyncDisposable {
  const {
    concurrency = 16,
    maxHeld = 64,
    handlerTimeoutMs = contract.ackWaitMs * 2,
    stopDeadlineMs = 10_000,
  } = options
  const lanes = createLanes<JsMsg>()
  const running = new Set<Promise<void>>()
  const stopping = new AbortController()
  const aborting = new AbortController()
  let roomMade = Promise.withResolvers<void>()
  // A message that comes back although nobody here sent it away may have killed the process that had it.
  // For a while then, and after a start with such messages about, only one is taken at a time: a crash
  // uses up a delivery of everything it takes along.
  const carefulMs = contract.ackWaitMs * 1.5
  let carefulUntil: number | undefined

  const decide = createDecider({
    core,
    contract,
    handler,
    handlerTimeoutMs,
    stopping: stopping.signal,
    aborting: aborting.signal,
  })

  const freeRoom = () => (Date.now() < (carefulUntil ?? 0) ? 1 : maxHeld) - lanes.held()

  const start = (job: Job<JsMsg>) => {
    const work = runInTrace(incomingTrace(job.item.headers), () => handleJob(job))
    running.add(work)
    void work.finally(() => {
      running.delete(work)
      roomMade.resolve()
      roomMade = Promise.withResolvers<void>()
      startReady()
    })
  }

  const startReady = () => {
    core.meter.held(contract.name, lanes.held())
    while (!stopping.signal.aborted && running.size < concurrency) {
      const job = lanes.next()
      if (!job) return
      start(job)
    }
  }

  const handleJob = async (job: Job<JsMsg>): Promise<void> => {
    const startedAt = performance.now()
    const message = job.item
    const verdict = await decide(message)
    let settleError: unknown
    try {
      await settle(core, contract, message, verdict)
    } catch (error) {
      // Nothing is lost: the server delivers it again.
      settleError = error
    }
    if (verdict.outcome === 'again')
      lanes.sendAway(job, Date.now() + verdict.delayMs + contract.ackWaitMs + 5000)
    else lanes.settle(job)
    core.meter.count(contract.filterSubject, 'event', verdict.outcome, startedAt)
    report(message, verdict, settleError, performance.now() - startedAt)
  }

  const report = (message: JsMsg, verdict: Verdict, settleError: unknown, durationMs: number) => {
    const level =
      verdict.outcome === 'done' ? 'info' : verdict.outcome === 'dead' ? 'error' : 'warn'
    core.log[level](
      {
        consumer: contract.name,
        subject: message.subject,
        event_id: message.headers?.get('Td-Event-Id'),
        aggregate: message.headers?.get('Td-Aggregate'),
        stream_seq: message.seq,
        deliveries: message.info.deliveryCount,
        outcome: verdict.outcome,
        dur_ms: durationMs,
        ...('error' in verdict && { err: verdict.error }),
        ...(settleError !== undefined && { settle_err: settleError }),
      },
      'message',
    )
  }

  const tell = (send: () => void) => {
    try {
      send()
    } catch (error) {
      // The connection is closed for good: the server notices by itself after the ack wait.
      core.log.debug({ err: error, consumer: contract.name }, 'not told')
    }
  }

  const pulling = pullMessages(core, contract, {
    signal: stopping.signal,
    room: async () => {
      while (freeRoom() <= 0 && !stopping.signal.aborted) await roomMade.promise
      return Math.max(1, freeRoom())
    },
    onFound: ({ num_ack_pending }) => {
      carefulUntil ??= num_ack_pending > 0 ? Date.now() + carefulMs : 0
    },
    onMessage: (message) => {
      const lane = message.headers?.get('Td-Aggregate') || `#${message.seq}`
      const known = lanes.add({ lane, seq: message.seq, item: message })
      if (message.redelivered && !known) carefulUntil = Date.now() + carefulMs
      startReady()
    },
  })

  const heartbeat = setInterval(
    () => {
      for (const message of lanes.items()) tell(() => message.working())
      const lost = lanes.giveUpOverdue(Date.now())
      if (lost > 0)
        core.log.warn(
          { consumer: contract.name, lost },
          'messages did not come back; their successors go on',
        )
      startReady()
    },
    Math.max(50, contract.ackWaitMs / 3),
  )

  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      roomMade.resolve()
      await pulling
      for (const message of lanes.removeWaiting()) tell(() => message.nak())
      const deadline = setTimeout(
        () => aborting.abort(new Error('the process is stopping')),
        stopDeadlineMs,
      )
      await Promise.all(running)
      clearTimeout(deadline)
      clearInterval(heartbeat)
    },
  }
}

export type ConsumeOptions = {
  /** handlers at work at once; default 16 */
  concurrency?: number
  /** messages taken and not yet settled; default 64 */
  maxHeld?: number
  /** default twice the ack wait */
  handlerTimeoutMs?: number
  /** how long a stop waits for running handlers before it aborts them; default 10 s */
  stopDeadlineMs?: number
}
