/** An answer as it is kept: its rows, when they were fetched, and until when nobody need ask again. */
export type Held = {
  /** frozen */
  rows: readonly unknown[]
  fetchedAt: Date
  rawSha256: string
  /** epoch milliseconds; Infinity for what never changes */
  freshUntilMs: number
  /** of the table they were parsed from, as JSON, in characters */
  size: number
}

export type MemoryCache = {
  get(id: string): Held | undefined
  set(id: string, held: Held): void
  /** `bytes` is an estimate */
  size(): { entries: number; bytes: number }
}

/**
 * The answers used last, within two bounds. What alone would take a quarter of the memory is not kept.
 *
 *     const memory = createMemoryCache({ maxEntries: 20_000, maxBytes: 48 * 1024 * 1024 })
 */
export function createMemoryCache({
  maxEntries,
  maxBytes,
}: {
  maxEntries: number
  maxBytes: number
}): MemoryCache {
  // A Map keeps the order of insertion: what is read moves to the end, what must go stands first.
  const entries = new Map<string, { held: Held; bytes: number }>()
  let bytes = 0

  const remove = (id: string) => {
    const entry = entries.get(id)
    if (!entry) return
    entries.delete(id)
    bytes -= entry.bytes
  }

  return {
    get(id) {
      const entry = entries.get(id)
      if (!entry) return undefined
      entries.delete(id)
      entries.set(id, entry)
      return entry.held
    },
    set(id, held) {
      remove(id)
      const needed = estimateBytes(id, held)
      if (needed * 4 > maxBytes) return
      entries.set(id, { held, bytes: needed })
      bytes += needed
      for (const oldest of entries.keys()) {
        if (entries.size <= maxEntries && bytes <= maxBytes) break
        remove(oldest)
      }
    },
    size: () => ({ entries: entries.size, bytes }),
  }
}

// Objects of short texts take about twice their JSON; the entry itself some 400 bytes.
function estimateBytes(id: string, { size }: Held): number {
  return 400 + id.length * 2 + size * 2
}
