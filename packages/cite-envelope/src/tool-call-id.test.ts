import { expect, it } from 'vitest'
import { createToolCallId, toolCallIdPattern } from './tool-call-id.ts'

it('ids have the promised form and never repeat', () => {
  const ids = Array.from({ length: 10_000 }, () => createToolCallId())
  expect(new Set(ids).size).toBe(ids.length)
  for (const id of ids) expect(id).toMatch(toolCallIdPattern)
})

it('a later id sorts after an earlier one', () => {
  const times = [0, 1, 31, 32, 1_795_136_530_000, 1_795_136_530_001, 2 ** 48 - 1]
  const ids = times.map((nowMs) => createToolCallId({ nowMs }))
  expect(ids.toSorted()).toEqual(ids)
})

it('is the ULID of its time and bytes', () => {
  expect(createToolCallId({ nowMs: 0, randomBytes: ones })).toBe('tc_0000000000ZZZZZZZZZZZZZZZZ')
  // The time of the example in the ULID specification.
  expect(createToolCallId({ nowMs: 1_469_918_176_385, randomBytes: zeros })).toBe(
    'tc_01ARYZ6S410000000000000000',
  )
  expect(createToolCallId({ nowMs: 0, randomBytes: counting })).toBe(
    'tc_0000000000000G40R40M30E209',
  )
})

it('refuses a time that is none and a source with too few bytes', () => {
  for (const nowMs of [-1, 1.5, NaN, 2 ** 48]) {
    expect(() => createToolCallId({ nowMs })).toThrow(RangeError)
  }
  expect(() => createToolCallId({ randomBytes: () => new Uint8Array(9) })).toThrow(RangeError)
})

function ones(length: number): Uint8Array {
  return new Uint8Array(length).fill(255)
}

function counting(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index)
}

function zeros(length: number): Uint8Array {
  return new Uint8Array(length)
}
