import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { SourceFailure } from '@twilight/market-sources/source'
import type { Receipt } from '@twilight/market-sources/source'
import type { TushareClient } from '@twilight/market-sources/tushare-client'
import { z } from 'zod'
import type { Question, TushareAnswerTable } from './look-up.ts'
import type { UpstreamBudget } from './upstream-budget.ts'
import { createUpstreamQueue } from './upstream-queue.ts'

export type RawAnswer = {
  table: TushareAnswerTable
  /** one per page; of several, a last one that lists the pages and is what the answer is known by */
  receipts: Receipt[]
  sha256: string
  costPoints: number
}

export type AskTushare = {
  ask(request: Question<unknown>['request'], deadline: number): Promise<RawAnswer>
  queue(): { running: number; waiting: number }
}

export type AskTushareDeps = {
  client: Pick<TushareClient, 'fetchRows'>
  budget: Pick<UpstreamBudget, 'learn'>
  /** ends what waits and what runs */
  signal: AbortSignal
  /** calls at once; the client must allow as many */
  concurrent: number
  /** questions that may wait for a place */
  maxWaiting: number
}

/**
 * Asks Tushare, a few questions at once. The wait for the next minute's budget happens outside of the
 * places, so that an interface without budget does not hold up the others.
 */
export function createAskTushare(deps: AskTushareDeps): AskTushare {
  const { client, signal } = deps
  const queue = createUpstreamQueue(deps)

  return {
    queue: () => ({ running: queue.running, waiting: queue.waiting }),
    async ask(request, deadline) {
      const within = AbortSignal.any([
        signal,
        AbortSignal.timeout(Math.max(0, deadline - Date.now())),
      ])
      // Each turn waits for a later budget window, so the deadline ends it.
      for (;;) {
        const place = await queue.enter(within).catch((error: unknown) => {
          throw asFailure(error, request.api, within)
        })
        try {
          const deadlineMs = Math.min(callMs, deadline - Date.now())
          const fetched = await client.fetchRows(
            tableOf(request),
            { params: request.params },
            { deadlineMs, signal: within },
          )
          return toRawAnswer(request, fetched)
        } catch (error) {
          if (error instanceof SourceFailure && error.kind === 'quota' && error.limit) {
            await deps.budget.learn(request.api, error.limit)
          }
          const retryAt = budgetReturns(error)
          if (retryAt === undefined || retryAt >= deadline) throw error
          place[Symbol.dispose]()
          await pause(retryAt - Date.now(), request.api, within)
        } finally {
          place[Symbol.dispose]()
        }
      }
    },
  }
}

const callMs = 6000

// What the cells mean is the question's own parser's business; here a cell is text or nothing.
const cell = z.string().nullable().optional()

function tableOf({ api, fields = '', rowLimit = 6000 }: Question<unknown>['request']) {
  const names = fields.split(',').filter((name) => name !== '')
  return {
    api,
    rowLimit,
    row: z.looseObject(Object.fromEntries(names.map((name) => [name, cell]))),
  }
}

function toRawAnswer(
  request: Question<unknown>['request'],
  { rows, receipts }: { rows: Record<string, unknown>[]; receipts: Receipt[] },
): RawAnswer {
  const cells = z.array(z.record(z.string(), z.string().nullable())).parse(rows)
  const fields = cells[0] ? Object.keys(cells[0]) : (request.fields ?? '').split(',')
  const [first, second] = receipts
  if (!first) throw new Error('An answer of Tushare came without a receipt.')
  const costPoints = receipts.length
  const table = { fields, rows: cells }
  if (!second) return { table, receipts, sha256: first.sha256, costPoints }
  const body = Buffer.from(`${receipts.map(({ sha256 }) => sha256).join('\n')}\n`)
  const sha256 = createHash('sha256').update(body).digest('hex')
  const { source, api, fetchedAt } = first
  return {
    table,
    receipts: [...receipts, { source, api, fetchedAt, body, sha256 }],
    sha256,
    costPoints,
  }
}

function budgetReturns(error: unknown): number | undefined {
  return error instanceof SourceFailure && error.kind === 'budget_spent'
    ? error.retryAt?.getTime()
    : undefined
}

async function pause(ms: number, api: string, signal: AbortSignal): Promise<void> {
  try {
    // Jitter, so that all who waited do not come back in one moment.
    await sleep(Math.max(0, ms) + Math.random() * 200, undefined, { signal })
  } catch (error) {
    throw asFailure(error, api, signal)
  }
}

function asFailure(error: unknown, api: string, signal: AbortSignal): unknown {
  if (!signal.aborted) return error
  const timedOut = signal.reason instanceof Error && signal.reason.name === 'TimeoutError'
  return timedOut
    ? new SourceFailure('timeout', 'no turn came within the deadline', {
        source: 'tushare',
        api,
        cause: error,
      })
    : new SourceFailure('aborted', 'this process is stopping', {
        source: 'tushare',
        api,
        cause: error,
      })
}
