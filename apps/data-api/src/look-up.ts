import { hash } from 'node:crypto'
import { SourceFailure } from '@twilight/market-sources/source'
import type { Receipt } from '@twilight/market-sources/source'
import type { readRows } from '@twilight/market-sources/tushare-table'
import { Problem } from '@twilight/service/errors'
import type { Logger } from '@twilight/service/log'
import type { AskTushare } from './ask-tushare.ts'
import type { CacheFile } from './cache-file.ts'
import { decodeTable, encodeTable } from './cached-table.ts'
import type { LookUpMetrics } from './look-up-metrics.ts'
import type { Held, MemoryCache } from './memory-cache.ts'
import type { RawArchive } from './raw-archive.ts'
import { retryAt, toProblem } from './source-problem.ts'

/** One question about one table of Tushare; `askTable` makes its `request` and `parse`. */
export type Question<Row> = {
  /** our name: 'daily', 'daily_basic', 'income', 'stock_basic' */
  table: string
  /** unique within the table, and always the same question: '600519.SH:20261119' */
  key: string
  /** how to ask Tushare; without rowLimit a further page is asked for from 100 rows on */
  request: { api: string; params: Record<string, string>; fields?: string; rowLimit?: number }
  /** validates; throws a SourceFailure */
  parse: (answer: TushareAnswerTable) => Row[]
  /** when to ask again; an answer without rows lives five minutes at most, whatever this says */
  freshUntil: (rows: Row[], now: Date) => Date | 'forever'
}

export type TushareAnswerTable = Parameters<typeof readRows>[1]

export type Answer<Row> = {
  /** frozen, and the same array for every answer out of memory: what is derived may be kept in a WeakMap */
  rows: Row[]
  fetchedAt: Date
  rawSha256: string
  from: 'memory' | 'cache' | 'upstream'
  /** true: it should have been asked for again and could not be */
  stale: boolean
  /** what this answer cost upstream; 0 for all who waited for somebody else's call */
  costPoints: number
}

export type LookUp = <Row>(question: Question<Row>) => Promise<Answer<Row>>

export type LookUpDeps = {
  memory: MemoryCache
  file: Pick<CacheFile, 'get' | 'put'>
  tushare: Pick<AskTushare, 'ask'>
  archive: Pick<RawArchive, 'keep'>
  metrics: Pick<LookUpMetrics, 'answered'>
  log: Logger
  /** how long one caller waits; default 7000 */
  waitMs?: number
  /** how long a caller waits who could be given an older answer instead; default 1500 */
  staleWaitMs?: number
  /** how long the question itself may take, after its callers have left too; default 10 000 */
  flightMs?: number
  /** different questions on their way at once; default 2000 */
  maxFlights?: number
}

/**
 * Answers from memory, else from the cache file, else from upstream, with one flight per key. When upstream
 * fails: what we hold, marked stale; or a Problem that says when to ask again.
 *
 *     await using flights = createLookUp(deps)
 *     const { rows } = await flights.lookUp(barOfDay(instrument, '2026-11-19'))
 */
export function createLookUp(deps: LookUpDeps): AsyncDisposable & { lookUp: LookUp } {
  const { memory, metrics, waitMs = 7000, maxFlights = 2000 } = deps
  const flights = new Map<string, { landing: Promise<Landing>; ended: Promise<void> }>()
  // Answers whose refresh has just failed: until then they are served as they are.
  const spared = new WeakMap<Held, number>()

  return {
    lookUp,
    async [Symbol.asyncDispose]() {
      await Promise.all([...flights.values()].map(({ ended }) => ended))
    },
  }

  async function lookUp<Row>(question: Question<Row>): Promise<Answer<Row>> {
    const id = `${question.table}/${question.key}`
    const held = memory.get(id)
    if (held && held.freshUntilMs > Date.now()) return answer<Row>(question.table, fromMemory(held))
    if (held && (spared.get(held) ?? 0) > Date.now()) {
      return answer<Row>(question.table, { ...fromMemory(held), stale: true })
    }
    const joined = flights.get(id)?.landing
    const landing = await withinWait(joined ?? depart(id, forget(question), held), waitMs)
    return answer<Row>(question.table, joined ? { ...landing, costPoints: 0 } : landing)
  }

  function answer<Row>(table: string, { held, from, stale, costPoints }: Landing): Answer<Row> {
    metrics.answered(table, from, stale)
    const { fetchedAt, rawSha256 } = held
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- table and key say which parser made these rows
    return { rows: held.rows as Row[], fetchedAt, rawSha256, from, stale, costPoints }
  }

  function depart(id: string, question: Question<unknown>, held?: Held): Promise<Landing> {
    if (flights.size >= maxFlights) {
      throw new Problem('overloaded', {
        detail: 'Too many different questions are on their way to the data source.',
        detailZh: '等待数据源的请求过多，请稍后再试。',
        retryAfterSeconds: 2,
      })
    }
    const landing = Promise.withResolvers<Landing>()
    // The flight outlives an early landing with an older answer, so that no second one departs meanwhile.
    const ended = fly({ deps, id, question, spared, landing }, held).finally(() =>
      flights.delete(id),
    )
    flights.set(id, { landing: landing.promise, ended })
    return landing.promise
  }
}

type Landing = Pick<Answer<unknown>, 'from' | 'stale' | 'costPoints'> & { held: Held }

