import { parseInstrumentCode } from './instrument-code.ts'
import type { CodeReading } from './instrument-code.ts'
import { describeInstrument } from './instrument.ts'
import type { Bilingual, Instrument } from './instrument.ts'
import { createNameLookup, normalizeName } from './name-lookup.ts'
import type { NameEntry, NameField, NameHit } from './name-lookup.ts'
import type { NameChangeRow, StockBasicRow } from './tushare-rows.ts'

export type ListedInstrument = Instrument & {
  name: string
  /** undefined for what stock_basic does not list (indices, funds, other markets) */
  stock?: StockBasicRow
}

export type InstrumentMatch = {
  instrument: ListedInstrument
  matched: NameField | 'code'
  fit: NameHit['fit']
  /** the name that matched, when it is not today's name */
  matchedText?: string
}

export type Finding =
  | {
      found: 'one'
      match: InstrumentMatch
      note?: Bilingual
      alternatives?: Instrument[]
    }
  /** a well-formed code outside of what we hold a list of: it may exist */
  | { found: 'unlisted'; instrument: Instrument; note?: Bilingual }
  | {
      found: 'many'
      candidates: InstrumentMatch[]
      total: number
      message: Bilingual
      /** what the letters would be as a ticker of a market we hold no list of */
      alternatives?: Instrument[]
    }
  | {
      found: 'none'
      reason: 'unknown_code' | 'unknown_name' | 'not_covered' | 'ambiguous' | 'too_long'
      message: Bilingual
      candidates?: Instrument[]
    }

export type InstrumentIndex = {
  /** what is listed under a canonical code */
  get(code: string): ListedInstrument | undefined
  find(query: string, options?: { limit?: number }): Finding
  readonly size: number
}

export type InstrumentSources = {
  /** stock_basic for L, D and P together: without D and P the delisted vanish */
  stocks: readonly StockBasicRow[]
  formerNames?: readonly NameChangeRow[]
  /** instruments of other lists: indices, funds, Hong Kong, US */
  others?: readonly (Instrument & { name: string })[]
  beijingCodes?: ReadonlyMap<string, string>
}

/**
 * Everything that can be looked up by code, name, former name, a part of a name, or pinyin initials.
 * More than one fitting hit is a question back, never a guess. Build it once a day.
 *
 *     const index = createInstrumentIndex({ stocks, formerNames })
 *     index.find('茅台') // { found: 'one', match: { instrument: { code: '600519.SH', … }, fit: 'contains' } }
 *     index.find('平安') // { found: 'many', candidates: [平安银行, 中国平安, …] }
 */
export function createInstrumentIndex(sources: InstrumentSources): InstrumentIndex {
  const { beijingCodes } = sources
  const items = listItems(sources)
  const byCode = new Map(items.map((item) => [item.code, item]))
  const names = createNameLookup(listNames(items, sources.formerNames ?? []))

  return {
    get: (code) => byCode.get(code),
    size: items.length,
    find(query, { limit = 10 } = {}) {
      if (typeof query !== 'string' || query.length > maxQueryLength) return tooLong
      const reading = parseInstrumentCode(query, beijingCodes ? { beijingCodes } : {})
      // Letters may be a US ticker or pinyin: names are asked first.
      if (reading.ok && (reading.explicit || reading.instrument.kind !== 'us'))
        return findCode(reading)
      if (!reading.ok && reading.reason !== 'unknown_form') {
        const { message, candidates } = reading
        const reason = reading.reason === 'no_such_code' ? 'unknown_code' : reading.reason
        return { found: 'none', reason, message, ...(candidates && { candidates }) }
      }
      return findName(query, reading, Math.min(Math.max(Math.trunc(limit) || 1, 1), maxCandidates))
    },
  }

  function findCode(reading: CodeReading & { ok: true }): Finding {
    const { instrument, note, alternatives } = reading
    const extra = { ...(note && { note }), ...(alternatives && { alternatives }) }
    const listed = byCode.get(instrument.code)
    if (listed) {
      return {
        found: 'one',
        match: { instrument: listed, matched: 'code', fit: 'exact' },
        ...extra,
      }
    }
    if (!stockKinds.has(instrument.kind))
      return { found: 'unlisted', instrument, ...(note && { note }) }
    const { zh, en } = describeInstrument(instrument)
    return {
      found: 'none',
      reason: 'unknown_code',
      message: { zh: `没有${zh}`, en: `There is no such instrument: ${en}` },
      ...(alternatives && { candidates: alternatives }),
    }
  }

  function findName(query: string, reading: CodeReading, limit: number): Finding {
    // Never fewer than it takes to see that an exact hit is not the only one.
    const { hits, total: named } = names.search(query, Math.max(limit, 3))
    const byName = hits.flatMap((hit) => toMatch(hit, items))
    const ticker = reading.ok ? reading.instrument : undefined
    const listed = ticker && byCode.get(ticker.code)
    const isNamed = byName.some(({ instrument }) => instrument === listed)
    const matches: InstrumentMatch[] = listed
      ? [
          { instrument: listed, matched: 'code', fit: 'exact' },
          ...byName.filter(({ instrument }) => instrument !== listed),
        ]
      : byName
    const total = named + (listed && !isNamed ? 1 : 0)
    const [first] = matches
    if (first === undefined)
      return ticker ? { found: 'unlisted', instrument: ticker, ...noteOf(reading) } : unknownName
    // Letters that fit only a part of some pinyin may as well be a ticker we hold no list of.
    const isDoubtful = ticker !== undefined && first.fit !== 'exact'
    if (!isDoubtful && isTheOne(matches, total))
      return { found: 'one', match: first, ...noteOf(first) }
    return {
      found: 'many',
      candidates: matches.slice(0, limit),
      total,
      ...(ticker && !listed && { alternatives: [ticker] }),
      message: {
        zh: '有多个证券符合，请指明代码',
        en: 'Several instruments fit; name one by its code',
      },
    }
  }
}

