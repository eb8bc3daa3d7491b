import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLanes, type Job } from './nats-lanes.ts'

test('whatever arrives, is sent away and comes back: each lane runs in order, one at a time, and everything runs', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ lane: fc.constantFrom('a', 'b', 'c'), failures: fc.nat(2) }), {
        maxLength: 40,
      }),
      fc.infiniteStream(fc.nat()),
      (messages, randomness) => {
        const lanes = createLanes<number>()
        const random = (below: number) => (randomness.next().value ?? 0) % below
        const failuresLeft = new Map(messages.map(({ failures }, seq) => [seq, failures]))
        const done = new Map<string, number[]>()
        const running: Job<number>[] = []
        const away: Job<number>[] = []
        let next = 0
        let overlaps = false
        for (let step = 0; step < 2000; step += 1) {
          const choice = random(4)
          if (choice === 0 && next < messages.length) {
            lanes.add({
              lane: messages[next]?.lane ?? '',
              seq: next,
              item: next,
            })
            next += 1
          } else if (choice === 1 && away.length > 0) {
            const [back] = away.splice(random(away.length), 1)
            if (back) lanes.add(back)
          } else if (choice === 2 && running.length > 0) {
            const [job] = running.splice(random(running.length), 1)
            if (!job) continue
            const left = failuresLeft.get(job.seq) ?? 0
            failuresLeft.set(job.seq, left - 1)
            if (left > 0) {
              lanes.sendAway(job, Number.POSITIVE_INFINITY)
              away.push(job)
            } else {
              lanes.settle(job)
              done.set(job.lane, [...(done.get(job.lane) ?? []), job.seq])
            }
          } else {
            const job = lanes.next()
            if (!job) continue
            overlaps ||= running.some(({ lane }) => lane === job.lane)
            running.push(job)
          }
        }
        expect(overlaps).toBe(false)
        expect([...done.values()].flat()).toHaveLength(messages.length)
        for (const seqs of done.values()) expect(seqs).toEqual(seqs.toSorted((a, b) => a - b))
        expect(lanes.held()).toBe(0)
      },
    ),
  )
})

test('what does not come back in time is given up, and its successors go on', () => {
  const lanes = createLanes<string>()
  lanes.add({ lane: 'a', seq: 1, item: 'first' })
  lanes.add({ lane: 'a', seq: 2, item: 'second' })
  const first = lanes.next()
  expect(first?.item).toBe('first')
  if (first) lanes.sendAway(first, 1000)
  expect(lanes.next()).toBeUndefined()
  expect(lanes.giveUpOverdue(999)).toBe(0)
  expect(lanes.giveUpOverdue(1000)).toBe(1)
  expect(lanes.next()?.item).toBe('second')
})

test('a second copy of what is running is ignored, one of what waits replaces it', () => {
  const lanes = createLanes<string>()
  lanes.add({ lane: 'a', seq: 1, item: 'running' })
  lanes.next()
  expect(lanes.add({ lane: 'a', seq: 1, item: 'copy' })).toBe(true)
  expect(lanes.add({ lane: 'a', seq: 2, item: 'waiting' })).toBe(false)
  expect(lanes.add({ lane: 'a', seq: 2, item: 'newer copy' })).toBe(true)
  expect([...lanes.items()]).toEqual(['running', 'newer copy'])
  expect(lanes.removeWaiting()).toEqual(['newer copy'])
  expect(lanes.held()).toBe(1)
})
