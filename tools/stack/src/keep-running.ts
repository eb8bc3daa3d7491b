import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from './error-facts.ts'

const usualBackoff = {
  firstDelayMs: 250,
  longestDelayMs: 15_000,
  /** What ran this long counts as healthy: the next end begins anew. */
  steadyAfterMs: 30_000,
  mostInARow: 100,
}

/**
 * Starts something and starts it again whenever it ends, a little later each time; what ran
 * steadily for a while begins anew. The first start throws when it fails: then nothing runs.
 *
 *     const app = await keepRunning({ name: 'data-api', start, say: console.log })
 *     await app.stop()
 */
export async function keepRunning(options: {
  name: string
  start: (attempt: { first: boolean; signal: AbortSignal }) => Promise<Running>
  say: (text: string) => void
  signal: AbortSignal
  backoff?: typeof usualBackoff
}): Promise<{ stop: () => Promise<void> }> {
  const { name, start, say, backoff = usualBackoff } = options
  const stopping = new AbortController()
  let current: Running | undefined = await start({ first: true, signal: options.signal })
  const watching = watch(current)
  return {
    stop: async () => {
      stopping.abort()
      await current?.stop()
      await watching
    },
  }

  async function watch(first: Running): Promise<void> {
    let startedAt = Date.now()
    let how = await first.exited
    for (let inARow = 1; !stopping.signal.aborted; inARow += 1) {
      current = undefined
      if (Date.now() - startedAt > backoff.steadyAfterMs) inARow = 1
      if (inARow > backoff.mostInARow) {
        say(`${name} ended ${backoff.mostInARow} times in a row: not started again. See its log.`)
        return
      }
      const delayMs = Math.min(backoff.firstDelayMs * 2 ** (inARow - 1), backoff.longestDelayMs)
      say(`${name} ended (${how}): starting it again in ${delayMs / 1000} s.`)
      if (!(await pause(delayMs, stopping.signal))) return
      startedAt = Date.now()
      try {
        current = await start({ first: false, signal: stopping.signal })
        say(`${name} runs again.`)
        // A stop that came meanwhile found nothing to stop.
        if (stopping.signal.aborted) await current.stop()
        how = await current.exited
      } catch (error) {
        how = messageOf(error)
      }
    }
  }
}

export type Running = { exited: Promise<string>; stop: () => Promise<void> }

/** False when it was cut short. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal })
    return true
  } catch {
    return false // Only an abort ends a sleep early.
  }
}
