import { addDays, marketDateAt, type MarketDate } from '@twilight/market-sources/market-date'
import {
  announcedOn,
  chooseVersions,
  versionKey,
  type VersionedRow,
} from '@twilight/market-sources/statement-versions'
import type { Problem } from '@twilight/service/errors'
import { absent } from './absence.ts'
import { nullReason, type Metrics } from './fundamental-metrics.ts'
import type { Known } from './instruments.ts'
import type { Answer, LookUp, Question } from './look-up.ts'
import { keepBeside, prepareClaim, type Figure, type PreparedClaim } from './prepared-claim.ts'
import type { StatementsAbout } from './upstream-questions.ts'

/** The claims of one table, and what fetching them took. */
export type TableClaims = {
  prepared: PreparedClaim[]
  answer: Answer<unknown>
  /** of a statement: the last day of its quarter */
  period?: MarketDate
}

export type StatementQuestion = { period: MarketDate | undefined; asKnown: MarketDate | undefined }

/**
 * Reads one statement of a company: today's version, or the one that was known on a day. A restatement
 * never overwrites: all versions are kept, this chooses among them.
 *
 *     const readIncome = readStatement(lookUp, (code, about) => statementsOf(incomeTable, code, about), incomeMetrics)
 *     const { prepared, period } = await readIncome(known, { asKnown: '2026-04-30' })
 */
export function readStatement<Row extends VersionedRow>(
  lookUp: LookUp,
  ask: (code: string, about: StatementsAbout) => Question<Row>,
  metrics: Metrics<Row>,
): (known: Known, question: StatementQuestion) => Promise<TableClaims> {
  const beside = keepBeside<PreparedClaim[]>()
  return async (known, { period, asKnown }) => {
    const { code } = known.instrument
    const today = marketDateAt(new Date())
    // Two years back: by then every company has announced something.
    const since = `${Number((asKnown ?? today).slice(0, 4)) - 2}-01-01`
    const question = ask(code, period === undefined ? { since } : { period })
    const answer = await lookUp(question)
    const [row] = chooseVersions(answer.rows, asKnown === undefined ? {} : { asKnown })
    if (!row) throw missing(code, { period, asKnown, today })
    const prepared = beside(answer.rows, `${versionKey(row)} ${answer.stale}`, () =>
      toClaims(answer, row, metrics, { known, table: question.table }),
    )
    return { prepared, answer, period: row.end_date }
  }
}

function toClaims<Row extends VersionedRow>(
  answer: Answer<Row>,
  row: Row,
  metrics: Metrics<Row>,
  { known, table }: { known: Known; table: string },
): PreparedClaim[] {
  const { instrument, name } = known
  const knownAt = announcedOn(row)
  const about = {
    code: instrument.code,
    ...(name !== undefined && { name }),
    asOf: row.end_date,
    period: row.end_date,
    ...(knownAt !== undefined && { knownAt }),
    stale: answer.stale,
    table,
  }
  return claimsOfRow(answer, row, metrics, about)
}

/** One claim per column the source has, with a reason where its cell is empty. */
export function claimsOfRow<Row>(
  answer: Answer<Row>,
  row: Row,
  metrics: Metrics<Row>,
  about: Omit<Figure, 'figure' | 'unit' | 'metric'>,
): PreparedClaim[] {
  return metrics.flatMap(([metric, unit]) => {
    const cell: unknown = row[metric]
    if (typeof cell === 'string')
      return prepareClaim(answer, { ...about, metric, unit, figure: cell })
    // Absent is not empty: a column the source does not have at all is no statement about the company.
    if (cell !== null) return []
    const empty = { figure: null, nullReason: nullReason(metric) }
    return prepareClaim(answer, { ...about, metric, unit, ...empty })
  })
}

function missing(
  code: string,
  { period, asKnown, today }: StatementQuestion & { today: MarketDate },
): Problem {
  if (asKnown !== undefined) {
    return absent('no_data', {
      zh: `截至 ${asKnown}，${code} ${period ?? ''} 的报表尚未公告`,
      en: `Nothing of ${code} ${period ?? ''} was announced by ${asKnown}`,
    })
  }
  // The annual report, which has the longest time, is due four months after the period.
  if (period !== undefined && addDays(period, 122) > today) {
    return absent('not_published_yet', {
      zh: `${code} ${period} 的报表尚未公告`,
      en: `The statements of ${code} for ${period} are not announced yet`,
    })
  }
  return absent('no_data', {
    zh: `${code} ${period ?? ''} 没有报表数据`,
    en: `There are no statements of ${code} ${period ?? ''}`,
  })
}
