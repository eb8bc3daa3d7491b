import { explainAbsence, type Absence } from '@twilight/market-sources/explain-absence'
import { toTushare, type Bilingual } from '@twilight/market-sources/instrument'
import { marketDateAt, type MarketDate } from '@twilight/market-sources/market-date'
import type { TradingCalendar } from '@twilight/market-sources/trading-calendar'
import { absenceCodes, absent, isNotLicensed, isOutage } from './absence.ts'
import { type AskDayBar, createDayBars } from './day-bars.ts'
import type { Known } from './instruments.ts'
import type { Answer, LookUp } from './look-up.ts'
import { newestHeld } from './newest-held.ts'
import { rememberDays } from './quote-memory.ts'
import type { TradingDays } from './trading-days.ts'
import { barsUpTo, suspensionsOfDay, type Bar } from './upstream-questions.ts'

/** A bar, and what the calendar says about its age. */
export type Quote = {
  bar: Bar
  answer: Answer<Bar>
  /** the newest day that should exist; undefined where we hold no calendar */
  expected?: MarketDate
  stale: boolean
  note?: Bilingual
}

export type Quotes = {
  /** The bar of one day, or a Problem that says why there is none. */
  on(known: Known, date: MarketDate): Promise<Quote>
  /**
   * The newest close: of today once it is out, else of the day before, with a note that says so. A
   * suspended stock's is that of its last day of trading; with the source away it is the newest we hold.
   */
  latest(known: Known): Promise<Quote>
}

/**
 * Finds the bar behind a price.
 *
 *     const quotes = createQuotes({ lookUp, tradingDays })
 *     const { bar, expected, stale, note } = await quotes.latest(known)
 */
export function createQuotes(deps: QuoteDeps): Quotes {
  const shared = {
    ...deps,
    askDayBar: createDayBars(deps.lookUp),
    answered: new Set<string>(),
    daysNow: rememberDays(),
  }
  return {
    on: (known, date) => quoteOn(shared, known, date),
    latest: (known) => latestQuote(shared, known),
  }
}

type QuoteDeps = { lookUp: LookUp; tradingDays: TradingDays }
type Shared = QuoteDeps & {
  askDayBar: AskDayBar
  /** codes and days that had a bar */
  answered: Set<string>
  daysNow: ReturnType<typeof rememberDays>
}

const maxAnswered = 10_000

async function quoteOn(deps: Shared, known: Known, date: MarketDate): Promise<Quote> {
  const asked = `${known.instrument.code} ${date}`
  // A day that had a bar needs no calendar.
  if (!deps.answered.has(asked)) await refuseInVain(deps, known, date)
  const answer = await licensed(known, deps.askDayBar(known.instrument, date))
  const [bar] = answer.rows
  if (!bar) throw await explainMissing(deps, known, date)
  if (deps.answered.size >= maxAnswered) deps.answered.clear()
  deps.answered.add(asked)
  return { bar, answer, stale: answer.stale }
}

/** What no answer of the source could change is not asked. */
async function refuseInVain(deps: Shared, known: Known, date: MarketDate): Promise<void> {
  const { instrument, listing } = known
  const { api } = toTushare(instrument)
  const calendar = await calendarOf(deps, known)
  const now = new Date()
  if (calendar) {
    const question = { table: api, date, now, ...(listing && { listing }) }
    const absence = explainAbsence({ ...question, calendar })
    const isOut = date <= (deps.daysNow(calendar, api)?.possible ?? date)
    if (certain.has(absence.reason) || !isOut) throw toProblem(absence)
  } else if (date > marketDateAt(now, api === 'us_daily' ? 'America/New_York' : 'Asia/Shanghai')) {
    throw absent('future_date', { zh: `${date} 尚未到来`, en: `${date} lies in the future` })
  }
}

async function explainMissing(deps: Shared, known: Known, date: MarketDate): Promise<Error> {
  const { instrument, listing } = known
  const calendar = await calendarOf(deps, known)
  if (!calendar || !listing) {
    return absent('no_data', {
      zh: `${instrument.code} 在 ${date} 没有行情`,
      en: `There is no price of ${instrument.code} on ${date}`,
    })
  }
  const suspended = await suspensionsOn(deps, date, instrument.code)
  const { api: table } = toTushare(instrument)
  return toProblem(
    explainAbsence({ calendar, table, date, now: new Date(), listing, ...suspended }),
  )
}

