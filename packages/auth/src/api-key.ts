import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** `user` keys open the data, `admin` keys open `/admin`; neither ever stands in for the other. */
export type KeyClass = 'user' | 'admin'

/**
 * Makes a key: prefix, 43 random characters (256 bits), 6 characters of checksum. Its text exists only
 * in this answer; the database gets `sha256`, lists show `prefix`.
 *
 *     const { text, sha256, prefix } = generateApiKey('user')
 *     text // td_ and 49 letters and digits
 */
export function generateApiKey(keyClass: KeyClass): NewApiKey {
  const unchecked = prefixes[keyClass] + randomText(bodyLength)
  const text = unchecked + checksum(unchecked)
  return { text, sha256: hashApiKey(text), ...displayApiKey(text) }
}

export type NewApiKey = { text: string; sha256: Buffer; prefix: string; last4: string }

/** What kind of key a text is, by its shape and checksum alone; undefined when it can be none of ours. */
export function classOfApiKey(text: string): KeyClass | undefined {
  if (text.length > maxKeyLength || !wholeKey.test(text)) return undefined
  const unchecked = text.slice(0, -checksumLength)
  if (text.slice(-checksumLength) !== checksum(unchecked)) return undefined
  return text.startsWith(prefixes.admin) ? 'admin' : 'user'
}

/** What the database holds of a key: 256 random bits need no slow hash. */
export function hashApiKey(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}

/** Compares two hashes in a time that says nothing about where they differ. */
export function sameHash(one: Uint8Array, other: Uint8Array): boolean {
  return one.byteLength === other.byteLength && timingSafeEqual(one, other)
}

/** Enough of a key to tell it from its owner's others, too little to use it. */
export function displayApiKey(text: string): { prefix: string; last4: string } {
  const start = text.indexOf('_') + 1
  return { prefix: text.slice(0, start + 6), last4: text.slice(-4) }
}

/** For scanners of repositories and logs; `classOfApiKey` tells a hit from a lookalike. */
export const apiKeyPattern = /\btda?_[0-9A-Za-z]{49}\b/g

/** CRC-32 (ISO-HDLC) of everything before it, in base 62: a typing error costs no database look-up. */
export function checksum(text: string): string {
  let rest = crc32(text)
  let digits = ''
  for (let place = 0; place < checksumLength; place += 1) {
    digits = alphabet.charAt(rest % 62) + digits
    rest = Math.floor(rest / 62)
  }
  return digits
}

/** Longer than any key: what exceeds it is refused unread. */
export const maxKeyLength = 64

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const prefixes = { user: 'td_', admin: 'tda_' } as const satisfies Record<KeyClass, string>
const bodyLength = 43
const checksumLength = 6
const wholeKey = /^tda?_[0-9A-Za-z]{49}$/

function randomText(length: number): string {
  let text = ''
  // 248 of 256 byte values are used; a hundred draws of 64 without enough of them do not happen.
  for (let draw = 0; draw < 100 && text.length < length; draw += 1) {
    for (const byte of randomBytes(64)) {
      // Above 247 a remainder would favour the first letters.
      if (byte < 248 && text.length < length) text += alphabet.charAt(byte % 62)
    }
  }
  if (text.length < length) throw new Error('The random source of this machine is broken.')
  return text
}
