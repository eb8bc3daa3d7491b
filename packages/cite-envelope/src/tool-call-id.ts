export const toolCallIdPattern = /^tc_[A-Za-z0-9_-]{8,64}$/

/**
 * A new `tc_…` id: 48 bits of time, so that ids sort by when they were made, then 80 random bits, so that nobody
 * guesses another's. The text is a ULID.
 *
 *     createToolCallId() // 'tc_01KAGN3V8QF4X2M7Z9W0T5RCDE'
 */
export function createToolCallId({
  nowMs = Date.now(),
  randomBytes = cryptoBytes,
}: { nowMs?: number; randomBytes?: (length: number) => Uint8Array } = {}): string {
  if (!Number.isInteger(nowMs) || nowMs < 0 || nowMs >= 2 ** 48) {
    throw new RangeError(`nowMs is ${nowMs}; give the milliseconds of Date.now().`)
  }
  const bytes = randomBytes(randomLength)
  if (bytes.length !== randomLength) {
    throw new RangeError(`randomBytes gave ${bytes.length} bytes instead of ${randomLength}.`)
  }
  const [left, right] = [wholeNumber(bytes, 0), wholeNumber(bytes, 5)]
  return `tc_${base32(nowMs, 10)}${base32(left, 8)}${base32(right, 8)}`
}

const randomLength = 10
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

// Every served claim needs an id: halves of 40 bits fit a number, and numbers are several times faster than BigInt.
function wholeNumber(bytes: Uint8Array, from: number): number {
  let value = 0
  for (let index = from; index < from + 5; index += 1) value = value * 256 + (bytes[index] ?? 0)
  return value
}

function base32(value: number, length: number): string {
  let text = ''
  let rest = value
  for (let left = length; left > 0; left -= 1) {
    text = alphabet.charAt(rest % 32) + text
    rest = Math.floor(rest / 32)
  }
  return text
}

function cryptoBytes(length: number): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(length))
}
