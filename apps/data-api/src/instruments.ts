import {
  createInstrumentIndex,
  type Finding,
  type InstrumentIndex,
  type InstrumentMatch,
} from '@twilight/market-sources/find-instrument'
import { knownIndices, type Bilingual, type Instrument } from '@twilight/market-sources/instrument'
import {
  bseMappingTable,
  nameChangeTable,
  stockBasicTable,
  type StockBasicRow,
} from '@twilight/market-sources/tushare-rows'
import {
  defineTable,
  type TableQuestion,
  type TableSpec,
} from '@twilight/market-sources/tushare-table'
import { Problem } from '@twilight/service/errors'
import type { HealthCheck } from '@twilight/service/health'
import type { Logger } from '@twilight/service/log'
import { z } from 'zod'
import { keepList } from './kept-list.ts'
import type { LookUp } from './look-up.ts'
import { askTable, minutesLater } from './upstream-questions.ts'

/** An instrument as it was asked for. `name` and `listing` are missing for what we hold no list of. */
export type Known = {
  instrument: Instrument
  name?: string
  listing?: Pick<StockBasicRow, 'list_date' | 'delist_date' | 'list_status'>
  /** how the text was understood, when it is not the code itself */
  interpreted?: { from: string; also?: string[] } & Bilingual
}

export type Instruments = Disposable & {
  /** What a text means: a code in any form, a name, pinyin initials. */
  find(text: string): Promise<Finding>
  /** The same for who needs exactly one: or a Problem that says which it could be. Without a promise when known. */
  resolve(text: string): Known | Promise<Known>
  check: HealthCheck
}

/**
 * Everything with a code: listed, delisted and suspended stocks with their former names, Beijing's old
 * codes, Hong Kong, US and indices. Loaded in the background, again twice a day.
 *
 *     (await instruments.resolve('贵州茅台')).instrument // { code: '600519.SH', kind: 'stock' }
 */
export function loadInstruments({ lookUp, log }: { lookUp: LookUp; log: Logger }): Instruments {
  let resolved = new Map<string, Known>()
  const list = keepList({
    name: 'list of instruments',
    log,
    load: async () => {
      const index = await loadIndex({ lookUp, log })
      resolved = new Map()
      return index
    },
  })

  async function resolveSlowly(text: string): Promise<Known> {
    const index = await list.get()
    const known = toKnown(text, index.find(text), index)
    if (resolved.size >= maxResolved) resolved.clear()
    resolved.set(text, known)
    return known
  }

  return {
    find: async (text) => (await list.get()).find(text),
    resolve: (text) => resolved.get(text) ?? resolveSlowly(text),
    check: {
      name: 'instruments',
      required: false,
      check: () => {
        const count = list.current()?.size
        if (count === undefined) return Promise.reject(new Error('not loaded yet'))
        return Promise.resolve({ count, loaded_at: list.loadedAt()?.toISOString() })
      },
    },
    [Symbol.dispose]: () => list[Symbol.dispose](),
  }
}

const maxResolved = 20_000

async function loadIndex({
  lookUp,
  log,
}: {
  lookUp: LookUp
  log: Logger
}): Promise<InstrumentIndex> {
  const read = async <Schema extends z.ZodObject>(
    spec: TableSpec<Schema>,
    key: string,
    asked: TableQuestion = {},
  ) => (await lookUp(askTable(spec, asked, { key, freshUntil: minutesLater(11 * 60) }))).rows
  /** Lists without which the others are still worth having. */
  const readIfPossible: typeof read = async (spec, key, asked) => {
    try {
      return await read(spec, key, asked)
    } catch (error) {
      log.warn({ err: error, table: spec.api }, 'list left out until the next refresh')
      return []
    }
  }

  const stocks: StockBasicRow[] = []
  for (const list_status of ['L', 'D', 'P']) {
    stocks.push(...(await read(stockBasicTable, list_status, { params: { list_status } })))
  }
  const formerNames = await readIfPossible(nameChangeTable, 'all')
  const renumbered = await readIfPossible(bseMappingTable, 'all')
  const hongKong = await readIfPossible(hkBasicTable, 'listed')
  const american = await readIfPossible(usBasicTable, 'listed')
  return createInstrumentIndex({
    stocks,
    formerNames,
    beijingCodes: new Map(renumbered.map(({ o_code, n_code }) => [o_code, n_code])),
    others: [
      ...knownIndices.map(({ code, names }) => ({
        code,
        kind: 'index' as const,
        name: names[0] ?? code,
      })),
      ...hongKong.map(({ ts_code, name }) => ({ code: ts_code, kind: 'hk' as const, name })),
      ...american.map(({ ts_code, name, enname }) => ({
        code: ts_code,
        kind: 'us' as const,
        name: name ?? enname ?? ts_code,
      })),
    ],
  })
}

const foreignCode = z.string().regex(/^[A-Z0-9][A-Z0-9.]{0,15}$/)
const hkBasicTable = defineTable({
  api: 'hk_basic',
  rowLimit: 6000,
  row: z.object({ ts_code: foreignCode, name: z.string().min(1) }),
})
const usBasicTable = defineTable({
  api: 'us_basic',
  rowLimit: 6000,
  row: z.object({
    ts_code: foreignCode,
    name: z.string().nullable(),
    enname: z.string().nullable(),
  }),
})

function toKnown(text: string, finding: Finding, index: InstrumentIndex): Known {
  switch (finding.found) {
    case 'one': {
      const { code, kind, name, stock } = finding.match.instrument
      const also = finding.alternatives?.map((other) => other.code)
      return {
        instrument: { code, kind },
        name,
        ...(stock && { listing: stock }),
        ...(finding.note && {
          interpreted: { from: text, ...finding.note, ...(also && { also }) },
        }),
      }
    }
    case 'unlisted': {
      const { instrument, note } = finding
      return { instrument, ...(note && { interpreted: { from: text, ...note } }) }
    }
    case 'many':
      throw ambiguous(finding.message, [
        ...finding.candidates.map(describeMatch),
        ...(finding.alternatives ?? []).map(({ code }) => ({ code })),
      ])
    case 'none': {
      if (finding.reason !== 'ambiguous') throw notFound(finding)
      const choices = finding.candidates?.map(({ code }) => ({ code, ...nameOf(code, index) }))
      throw ambiguous(finding.message, choices ?? [])
    }
    default:
      return finding satisfies never
  }
}

/** The Problem of a text that means no instrument of ours. */
export function notFound({ reason, message, candidates }: Finding & { found: 'none' }): Problem {
  const code =
    reason === 'too_long'
      ? 'invalid_parameter'
      : reason === 'not_covered'
        ? 'not_covered'
        : 'unknown_code'
  return new Problem(code, {
    detail: message.en,
    detailZh: message.zh,
    ...(candidates && { extensions: { candidates } }),
  })
}

export function describeMatch({ instrument, matched, matchedText }: InstrumentMatch): {
  code: string
  name: string
  kind: string
  matched: string
  matched_text?: string
} {
  const { code, name, kind } = instrument
  return {
    code,
    name,
    kind,
    matched,
    ...(matchedText !== undefined && { matched_text: matchedText }),
  }
}

function nameOf(code: string, index: InstrumentIndex): { name?: string } {
  const name = index.get(code)?.name
  return name === undefined ? {} : { name }
}

function ambiguous(message: Bilingual, candidates: unknown[]): Problem {
  return new Problem('ambiguous_code', {
    detail: message.en,
    detailZh: message.zh,
    extensions: { candidates },
  })
}
