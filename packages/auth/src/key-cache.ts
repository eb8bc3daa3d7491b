import type { KeyRecord } from './key-record.ts'

/**
 * What this process knows of keys, by the hash of the key in hex. Found and unknown keys live apart, so
 * that guesses push out guesses only; each part is bounded and drops what was loaded longest ago.
 */
export function createKeyCache({ maxFound, maxUnknown }: { maxFound: number; maxUnknown: number }) {
  const found = new Map<string, CachedKey>()
  const unknown = new Map<string, number>()
  // A look-up under way may have read the row just before it was revoked: what is said here wins.
  const revoked = new Map<string, { revokedAtMs: number; heardAtMs: number }>()

  return {
    found: (hex: string): CachedKey | undefined => found.get(hex),
    unknownSince: (hex: string): number | undefined => unknown.get(hex),
    size: () => ({ found: found.size, unknown: unknown.size, revoked: revoked.size }),

    put(hex: string, record: KeyRecord | undefined, nowMs: number): void {
      found.delete(hex)
      unknown.delete(hex)
      if (!record) {
        unknown.set(hex, nowMs)
        dropOldest(unknown, maxUnknown)
        return
      }
      const word = revoked.get(hex)
      const stands = word !== undefined && nowMs - word.heardAtMs < rememberRevokedMs
      const revokedAtMs = record.revokedAtMs ?? (stands ? word.revokedAtMs : undefined)
      found.set(hex, { record: { ...record, revokedAtMs }, loadedAtMs: nowMs })
      dropOldest(found, maxFound)
    },

    revoke(hex: string, revokedAtMs: number, nowMs: number): void {
      revoked.delete(hex)
      revoked.set(hex, { revokedAtMs, heardAtMs: nowMs })
      dropOldest(revoked, maxRevoked)
      const cached = found.get(hex)
      if (cached) cached.record = { ...cached.record, revokedAtMs }
    },

    /** Every key is looked up anew at its next use. */
    clear(): void {
      found.clear()
      unknown.clear()
    },
  }
}

export type CachedKey = { record: KeyRecord; loadedAtMs: number; refreshing?: boolean }

const rememberRevokedMs = 60_000
const maxRevoked = 10_000

function dropOldest(map: Map<string, unknown>, max: number): void {
  if (map.size <= max) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}
