import { randomBytes } from 'node:crypto'

let lastMs = 0

/** A UUID that sorts by the time it was made (RFC 9562, version 7); a clock that steps back is not followed. */
export function uuidV7(): string {
  lastMs = Math.max(lastMs, Date.now())
  const bytes = randomBytes(16)
  bytes.writeUIntBE(lastMs, 0, 6)
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f)
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f)
  const hex = bytes.toString('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-')
}
