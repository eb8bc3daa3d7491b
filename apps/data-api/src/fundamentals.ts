import type { Claim } from '@twilight/cite-envelope/claim'
import { marketDateAt, type MarketDate } from '@twilight/market-sources/market-date'
import {
  balanceSheetTable,
  cashFlowTable,
  finaIndicatorTable,
  incomeTable,
} from '@twilight/market-sources/tushare-statements'
import { Problem } from '@twilight/service/errors'
import { z } from 'zod'
import { absent, isOutage } from './absence.ts'
import type { Claims } from './claims.ts'
import { readDailyRatios } from './daily-ratios.ts'
import {
  balanceSheetMetrics,
  cashFlowMetrics,
  incomeMetrics,
  indicatorMetrics,
} from './fundamental-metrics.ts'
import type { Instruments, Known } from './instruments.ts'
import type { LookUp } from './look-up.ts'
import { instrumentText, marketDay, quarterEnd } from './market-day-input.ts'
import { problemEntry, type ProblemEntry } from './problem-entry.ts'
import { readStatement, type TableClaims } from './statement-claims.ts'
import type { TradingDays } from './trading-days.ts'
import { statementsOf } from './upstream-questions.ts'

export const fundamentalsQuery = z.object({
  code: instrumentText.describe('A code in any form, or a name'),
  period: quarterEnd
    .optional()
    .describe('The last day of a quarter as 20251231 or 2025-12-31; default the newest announced'),
  as_known: marketDay
    .optional()
    .describe('What was known on this day; default today, restatements included'),
})

export type FundamentalsQuestion = z.output<typeof fundamentalsQuery>

export type FundamentalsAnswer = {
  code: string
  name?: string
  as_of: MarketDate
  period?: MarketDate
  as_known?: MarketDate
  interpreted?: Known['interpreted']
  claims: Claim[]
  /** tables without an answer, and why; left out when all have one */
  absent?: { table: string; problem: ProblemEntry }[]
}

export type Fundamentals = {
  /** Every figure of a company with its own cite, or a Problem that says why there is none. */
  fundamentalsOf(
    userId: string,
    question: FundamentalsQuestion,
  ): Promise<{ body: FundamentalsAnswer; cached: boolean; costPoints: number }>
}

type Deps = { instruments: Instruments; tradingDays: TradingDays; lookUp: LookUp; claims: Claims }

/**
 * Income statement, balance sheet, cash flow, indicators and the ratios of the day, as claims.
 *
 *     const { body } = await fundamentals.fundamentalsOf(userId, { code: '600519', period: '2025-12-31' })
 */
export function createFundamentals(deps: Deps): Fundamentals {
  const { instruments, claims, lookUp } = deps
  const income = readStatement(
    lookUp,
    (code, about) => statementsOf(incomeTable, code, about),
    incomeMetrics,
  )
  const others = {
    balancesheet: readStatement(
      lookUp,
      (code, about) => statementsOf(balanceSheetTable, code, about),
      balanceSheetMetrics,
    ),
    cashflow: readStatement(
      lookUp,
      (code, about) => statementsOf(cashFlowTable, code, about),
      cashFlowMetrics,
    ),
    fina_indicator: readStatement(
      lookUp,
      (code, about) => statementsOf(finaIndicatorTable, code, about),
      indicatorMetrics,
    ),
  }
  const dailyRatios = readDailyRatios(deps)

  return {
    async fundamentalsOf(userId, question) {
      const known = await instruments.resolve(question.code)
      assertAnswerable(known, question)
      const asKnown = question.as_known
      const [first, ratios] = await Promise.all([
        settle('income', income(known, { period: question.period, asKnown })),
        settle('daily_basic', dailyRatios(known, { asKnown })),
      ])
      // The newest income statement says which period is the newest; the other tables follow it.
      const period = question.period ?? first.read?.period
      const same = { period, asKnown }
      const rest = Object.entries(others).map(([table, read]) => settle(table, read(known, same)))
      const tables = [first, ...(await Promise.all(rest)), ratios]
      const read = tables.flatMap((table) => table.read ?? [])
      const failures = tables.flatMap(({ table, error }) => (error ? [{ table, error }] : []))
      const served = read.flatMap(({ prepared }) =>
        prepared.map((claim) => claims.serve(claim, userId)),
      )
      const asOf = served
        .map((claim) => claim.as_of)
        .toSorted()
        .at(-1)
      // What could not be fetched outweighs what does not exist.
      if (asOf === undefined)
        throw (failures.find(({ error }) => isOutage(error)) ?? failures[0])?.error
      const { name, interpreted, instrument } = known
      return {
        body: {
          code: instrument.code,
          ...(name !== undefined && { name }),
          as_of: asOf,
          ...(period !== undefined && { period }),
          ...(asKnown !== undefined && { as_known: asKnown }),
          ...(interpreted && { interpreted }),
          claims: served,
          ...(failures.length > 0 && {
            absent: failures.map(({ table, error }) => ({ table, problem: problemEntry(error) })),
          }),
        },
        cached: read.every(({ answer }) => answer.from !== 'upstream'),
        costPoints: read.reduce((sum, { answer }) => sum + answer.costPoints, 0),
      }
    },
  }
}

function assertAnswerable(
  { instrument: { code, kind } }: Known,
  { period, as_known: asKnown }: FundamentalsQuestion,
): void {
  if (kind !== 'stock' && kind !== 'bj' && kind !== 'b_share') {
    throw absent('not_covered', {
      zh: `只提供沪深京上市公司的财务数据，${code} 不在其中`,
      en: `There are fundamentals of mainland companies only; ${code} is none`,
    })
  }
  const today = marketDateAt(new Date())
  const future = [period, asKnown].find((date) => date !== undefined && date > today)
  if (future !== undefined) {
    throw absent('future_date', { zh: `${future} 尚未到来`, en: `${future} lies in the future` })
  }
}

type Outcome = { table: string; read?: TableClaims; error?: Problem }

/** A table that has no answer does not take the others with it. */
async function settle(table: string, reading: Promise<TableClaims>): Promise<Outcome> {
  try {
    return { table, read: await reading }
  } catch (error) {
    if (error instanceof Problem) return { table, error }
    throw error
  }
}
