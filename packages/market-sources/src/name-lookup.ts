/** What kind of name a text is. Order is rank: a hit further up is the better one. */
export const nameFields = ['name', 'full_name', 'former_name', 'pinyin'] as const
export type NameField = (typeof nameFields)[number]

export type NameEntry = { text: string; field: NameField; item: number }

/** The best hit of an item: how well (`exact` first), through which field, and what the text was. */
export type NameHit = {
  item: number
  fit: 'exact' | 'prefix' | 'contains'
  field: NameField
  text: string
}

export type NameLookup = {
  /** hits best first, each item once; at most `limit` of them, `total` counts all */
  search(query: string, limit: number): { hits: NameHit[]; total: number }
}

/**
 * Finds items by a name, a part of it or its pinyin initials. Letters look only at pinyin and at names
 * that hold letters, so that a short ticker does not match half the market.
 */
export function createNameLookup(entries: readonly NameEntry[]): NameLookup {
  const ranked = entries
    .map((entry) => ({ ...entry, key: normalizeName(entry.text) }))
    .filter(({ key }) => key !== '')
    .toSorted(
      (a, b) => nameFields.indexOf(a.field) - nameFields.indexOf(b.field) || a.item - b.item,
    )
  const exact = Map.groupBy(ranked, ({ key }) => key)
  // One scan of one long text is several times faster than asking 25,000 short ones.
  const whole = `\n${ranked.map(({ key }) => key).join('\n')}\n`
  const starts = startsOf(ranked.map(({ key }) => key.length))

  return {
    search(query, limit) {
      const key = normalizeName(query)
      if (key === '') return { hits: [], total: 0 }
      const best = new Map<number, NameHit>()
      for (const { item, field, text } of exact.get(key) ?? []) {
        if (!best.has(item)) best.set(item, { item, fit: 'exact', field, text })
      }
      const prefixes = new Map<number, NameHit>()
      const parts = new Map<number, NameHit>()
      let from = whole.indexOf(key)
      while (from !== -1) {
        const entry = ranked[indexAt(starts, from)]
        if (entry && !best.has(entry.item)) {
          const fit = whole[from - 1] === '\n' ? 'prefix' : 'contains'
          const found = fit === 'prefix' ? prefixes : parts
          const { item, field, text } = entry
          if (!found.has(item)) found.set(item, { item, fit, field, text })
        }
        // Every name is counted once: go on behind the one just hit.
        from = whole.indexOf(key, whole.indexOf('\n', from))
      }
      for (const found of [prefixes, parts]) {
        for (const [item, hit] of found) if (!best.has(item)) best.set(item, hit)
      }
      return { hits: [...best.values().take(limit)], total: best.size }
    },
  }
}

/** One spelling for comparing: no spaces, no full-width letters, upper case. */
export function normalizeName(text: string): string {
  return text
    .normalize('NFKC')
    .replaceAll(/[\s\u200b-\u200d\u2060\ufeff]+/g, '')
    .toUpperCase()
}

function startsOf(lengths: readonly number[]): Uint32Array {
  const starts = new Uint32Array(lengths.length)
  let position = 1
  for (const [index, length] of lengths.entries()) {
    starts[index] = position
    position += length + 1
  }
  return starts
}

function indexAt(starts: Uint32Array, position: number): number {
  let low = 0
  let high = starts.length - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if ((starts[middle] ?? 0) <= position) low = middle
    else high = middle - 1
  }
  return low
}
