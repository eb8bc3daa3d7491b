import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createMemoryCache, type Held } from './memory-cache.ts'

const held = (size: number): Held => ({
  rows: [],
  fetchedAt: new Date(0),
  rawSha256: '',
  freshUntilMs: Infinity,
  size,
})

test('what was read last stays, what was not goes first', () => {
  const memory = createMemoryCache({ maxEntries: 2, maxBytes: 1e6 })
  memory.set('a', held(1))
  memory.set('b', held(1))
  memory.get('a')
  memory.set('c', held(1))
  expect(['a', 'b', 'c'].filter((id) => memory.get(id))).toEqual(['a', 'c'])
})

test('one answer never takes a quarter of the memory, and its older version does not stay either', () => {
  const memory = createMemoryCache({ maxEntries: 10, maxBytes: 100_000 })
  memory.set('list', held(10))
  memory.set('list', held(20_000))
  expect(memory.get('list')).toBeUndefined()
  expect(memory.size()).toEqual({ entries: 0, bytes: 0 })
})

test('whatever is set in whatever order, both bounds hold and the sum is right', () => {
  const set = fc.record({ id: fc.nat({ max: 30 }).map(String), size: fc.nat({ max: 5000 }) })
  fc.assert(
    fc.property(fc.array(set, { maxLength: 200 }), (sets) => {
      const memory = createMemoryCache({ maxEntries: 20, maxBytes: 50_000 })
      for (const { id, size } of sets) {
        memory.set(id, held(size))
        const now = memory.size()
        expect(now.entries).toBeLessThanOrEqual(20)
        expect(now.bytes).toBeLessThanOrEqual(50_000)
      }
      const fresh = createMemoryCache({ maxEntries: 100, maxBytes: 1e9 })
      for (let id = 0; id <= 30; id += 1) {
        const kept = memory.get(String(id))
        if (kept) fresh.set(String(id), kept)
      }
      expect(memory.size()).toEqual(fresh.size())
    }),
  )
})