async function latestQuote(deps: Shared, known: Known): Promise<Quote> {
  const { instrument, listing } = known
  const { api } = toTushare(instrument)
  const calendar = await calendarOf(deps, known)
  if (!calendar) return await newestOf(deps, known, marketDateAt(new Date()))
  const days = deps.daysNow(calendar, api)
  if (!days) throw toProblem({ reason: 'unexplained', message: calendarEnds })
  const { possible, expected, note } = days
  if (listing?.delist_date && listing.delist_date <= possible) {
    throw toProblem(
      explainAbsence({ calendar, table: api, date: possible, now: new Date(), listing }),
    )
  }
  let answer: Answer<Bar>
  try {
    answer = await licensed(known, deps.askDayBar(instrument, possible))
  } catch (error) {
    if (!isOutage(error)) throw error
    const look = (day: MarketDate) => deps.askDayBar(instrument, day)
    const held = await newestHeld({ calendar, before: possible, look })
    if (!held) throw error
    const { row: bar, answer: older } = held
    return { bar, answer: older, expected: laterOf(bar.trade_date, expected), stale: true }
  }
  const [bar] = answer.rows
  if (bar) {
    const newest = { bar, answer, expected: laterOf(bar.trade_date, expected), stale: answer.stale }
    return possible === expected && note ? { ...newest, note } : newest
  }
  if (possible !== expected) {
    const earlier = await deps.askDayBar(instrument, expected)
    const [previous] = earlier.rows
    if (previous) {
      return {
        bar: previous,
        answer: earlier,
        expected,
        stale: earlier.stale,
        ...(note && { note }),
      }
    }
  }
  return await explained(deps, known, { calendar, date: expected })
}

/** No bar where one is expected: the last one before it, and why. */
async function explained(
  deps: Shared,
  known: Known,
  { calendar, date }: { calendar: TradingCalendar; date: MarketDate },
): Promise<Quote> {
  const { instrument, listing } = known
  const { api } = toTushare(instrument)
  // Only stocks are suspended in a list; of funds and indices a missing bar says nothing more.
  const suspended = listing ? await suspensionsOn(deps, date, instrument.code) : {}
  const absence = explainAbsence({
    calendar,
    table: api,
    date,
    now: new Date(),
    ...(listing && { listing }),
    ...suspended,
  })
  if (absence.reason === 'before_listing') throw toProblem(absence)
  const quote = await newestOf(deps, known, date, listing ? absence : undefined)
  // It came while we asked.
  if (quote.bar.trade_date === date) return { ...quote, expected: date }
  if (absence.reason === 'suspended') {
    const { trade_date: last } = quote.bar
    const note = {
      zh: `停牌，最近一个交易日为 ${last}`,
      en: `Trading is suspended; it last traded on ${last}`,
    }
    return { ...quote, expected: last, note }
  }
  return { ...quote, expected: date, note: absence.message }
}

/** The last bar of about a year; suspensions rarely last longer. */
async function newestOf(
  { lookUp }: Shared,
  known: Known,
  to: MarketDate,
  absence?: Absence,
): Promise<Quote> {
  const { instrument, name } = known
  const answer = await licensed(known, lookUp(barsUpTo(instrument, to, 400)))
  const bar = answer.rows.toSorted((a, b) => (a.trade_date < b.trade_date ? 1 : -1))[0]
  if (bar) return { bar, answer, stale: answer.stale }
  if (absence) throw toProblem(absence)
  const { code } = instrument
  throw absent(name === undefined ? 'unknown_code' : 'no_data', {
    zh: `${code} 没有行情，请确认代码`,
    en: `There are no prices of ${code}; check the code`,
  })
}

async function calendarOf(
  deps: Shared,
  { instrument }: Known,
): Promise<TradingCalendar | undefined> {
  // Hong Kong and New York keep other days.
  if (instrument.kind === 'hk' || instrument.kind === 'us') return undefined
  return deps.tradingDays.current() ?? (await deps.tradingDays.get())
}

async function suspensionsOn(
  { lookUp }: Shared,
  date: MarketDate,
  code: string,
): Promise<Pick<Parameters<typeof explainAbsence>[0], 'suspensions'>> {
  const { rows } = await lookUp(suspensionsOfDay(date))
  return { suspensions: rows.filter((row) => row.ts_code === code) }
}

async function licensed<T>({ instrument }: Known, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (!isNotLicensed(error)) throw error
    throw absent('not_covered', {
      zh: `本服务的数据授权暂不包含 ${instrument.code} 所在的市场`,
      en: `The market of ${instrument.code} is not part of our data licence`,
    })
  }
}

function toProblem({ reason, message, instead }: Absence): Error {
  return absent(absenceCodes[reason], message, instead)
}

function laterOf(one: MarketDate, other: MarketDate): MarketDate {
  return one > other ? one : other
}

const certain: ReadonlySet<Absence['reason']> = new Set([
  'future',
  'before_listing',
  'delisted',
  'not_trading_day',
  'calendar_unknown',
])
const calendarEnds = {
  zh: '交易日历未覆盖今天，请稍后再试',
  en: 'The trading calendar does not reach today; try again later',
}
