/** Thrown when a call found no place in time: the caller should say "busy", not wait longer. */
export class BulkheadFull extends Error {}

export type Bulkhead = {
  /** waits for a place, at most `waitMs`; dispose what it returns to give the place back */
  enter(signal: AbortSignal): Promise<Disposable>
  readonly running: number
  readonly waiting: number
}

export type BulkheadOptions = { concurrent: number; maxWaiting: number; waitMs: number }

/** At most `concurrent` calls at once and `maxWaiting` behind them, first come first served. */
export function createBulkhead({ concurrent, maxWaiting, waitMs }: BulkheadOptions): Bulkhead {
  let running = 0
  const queue = new Set<() => void>()

  const leave = () => {
    running -= 1
    const [next] = queue
    next?.()
  }
  const take = (): Disposable => {
    running += 1
    let held = true
    return {
      [Symbol.dispose]() {
        if (held) leave()
        held = false
      },
    }
  }

  return {
    get running() {
      return running
    },
    get waiting() {
      return queue.size
    },
    async enter(signal) {
      signal.throwIfAborted()
      if (running < concurrent) return take()
      if (queue.size >= maxWaiting) throw new BulkheadFull(`${maxWaiting} calls wait already`)
      const place = Promise.withResolvers<Disposable>()
      const onTurn = () => {
        queue.delete(onTurn)
        place.resolve(take())
      }
      const onAbort = () => place.reject(signal.reason)
      const timer = setTimeout(() => {
        place.reject(new BulkheadFull(`no place within ${waitMs} ms`))
      }, waitMs)
      signal.addEventListener('abort', onAbort, { once: true })
      queue.add(onTurn)
      try {
        return await place.promise
      } finally {
        clearTimeout(timer)
        queue.delete(onTurn)
        signal.removeEventListener('abort', onAbort)
      }
    },
  }
}
