import type { Instrument, TushareBarTable } from '@twilight/market-sources/instrument'
import { toTushare } from '@twilight/market-sources/instrument'
import type { MarketDate } from '@twilight/market-sources/market-date'
import { addDays, marketDateAt, shanghaiInstant } from '@twilight/market-sources/market-date'
import type { ClockedTable } from '@twilight/market-sources/publication-clocks'
import { clockOf } from '@twilight/market-sources/publication-clocks'
import {
  dailyTable,
  fundDailyTable,
  hkDailyTable,
  indexDailyTable,
  usDailyTable,
} from '@twilight/market-sources/tushare-bars'
import {
  adjFactorTable,
  dailyBasicTable,
  suspendTable,
  type AdjFactorRow,
  type DailyBasicRow,
  type SuspendRow,
} from '@twilight/market-sources/tushare-rows'
import {
  readRows,
  toParams,
  type TableQuestion,
  type TableSpec,
} from '@twilight/market-sources/tushare-table'
import type { z } from 'zod'
import type { Question } from './look-up.ts'

/** What a price needs of a day bar, whichever market's. */
export type Bar = { ts_code: string; trade_date: MarketDate; close: string }

/**
 * One table of Tushare as a question to the look-up: how to ask, how to read, how long the answer holds.
 *
 *     await lookUp(askTable(bseMappingTable, {}, { key: 'all', freshUntil: hoursLater(11) }))
 */
export function askTable<Schema extends z.ZodObject>(
  spec: TableSpec<Schema>,
  asked: TableQuestion,
  { key, freshUntil }: Pick<Question<z.infer<Schema>>, 'key' | 'freshUntil'>,
): Question<z.infer<Schema>> {
  return {
    table: spec.api,
    key,
    request: {
      api: spec.api,
      params: toParams(asked, spec),
      fields: Object.keys(spec.row.shape).join(','),
      rowLimit: spec.rowLimit,
    },
    parse: (answer) => readRows(spec, answer, asked),
    freshUntil,
  }
}

/** The bar of one day. */
export function barOfDay(instrument: Instrument, date: MarketDate): Question<Bar> {
  const { tsCode, api } = toTushare(instrument)
  const asked = { codes: [tsCode], date }
  return askBars[api](asked, { key: `${tsCode}:${compact(date)}`, freshUntil: ofDay(api, date) })
}

/** The bars of all mainland stocks on one day, in one answer. */
export function everyBarOfDay(date: MarketDate): Question<Bar> {
  const settled = shanghaiInstant(date, clockOf('daily').settled)
  return askBars.daily(
    { date },
    {
      key: `all:${compact(date)}`,
      // The day fills up code by code: until it is settled an answer may lack some.
      freshUntil: (_, now) => (now < settled ? after(now, 2) : 'forever'),
    },
  )
}

/** The bars of the `days` days up to one, for the newest of them. */
export function barsUpTo(instrument: Instrument, to: MarketDate, days: number): Question<Bar> {
  const { tsCode, api } = toTushare(instrument)
  const asked = { codes: [tsCode], from: addDays(to, -days), to }
  const key = `${tsCode}:${days} days to ${compact(to)}`
  return askBars[api](asked, { key, freshUntil: minutesLater(10) })
}

export function ratiosOfDay(code: string, date: MarketDate): Question<DailyBasicRow> {
  return askTable(
    dailyBasicTable,
    { codes: [code], date },
    { key: `${code}:${compact(date)}`, freshUntil: ofDay('daily_basic', date) },
  )
}

export function ratiosUpTo(code: string, to: MarketDate, days: number): Question<DailyBasicRow> {
  return askTable(
    dailyBasicTable,
    { codes: [code], from: addDays(to, -days), to },
    { key: `${code}:${days} days to ${compact(to)}`, freshUntil: minutesLater(10) },
  )
}

export function factorOfDay(code: string, date: MarketDate): Question<AdjFactorRow> {
  return askTable(
    adjFactorTable,
    { codes: [code], date },
    { key: `${code}:${compact(date)}`, freshUntil: ofDay('adj_factor', date) },
  )
}

export function factorsUpTo(code: string, to: MarketDate, days: number): Question<AdjFactorRow> {
  return askTable(
    adjFactorTable,
    { codes: [code], from: addDays(to, -days), to },
    { key: `${code}:${days} days to ${compact(to)}`, freshUntil: minutesLater(10) },
  )
}

/** All versions of a statement: of one period, or of those announced since a day. */
export function statementsOf<Schema extends z.ZodObject>(
  spec: TableSpec<Schema>,
  code: string,
  about: StatementsAbout,
): Question<z.infer<Schema>> {
  const [asked, key] =
    'period' in about
      ? [{ codes: [code], period: about.period }, `${code}:${compact(about.period)}`]
      : [{ codes: [code], from: about.since }, `${code}:since ${compact(about.since)}`]
  return askTable(spec, asked, { key, freshUntil: (_, now) => nextEvening(now) })
}

export type StatementsAbout = { period: MarketDate } | { since: MarketDate }

/** Who did not trade on a day, all codes in one answer: one call explains every missing bar of the day. */
export function suspensionsOfDay(date: MarketDate): Question<SuspendRow> {
  // Irregular updates during the day; the list of a past day stays as it is.
  const settled = shanghaiInstant(date, '18:00')
  return askTable(
    suspendTable,
    { date },
    {
      key: compact(date),
      freshUntil: (_, now) => (now < settled ? after(now, 10) : 'forever'),
    },
  )
}

/** A row that was there is there for good once its day is settled; one that is missing may come within minutes. */
function ofDay(table: ClockedTable, date: MarketDate): Question<unknown>['freshUntil'] {
  const clock = clockOf(table)
  const settled = shanghaiInstant(date, clock.settled, clock.daysLater)
  return (rows, now) => {
    if (rows.length === 0) return after(now, now < settled ? 2 : 5)
    return now < settled ? settled : 'forever'
  }
}

/** Statements follow announcements, which are in by the evening. */
function nextEvening(now: Date): Date {
  const today = shanghaiInstant(marketDateAt(now), '17:30')
  return now < today ? today : after(today, 24 * 60)
}

export function minutesLater(minutes: number): (rows: unknown[], now: Date) => Date {
  return (_, now) => after(now, minutes)
}

function after(now: Date, minutes: number): Date {
  return new Date(now.getTime() + minutes * 60_000)
}

type AskBars = (
  asked: TableQuestion,
  how: Pick<Question<Bar>, 'key' | 'freshUntil'>,
) => Question<Bar>

const askBars: Record<TushareBarTable, AskBars> = {
  daily: (asked, how) => onlyCloses(askTable(dailyTable, asked, how), how),
  fund_daily: (asked, how) => onlyCloses(askTable(fundDailyTable, asked, how), how),
  index_daily: (asked, how) => onlyCloses(askTable(indexDailyTable, asked, how), how),
  hk_daily: (asked, how) => onlyCloses(askTable(hkDailyTable, asked, how), how),
  us_daily: (asked, how) => onlyCloses(askTable(usDailyTable, asked, how), how),
}

/** Only what a price needs is kept: five thousand of them stay in memory. */
function onlyCloses<Row extends Bar>(
  question: Question<Row>,
  { freshUntil }: Pick<Question<Bar>, 'freshUntil'>,
): Question<Bar> {
  return {
    ...question,
    parse: (answer) =>
      question
        .parse(answer)
        .map(({ ts_code, trade_date, close }) => ({ ts_code, trade_date, close })),
    freshUntil,
  }
}

function compact(date: MarketDate): string {
  return date.replaceAll('-', '')
}
