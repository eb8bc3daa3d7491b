import { createHash } from 'node:crypto'
import type { z } from 'zod'
import { createBulkhead } from './bulkhead.ts'
import { createCircuitBreaker } from './circuit-breaker.ts'
import { createRetryBudget } from './retry-budget.ts'
import { SourceFailure } from './source.ts'
import type { FailureKind, Receipt, SourceState, SpendBudget } from './source.ts'
import type { Cell } from './tushare-answer.ts'
import { createTushareCall } from './tushare-call.ts'
import type { CallRecord } from './tushare-call.ts'
import { readRows, toParams } from './tushare-table.ts'
import type { RefusedRow, TableQuestion, TableSpec } from './tushare-table.ts'
import { createUpstreamHttp } from './upstream-http.ts'

export type TushareOptions = {
  /** https://api.tushare.pro/dataapi; plain http on loopback only */
  baseUrl: string
  token: { reveal(): string }
  /** the switch of this source; default true */
  enabled?: boolean
  /** asked before every call, retries and further pages included */
  spend: SpendBudget
  /** told after every call, for metrics and the log */
  onCall?: (call: CallRecord) => void
  /** calls at once; default 2 */
  concurrent?: number
  /** calls that may wait for a place, and how long; default 20 and 1000 */
  maxWaiting?: number
  waitMs?: number
  /** default 2000 */
  connectTimeoutMs?: number
  /** until headers, and between two chunks of the body; default 4000 */
  idleTimeoutMs?: number
  /** default 8 MiB */
  maxBodyBytes?: number
  /** first backoff, doubled each time, all of it jittered; default 1000 */
  retryBaseMs?: number
  /** for tests about minutes and midnights */
  now?: () => number
}

export type FetchOptions = {
  /** for the whole answer: waiting, retries and all pages; default 6000 */
  deadlineMs?: number
  signal?: AbortSignal
  /** what one call costs in the shared budget; default 1 */
  points?: number
  /** pages at most; more rows than that is a failure, never a silent cut; default 10 */
  maxPages?: number
  /** set impossible rows aside instead of failing: for answers about the whole market */
  quarantine?: (refused: RefusedRow) => void
}

export type Fetched<Row> = {
  rows: Row[]
  /** one per page, in order */
  receipts: Receipt[]
}

export type TushareClient = {
  fetchRows<Schema extends z.ZodObject>(
    table: TableSpec<Schema>,
    question: TableQuestion,
    options?: FetchOptions,
  ): Promise<Fetched<z.infer<Schema>>>
  state(): SourceState
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Tushare Pro over HTTPS: asks for a table and gives checked rows with the receipts of the raw answers,
 * or throws a SourceFailure. Nothing it throws or reports holds the token.
 *
 *     await using tushare = createTushareClient({ baseUrl, token, spend })
 *     await tushare.fetchRows(dailyTable, { codes: ['600519.SH'], date: '2026-11-19' })
 */
export function createTushareClient(options: TushareOptions): TushareClient {
  const { enabled = true, now = Date.now, concurrent = 2 } = options
  const http = createUpstreamHttp({
    baseUrl: options.baseUrl,
    connections: concurrent,
    connectTimeoutMs: options.connectTimeoutMs ?? 2000,
    headersTimeoutMs: options.idleTimeoutMs ?? 4000,
    bodyTimeoutMs: options.idleTimeoutMs ?? 4000,
    maxBodyBytes: options.maxBodyBytes ?? 8 * 1024 * 1024,
  })
  const breaker = createCircuitBreaker({ source, now })
  const bulkhead = createBulkhead({
    concurrent,
    maxWaiting: options.maxWaiting ?? 20,
    waitMs: options.waitMs ?? 1000,
  })
  const retries = createRetryBudget({ now })
  const stopped = new AbortController()
  let lastSuccessAt: string | undefined
  let lastFailure: SourceState['lastFailure']

  const note = (api: string, kind: FailureKind | 'ok') => {
    const at = new Date(now()).toISOString()
    if (kind === 'ok') lastSuccessAt = at
    else lastFailure = { at, api, kind }
  }
  const call = createTushareCall({
    http,
    breaker,
    bulkhead,
    retries,
    token: options.token,
    spend: options.spend,
    retryBaseMs: options.retryBaseMs ?? 1000,
    now,
    onCall: (record) => {
      note(record.api, record.outcome)
      options.onCall?.(record)
    },
  })

  return {
    async fetchRows(table, question, fetchOptions = {}) {
      const { deadlineMs = 6000, signal, points = 1, maxPages = 10, quarantine } = fetchOptions
      const { api } = table
      if (!enabled)
        throw new SourceFailure('switched_off', 'this source is switched off', { source, api })
      const within = AbortSignal.any([
        stopped.signal,
        AbortSignal.timeout(deadlineMs),
        ...(signal ? [signal] : []),
      ])
      const fields = Object.keys(table.row.shape)
      const params = toParams(question, table)
      const deadline = now() + deadlineMs
      const receipts: Receipt[] = []
      const cells: Record<string, Cell>[] = []
      let columns: readonly string[] = fields

      for (let page = 0; ; page += 1) {
        if (page === maxPages) {
          throw new SourceFailure(
            'bad_answer',
            `more than ${maxPages} pages: ask for less at once`,
            { source, api },
          )
        }
        const paging =
          page === 0 ? {} : { offset: String(cells.length), limit: String(table.rowLimit) }
        const answer = await call({
          api,
          params: { ...params, ...paging },
          fields,
          points,
          deadline,
          signal: within,
        })
        const sha256 = createHash('sha256').update(answer.body).digest('hex')
        const { body, fetchedAt, requestId } = answer
        receipts.push({
          source,
          api,
          body,
          sha256,
          fetchedAt,
          ...(requestId !== undefined && { requestId }),
        })
        if (repeatsFirstRow(cells, answer.table.rows)) {
          throw new SourceFailure(
            'bad_answer',
            'a further page begins like the first: offset was ignored',
            { source, api },
          )
        }
        columns = answer.table.fields
        cells.push(...answer.table.rows)
        const isFull = answer.table.rows.length >= table.rowLimit
        if (!answer.table.hasMore && !isFull) break
        if (answer.table.rows.length === 0) {
          throw new SourceFailure('bad_answer', 'an empty page says that there is more', {
            source,
            api,
          })
        }
      }
      try {
        return {
          rows: readRows(table, { fields: columns, rows: cells }, question, quarantine),
          receipts,
        }
      } catch (error) {
        if (error instanceof SourceFailure) note(api, error.kind)
        throw error
      }
    },
    state() {
      const { calls, retries: retriesLastMinute } = retries.lastMinute()
      return {
        source,
        enabled,
        ok:
          enabled &&
          (lastFailure === undefined ||
            (lastSuccessAt !== undefined && lastSuccessAt >= lastFailure.at)),
        ...(lastSuccessAt !== undefined && { lastSuccessAt }),
        ...(lastFailure && { lastFailure }),
        running: bulkhead.running,
        waiting: bulkhead.waiting,
        callsLastMinute: calls,
        retriesLastMinute,
        circuits: breaker.state(),
      }
    },
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error('The Tushare client was stopped.'))
      await http[Symbol.asyncDispose]()
    },
  }
}

const source = 'tushare'

function repeatsFirstRow(
  earlier: readonly Record<string, Cell>[],
  page: readonly Record<string, Cell>[],
): boolean {
  return (
    earlier.length > 0 && page.length > 0 && JSON.stringify(earlier[0]) === JSON.stringify(page[0])
  )
}
