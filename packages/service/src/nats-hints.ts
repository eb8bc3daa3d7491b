import type { Subscription } from '@nats-io/transport-node'
import type { HintContract } from '@twilight/contracts/events'
import type { BusCore } from './nats.ts'
import { incomingTrace, outgoingHeaders } from './nats-headers.ts'
import { runInTrace } from './trace.ts'

/** Plain publish: whoever listens now hears it. With the bus away it is dropped, which a hint may be. */
export function publishHint<Data>(core: BusCore, contract: HintContract<Data>, data: Data): void {
  const body = JSON.stringify(contract.schema.parse(data))
  try {
    core.connection.current().nc.publish(contract.subject, body, { headers: outgoingHeaders() })
    core.meter.count(contract.subject, 'hint', 'published')
  } catch (error) {
    core.meter.count(contract.subject, 'hint', 'dropped')
    core.log.warn({ err: error, subject: contract.subject }, 'hint dropped')
  }
}

/** Calls `handler` for each hint; one that fails or cannot be read is logged and gone. */
export function subscribeHint<Data>(
  core: BusCore,
  contract: HintContract<Data>,
  handler: (data: Data) => Promise<void> | void,
): AsyncDisposable {
  let subscription: Subscription | undefined
  let stopped = false
  const running = new Set<Promise<void>>()
  const finish = (work: Promise<void>) => void work.finally(() => running.delete(work))

  const handle = async (body: Uint8Array): Promise<void> => {
    const startedAt = performance.now()
    try {
      await handler(contract.schema.parse(JSON.parse(new TextDecoder().decode(body))))
      core.meter.count(contract.subject, 'hint', 'handled', startedAt)
    } catch (error) {
      core.meter.count(contract.subject, 'hint', 'failed', startedAt)
      core.log.warn({ err: error, subject: contract.subject }, 'hint not handled')
    }
  }

  core.connection.onceConnected(({ nc }) => {
    if (stopped) return
    subscription = nc.subscribe(contract.subject, {
      callback: (error, message) => {
        if (error)
          return core.log.error(
            { err: error, subject: contract.subject },
            'not allowed to hear this hint',
          )
        if (running.size >= maxRunning) return core.meter.count(contract.subject, 'hint', 'dropped')
        const work = runInTrace(incomingTrace(message.headers), () => handle(message.data))
        running.add(work)
        finish(work)
      },
    })
  })

  return {
    [Symbol.asyncDispose]: async () => {
      stopped = true
      subscription?.unsubscribe()
      await Promise.all(running)
    },
  }
}

const maxRunning = 256