const maxQueryLength = 64
const maxCandidates = 50
const stockKinds: ReadonlySet<string> = new Set(['stock', 'b_share', 'bj'])

/** A name of a listed instrument in full is no guess, even when others begin with it or once bore it. */
function isTheOne(matches: readonly InstrumentMatch[], total: number): boolean {
  if (total === 1) return true
  const exact = matches.filter(({ fit }) => fit === 'exact')
  const current = exact.filter(({ matched }) => matched === 'name' || matched === 'full_name')
  return (
    exact.length === 1 ||
    (current.length === 1 &&
      exact[0] === current[0] &&
      !exact.some(({ matched }) => matched === 'code'))
  )
}

// Listed before delisted, so that of two equal hits the living one comes first.
const rank = (row: StockBasicRow) => (row.list_status === 'D' ? 1 : 0)

function listItems({ stocks, others = [] }: InstrumentSources): ListedInstrument[] {
  const listed = stocks
    .toSorted((a, b) => rank(a) - rank(b) || (a.ts_code < b.ts_code ? -1 : 1))
    .flatMap((stock): ListedInstrument[] => {
      const reading = parseInstrumentCode(stock.ts_code)
      return reading.ok ? [{ ...reading.instrument, name: stock.name, stock }] : []
    })
  return [...listed, ...others.map(({ code, kind, name }) => ({ code, kind, name }))]
}

function listNames(
  items: readonly ListedInstrument[],
  formerNames: readonly NameChangeRow[],
): NameEntry[] {
  const position = new Map(items.map(({ code }, index) => [code, index]))
  const entries = items.flatMap(({ name, stock }, item): NameEntry[] => [
    { text: name, field: 'name', item },
    ...(stock?.fullname ? [{ text: stock.fullname, field: 'full_name' as const, item }] : []),
    ...(stock?.cnspell ? [{ text: stock.cnspell, field: 'pinyin' as const, item }] : []),
  ])
  for (const { ts_code, name } of formerNames) {
    const item = position.get(ts_code)
    if (item === undefined || normalizeName(items[item]?.name ?? '') === normalizeName(name))
      continue
    entries.push({ text: name, field: 'former_name', item })
  }
  return entries
}

function toMatch(
  { item, fit, field, text }: NameHit,
  items: readonly ListedInstrument[],
): InstrumentMatch[] {
  const instrument = items[item]
  if (!instrument) return []
  const other = field === 'former_name' || field === 'full_name'
  return [{ instrument, matched: field, fit, ...(other && { matchedText: text }) }]
}

function noteOf(source: InstrumentMatch | CodeReading): { note?: Bilingual } {
  if ('ok' in source) return source.ok && source.note ? { note: source.note } : {}
  const { instrument, matched, matchedText } = source
  const { name, code } = instrument
  if (matched === 'former_name') {
    return {
      note: {
        zh: `“${matchedText}”是 ${name} (${code}) 的曾用名`,
        en: `"${matchedText}" is a former name of ${name} (${code})`,
      },
    }
  }
  return { note: { zh: `按 ${name} (${code}) 理解`, en: `Read as ${name} (${code})` } }
}

const tooLong: Finding = {
  found: 'none',
  reason: 'too_long',
  message: {
    zh: `查询过长，最多 ${maxQueryLength} 个字符`,
    en: `The query is too long: at most ${maxQueryLength} characters`,
  },
}

const unknownName: Finding = {
  found: 'none',
  reason: 'unknown_name',
  message: { zh: '没有找到这个名称', en: 'Nothing by that name' },
}
