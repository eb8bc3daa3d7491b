/**
 * Keeps the messages of one aggregate in order while other aggregates go on: in each lane only the
 * lowest sequence may run, and its successors wait while it runs or is away for another try.
 *
 *     lanes.add({ lane: 'payment:1', seq: 7, item })
 *     const job = lanes.next()
 *     lanes.settle(job)
 */
export function createLanes<T>() {
  const lanes = new Map<string, Lane<T>>()
  const ready = new Set<string>()
  let held = 0

  function refresh(key: string, lane: Lane<T>): void {
    if (lane.entries.size === 0) lanes.delete(key)
    const head = headOf(lane)
    if (lane.running === undefined && head?.item !== undefined) ready.add(key)
    else ready.delete(key)
  }

  function start(key: string): Job<T> | undefined {
    const lane = lanes.get(key)
    const head = lane && headOf(lane)
    if (!lane || head?.item === undefined) return undefined
    lane.running = head.seq
    ready.delete(key)
    return { lane: key, seq: head.seq, item: head.item }
  }

  function leave({ lane: key, seq }: Job<T>, awayUntil?: number): void {
    const lane = lanes.get(key)
    if (!lane || lane.running !== seq) return
    lane.running = undefined
    held -= 1
    if (awayUntil === undefined) lane.entries.delete(seq)
    else lane.entries.set(seq, { seq, item: undefined, awayUntil })
    refresh(key, lane)
  }

  return {
    /** How many messages are here, running or waiting. */
    held: () => held,

    /** Takes a message in; answers whether it was known here, running, waiting or sent away. */
    add({ lane: key, seq, item }: Job<T>): boolean {
      const lane = lanes.get(key) ?? { entries: new Map<number, Entry<T>>(), running: undefined }
      // Its first copy is at work already and will settle both.
      if (lane.running === seq) return true
      const known = lane.entries.get(seq)
      if (known?.item === undefined) held += 1
      lane.entries.set(seq, { seq, item, awayUntil: 0 })
      lanes.set(key, lane)
      refresh(key, lane)
      return known !== undefined
    },

    /** The next message that may run. */
    next(): Job<T> | undefined {
      const [key] = ready
      return key === undefined ? undefined : start(key)
    },

    settle: (job: Job<T>) => leave(job),

    /** The message was handed back to the server and is expected again before `untilMs`. */
    sendAway: (job: Job<T>, untilMs: number) => leave(job, untilMs),

    /** Stops waiting for what should have come back; returns how many were given up. */
    giveUpOverdue(nowMs: number): number {
      let count = 0
      for (const [key, lane] of lanes) {
        for (const entry of lane.entries.values()) {
          if (entry.item !== undefined || entry.awayUntil > nowMs) continue
          lane.entries.delete(entry.seq)
          count += 1
        }
        refresh(key, lane)
      }
      return count
    },

    *items(): Generator<T> {
      for (const lane of lanes.values())
        for (const { item } of lane.entries.values()) if (item !== undefined) yield item
    },

    /** Removes and returns everything that waits and has not begun. */
    removeWaiting(): T[] {
      const waiting: T[] = []
      for (const [key, lane] of lanes) {
        for (const entry of lane.entries.values()) {
          if (entry.seq === lane.running) continue
          if (entry.item !== undefined) waiting.push(entry.item)
          lane.entries.delete(entry.seq)
        }
        refresh(key, lane)
      }
      held -= waiting.length
      return waiting
    },
  }
}

export type Job<T> = { lane: string; seq: number; item: T }

type Entry<T> = { seq: number; item: T | undefined; awayUntil: number }
type Lane<T> = { entries: Map<number, Entry<T>>; running: number | undefined }

function headOf<T>(lane: Lane<T>): Entry<T> | undefined {
  let head: Entry<T> | undefined
  for (const entry of lane.entries.values()) if (!head || entry.seq < head.seq) head = entry
  return head
}
