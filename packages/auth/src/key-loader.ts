import { Problem } from '@twilight/service/errors'
import type { KeyRecord } from './key-record.ts'

/**
 * Looks keys up in batches, one statement at a time: a flood of guesses becomes longer batches, not more
 * statements, and equal keys asked for at once are one look-up.
 *
 *     const loader = createKeyLoader((hashes) => loadKeyRecords(db, hashes))
 *     const record = await loader.load(hex)
 */
export function createKeyLoader(read: ReadKeys): KeyLoader {
  const waiting = new Map<string, Waiter>()
  const reading = new Map<string, Waiter>()
  let running = false

  async function run(): Promise<void> {
    running = true
    try {
      // Bounded by the queue, which is bounded at the door.
      while (waiting.size > 0) await readBatch()
    } finally {
      running = false
    }
  }

  async function readBatch(): Promise<void> {
    for (const [hex, waiter] of waiting) {
      if (reading.size === maxBatch) break
      reading.set(hex, waiter)
      waiting.delete(hex)
    }
    try {
      const records = await read([...reading.keys()].map((hex) => Buffer.from(hex, 'hex')))
      for (const [hex, waiter] of reading) waiter.resolve(records.get(hex))
    } catch (error) {
      for (const waiter of reading.values()) waiter.reject(error)
    } finally {
      reading.clear()
    }
  }

  return {
    load(hex) {
      const known = reading.get(hex) ?? waiting.get(hex)
      if (known) return known.promise
      if (waiting.size >= maxWaiting) {
        throw new Problem('service_unavailable', {
          detail: 'Too many keys are being checked at once. Try again.',
          retryAfterSeconds: 1,
        })
      }
      const waiter = Promise.withResolvers<KeyRecord | undefined>()
      waiting.set(hex, waiter)
      if (!running) void run()
      return waiter.promise
    },
  }
}

export type KeyLoader = {
  /** by the hash in hex; undefined: nobody's key */
  load: (hex: string) => Promise<KeyRecord | undefined>
}

type ReadKeys = (hashes: readonly Buffer[]) => Promise<Map<string, KeyRecord>>
type Waiter = PromiseWithResolvers<KeyRecord | undefined>

const maxBatch = 200
const maxWaiting = 2000
