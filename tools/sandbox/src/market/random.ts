/**
 * A well-mixed 32-bit number from up to four integers: the same input gives the same output on every
 * machine, so any number of the market can be recomputed alone, in any order.
 *
 *     hash32(seed, day) % 100 // always the same "random" number
 */
export function hash32(a: number, b = 0, c = 0, d = 0): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13) ^ b, 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 16) ^ c, 0x27d4eb2f)
  h = Math.imul(h ^ (h >>> 15) ^ d, 0x165667b1)
  h = Math.imul(h ^ (h >>> 13), 0x85ebca6b)
  return (h ^ (h >>> 16)) >>> 0
}

/** The same as a fraction in [0, 1). */
export function fraction(a: number, b = 0, c = 0, d = 0): number {
  return hash32(a, b, c, d) / 4_294_967_296
}

/** Near enough to a standard normal number, never beyond 3.5: the sum of the four bytes of a hash. */
export function bellCurve(h: number): number {
  return ((h & 255) + ((h >>> 8) & 255) + ((h >>> 16) & 255) + (h >>> 24) - 510) / 147.8
}

/** FNV-1a: a text (a code, a name) as a seed. */
export function hashText(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h >>> 0
}

/** One of a list, chosen by a hash. */
export function pick<T>(list: readonly T[], h: number): T {
  const chosen = list[h % list.length]
  if (chosen === undefined) throw new RangeError('Nothing to pick from an empty list.')
  return chosen
}