type Flight = {
  deps: LookUpDeps
  id: string
  question: Question<unknown>
  spared: WeakMap<Held, number>
  landing: Pick<PromiseWithResolvers<Landing>, 'resolve' | 'reject'>
}

function fromMemory(held: Held): Landing {
  return { held, from: 'memory', stale: false, costPoints: 0 }
}

/** The question without the type of its rows: from here on they only pass through. */
function forget<Row>(question: Question<Row>): Question<unknown> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its freshUntil is given what its own parser made
  return question as Question<unknown>
}

/** Never rejects: every outcome goes to the landing. */
async function fly(flight: Flight, inMemory: Held | undefined): Promise<void> {
  const { deps, id, landing } = flight
  let timer: NodeJS.Timeout | undefined
  let older: Landing | undefined
  try {
    const held = inMemory ?? (await readFile(flight))
    const from = inMemory ? 'memory' : 'cache'
    if (held && !inMemory) deps.memory.set(id, held)
    if (held && held.freshUntilMs > Date.now()) {
      landing.resolve({ held, from, stale: false, costPoints: 0 })
      return
    }
    // "There is nothing" said some time ago is no answer to "could not ask".
    if (held && held.rows.length > 0) {
      const kept: Landing = { held, from, stale: true, costPoints: 0 }
      older = kept
      timer = setTimeout(() => landing.resolve(kept), deps.staleWaitMs ?? 1500)
    }
    landing.resolve(await askUpstream(flight, older?.held))
  } catch (error) {
    if (older) {
      flight.spared.set(older.held, retryAt(error))
      deps.log.warn({ err: error, question: id }, 'not refreshed; the older answer is served')
      landing.resolve(older)
    } else {
      landing.reject(toProblem(error))
    }
  } finally {
    clearTimeout(timer)
  }
}

/** The file keeps the cells as they came: a newer parser reads older answers, or refuses them. */
async function readFile({ deps, id, question }: Flight): Promise<Held | undefined> {
  const cached = await deps.file.get(id, shapeOf(question))
  if (!cached) return undefined
  try {
    const rows = question.parse(decodeTable(cached.text))
    return toHeld(question, rows, { ...cached, size: cached.text.length })
  } catch (error) {
    deps.log.warn(
      { err: error, question: id },
      'a cached answer is not usable; it is asked for again',
    )
    return undefined
  }
}

async function askUpstream({ deps, id, question }: Flight, older?: Held): Promise<Landing> {
  const { tushare, archive, memory, file, flightMs = 10_000 } = deps
  const { table, receipts, sha256, costPoints } = await tushare.ask(
    question.request,
    Date.now() + flightMs,
  )
  const rows = parseOrRefuse({ deps, id, question, table, receipts, older })
  archive.keep(receipts, { id, params: question.request.params })
  const origin = { fetchedAt: new Date(receipts[0]?.fetchedAt ?? Date.now()), rawSha256: sha256 }
  const text = encodeTable(table)
  const held = toHeld(question, rows, { ...origin, size: text.length })
  // Written before it is served: what a caller has seen survives a kill. "Nothing" is not worth a write.
  if (rows.length > 0) await file.put(id, { ...origin, shape: shapeOf(question), text })
  memory.set(id, held)
  return { held, from: 'upstream', stale: false, costPoints }
}

function parseOrRefuse(asked: {
  deps: LookUpDeps
  id: string
  question: Question<unknown>
  table: TushareAnswerTable
  receipts: Receipt[]
  older: Held | undefined
}): unknown[] {
  const { deps, id, question, table, receipts, older } = asked
  const { archive, log } = deps
  try {
    const rows = question.parse(table)
    if (rows.length > 0 || !older) return rows
    throw new SourceFailure('upstream_lie', 'no rows where there were some before', {
      source: 'tushare',
      api: question.request.api,
    })
  } catch (error) {
    const refused = error instanceof Error ? error.message : String(error)
    log.warn({ err: error, question: id }, 'an answer of the source was refused and set aside')
    archive.keep(receipts, { id, params: question.request.params, refused })
    throw error
  }
}

function toHeld(
  question: Question<unknown>,
  rows: unknown[],
  { fetchedAt, rawSha256, size }: Pick<Held, 'fetchedAt' | 'rawSha256' | 'size'>,
): Held {
  const until = question.freshUntil(rows, fetchedAt)
  const freshUntilMs = until === 'forever' ? Infinity : until.getTime()
  const nothingUntilMs = fetchedAt.getTime() + longestNothingMs
  for (const row of rows) Object.freeze(row)
  return {
    rows: Object.freeze(rows),
    fetchedAt,
    rawSha256,
    freshUntilMs: rows.length > 0 ? freshUntilMs : Math.min(freshUntilMs, nothingUntilMs),
    size,
  }
}

const longestNothingMs = 300_000

/** Rows fetched with other columns are another answer. */
export function shapeOf({ request }: Pick<Question<unknown>, 'request'>): string {
  return hash('sha256', `${request.api}?${request.fields ?? ''}`).slice(0, 16)
}

async function withinWait(landing: Promise<Landing>, waitMs: number): Promise<Landing> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    late.reject(
      new Problem('source_unavailable', {
        internal: `no answer within ${waitMs} ms; the question is still on its way`,
        detail: 'The data source is slow; ask again in a moment.',
        detailZh: '数据源响应较慢，请稍后再试。',
        retryAfterSeconds: 5,
      }),
    )
  }, waitMs)
  try {
    return await Promise.race([landing, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
