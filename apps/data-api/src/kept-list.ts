import { setTimeout as sleep } from 'node:timers/promises'
import { Problem } from '@twilight/service/errors'
import type { Logger } from '@twilight/service/log'

/**
 * A list that is loaded once at the start, in the background, and again from time to time. Until it is
 * there a request waits a little; a refresh that fails leaves the old one in place.
 *
 *     using calendar = keepList({ name: 'trading days', load, log })
 *     await calendar.get() // or a Problem: 503 when it could not be loaded yet
 */
export function keepList<T>({ name, load, log, ...times }: KeptListOptions<T>): KeptList<T> {
  const { refreshEveryMs = 12 * 3_600_000, retryEveryMs = 10_000, waitMs = 3000 } = times
  const stopping = new AbortController()
  const first = Promise.withResolvers<void>()
  let current: T | undefined
  let loadedAt: Date | undefined

  async function refresh(): Promise<void> {
    while (!stopping.signal.aborted) {
      let pauseMs = refreshEveryMs
      try {
        current = await load()
        loadedAt = new Date()
      } catch (error) {
        pauseMs = retryEveryMs
        if (!stopping.signal.aborted) {
          log.warn({ err: error, list: name }, 'list not loaded; again in a moment')
        }
      }
      // Who waits learns of the first failure at once.
      first.resolve()
      // Aborting is how the pause ends early.
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }

  void refresh()
  return {
    current: () => current,
    loadedAt: () => loadedAt,
    async get() {
      if (current === undefined) await briefly(first.promise, waitMs)
      if (current !== undefined) return current
      throw new Problem('source_unavailable', {
        detail: `The ${name} could not be fetched yet. Try again in a moment.`,
        detailZh: '基础数据尚未加载完成，请稍后再试。',
        retryAfterSeconds: 5,
      })
    },
    // A load that is on its way ends with the look-up it asks.
    [Symbol.dispose]: () => stopping.abort(),
  }
}

export type KeptListOptions<T> = {
  name: string
  load: () => Promise<T>
  log: Logger
  /** default 12 hours */
  refreshEveryMs?: number
  /** after a failure; default 10 000 */
  retryEveryMs?: number
  /** how long a request waits for the first load; default 3000 */
  waitMs?: number
}

export type KeptList<T> = Disposable & {
  /** what is here now, without waiting */
  current: () => T | undefined
  loadedAt: () => Date | undefined
  get: () => Promise<T>
}

async function briefly(promise: Promise<void>, limitMs: number): Promise<void> {
  const timer = new AbortController()
  const late = sleep(limitMs, undefined, { signal: timer.signal })
  try {
    await Promise.race([promise, late])
  } finally {
    timer.abort()
    // Aborted on purpose.
    late.catch(() => undefined)
  }
}
