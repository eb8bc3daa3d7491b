import { Problem } from '@twilight/service/errors'

export type UpstreamQueue = {
  /** a place, first come first served; dispose it to give it back. Rejects when the signal aborts. */
  enter(signal: AbortSignal): Promise<Disposable>
  readonly running: number
  readonly waiting: number
}

/**
 * At most `concurrent` at once and `maxWaiting` behind them; beyond that a Problem says when to come back.
 */
export function createUpstreamQueue({
  concurrent,
  maxWaiting,
}: {
  concurrent: number
  maxWaiting: number
}): UpstreamQueue {
  let running = 0
  const waiting = new Set<() => void>()

  const take = (): Disposable => {
    running += 1
    let held = true
    return {
      [Symbol.dispose]() {
        if (!held) return
        held = false
        running -= 1
        const [next] = waiting
        next?.()
      },
    }
  }

  return {
    get running() {
      return running
    },
    get waiting() {
      return waiting.size
    },
    async enter(signal) {
      signal.throwIfAborted()
      if (running < concurrent) return take()
      if (waiting.size >= maxWaiting) {
        throw new Problem('overloaded', {
          detail: 'Too many questions wait for the data source.',
          detailZh: '等待数据源的请求过多，请稍后再试。',
          retryAfterSeconds: 2,
        })
      }
      const place = Promise.withResolvers<Disposable>()
      const onTurn = () => {
        waiting.delete(onTurn)
        place.resolve(take())
      }
      const onAbort = () => {
        waiting.delete(onTurn)
        place.reject(signal.reason)
      }
      waiting.add(onTurn)
      signal.addEventListener('abort', onAbort, { once: true })
      try {
        return await place.promise
      } finally {
        signal.removeEventListener('abort', onAbort)
      }
    },
  }
}
