import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  apiKeyPattern,
  checksum,
  classOfApiKey,
  generateApiKey,
  hashApiKey,
  sameHash,
} from './api-key.ts'

const body = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg'

describe('the form of a key', () => {
  test.each([
    ['123456789', '3jZRME'],
    [`tdk_${body}`, '28yO7Z'],
    [`td_${body}`, '1fo5cO'],
    [`tda_${body}`, '4UugNH'],
  ])('the checksum of %s is %s', (text, digits) => {
    expect(checksum(text)).toBe(digits)
  })

  test('a small checksum is padded to six digits', () => {
    expect(checksum('')).toBe('000000')
  })

  test('a key of one class never passes for the other', () => {
    for (let i = 0; i < 200; i += 1) {
      const user = generateApiKey('user').text
      const admin = generateApiKey('admin').text
      expect([classOfApiKey(user), classOfApiKey(admin)]).toEqual(['user', 'admin'])
      expect(classOfApiKey(user.replace('td_', 'tda_'))).toBeUndefined()
      expect(classOfApiKey(admin.replace('tda_', 'td_'))).toBeUndefined()
    }
  })

  test('any one changed character makes it no key', () => {
    const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'.split('')
    fc.assert(
      fc.property(fc.nat(51), fc.constantFrom(...letters), (place, letter) => {
        const { text } = generateApiKey('user')
        const changed = text.slice(0, place) + letter + text.slice(place + 1)
        expect(classOfApiKey(changed)).toBe(changed === text ? 'user' : undefined)
      }),
      { numRuns: 2000 },
    )
  })

  test('no wild text is a key', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 100 })), (text) => {
        expect(classOfApiKey(text)).toBeUndefined()
        expect(classOfApiKey(`td_${text}`)).toBeUndefined()
      }),
      { numRuns: 2000 },
    )
  })

  test('keys are drawn evenly from all letters and digits, and never twice', () => {
    const keys = Array.from({ length: 2000 }, () => generateApiKey('user').text)
    expect(new Set(keys).size).toBe(keys.length)
    const counts = new Map<string, number>()
    for (const key of keys)
      for (const letter of key.slice(3, 46)) counts.set(letter, (counts.get(letter) ?? 0) + 1)
    const expected = (2000 * 43) / 62
    expect(counts.size).toBe(62)
    // Seven standard deviations; a modulo bias would be a quarter.
    for (const count of counts.values())
      expect(Math.abs(count - expected)).toBeLessThan(7 * Math.sqrt(expected))
  })

  test('a scanner finds keys in any text', () => {
    const [one, two] = [generateApiKey('user').text, generateApiKey('admin').text]
    const found = `TOKEN="${one}"\nurl?x=${two}&td_short tdx_${body}123456`.match(apiKeyPattern)
    expect(found).toEqual([one, two])
  })
})

describe('what is kept of a key', () => {
  test('32 raw bytes, a beginning and an end that do not give it away', () => {
    const { text, sha256, prefix, last4 } = generateApiKey('admin')
    expect(sha256).toEqual(hashApiKey(text))
    expect(sha256.byteLength).toBe(32)
    expect(text.startsWith(prefix) && text.endsWith(last4)).toBe(true)
    expect(prefix.length).toBeLessThanOrEqual(16)
    expect(hashApiKey('abc').toString('hex')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
  })

  test('hashes are equal only when every bit is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(255), (bytes, bit) => {
        const other = Uint8Array.from(bytes)
        expect(sameHash(bytes, other)).toBe(true)
        const index = bit >> 3
        other[index] = (other[index] ?? 0) ^ (1 << (bit & 7))
        expect(sameHash(bytes, other)).toBe(false)
        expect(sameHash(bytes, bytes.subarray(1))).toBe(false)
      }),
    )
  })
})
