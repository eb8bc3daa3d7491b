import type { Adjust } from '@twilight/cite-envelope/claim'
import { div, mul } from '@twilight/cite-envelope/decimal'
import type { MarketDate } from '@twilight/market-sources/market-date'
import { expectedAsOf } from '@twilight/market-sources/trading-calendar'
import type { AdjFactorRow } from '@twilight/market-sources/tushare-rows'
import { absent } from './absence.ts'
import type { Known } from './instruments.ts'
import type { Answer, LookUp } from './look-up.ts'
import type { Quote } from './quote.ts'
import type { TradingDays } from './trading-days.ts'
import { factorOfDay, factorsUpTo } from './upstream-questions.ts'

/** The parts of the computation, so that anybody can do it again. */
export type Adjustment = {
  raw_close: string
  factor: string
  factor_as_of: MarketDate
  /** qfq only: the day whose prices stay as they are */
  anchor_factor?: string
  anchor_as_of?: MarketDate
  /** how the result was rounded */
  digits: 'exact' | 'half-even:6'
}

/**
 * A close adjusted for dividends and splits, in exact decimals: hfq is close × factor; qfq is that divided
 * by the factor of the newest day, so it changes with every later ex-date.
 */
export async function adjustedClose(
  deps: { lookUp: LookUp; tradingDays: TradingDays },
  known: Known,
  { bar }: Quote,
  adjust: Exclude<Adjust, 'none'>,
): Promise<{
  figure: string
  adjustment: Adjustment
  isCached: boolean
  isStale: boolean
  costPoints: number
}> {
  const { code, kind } = known.instrument
  if (kind !== 'stock' && kind !== 'bj' && kind !== 'b_share') {
    throw absent('not_covered', {
      zh: `只有沪深京股票提供复权价格，${code} 请用 adjust=none`,
      en: `Only mainland stocks have adjusted prices; use adjust=none for ${code}`,
    })
  }
  const calendar = await deps.tradingDays.get()
  const raw_close = bar.close
  const own = await factorOn(deps.lookUp, code, bar.trade_date)
  if (adjust === 'hfq') {
    const { adj_factor: factor, trade_date: factor_as_of } = own.row
    const adjustment: Adjustment = { raw_close, factor, factor_as_of, digits: 'exact' }
    return { figure: mul(raw_close, factor), adjustment, ...spent([own]) }
  }
  const newest = expectedAsOf(calendar, 'adj_factor', new Date()) ?? bar.trade_date
  const anchor = await factorOn(deps.lookUp, code, newest)
  const adjustment: Adjustment = {
    raw_close,
    factor: own.row.adj_factor,
    factor_as_of: own.row.trade_date,
    anchor_factor: anchor.row.adj_factor,
    anchor_as_of: anchor.row.trade_date,
    digits: 'half-even:6',
  }
  const figure = div(mul(raw_close, own.row.adj_factor), anchor.row.adj_factor, { digits: 6 })
  return { figure, adjustment, ...spent([own, anchor]) }
}

type FactorAnswer = { row: AdjFactorRow; answers: Answer<AdjFactorRow>[] }

/** The factor of a day; where it is missing, as for a suspended stock, that of the day before holds. */
async function factorOn(lookUp: LookUp, code: string, date: MarketDate): Promise<FactorAnswer> {
  const answer = await lookUp(factorOfDay(code, date))
  const [row] = answer.rows
  if (row) return { row, answers: [answer] }
  const earlier = await lookUp(factorsUpTo(code, date, 400))
  const last = earlier.rows.toSorted((a, b) => (a.trade_date < b.trade_date ? 1 : -1))[0]
  if (last) return { row: last, answers: [answer, earlier] }
  throw absent('no_data', {
    zh: `${code} 在 ${date} 没有复权因子，请用 adjust=none`,
    en: `There is no adjustment factor of ${code} for ${date}; use adjust=none`,
  })
}

function spent(factors: FactorAnswer[]): {
  isCached: boolean
  isStale: boolean
  costPoints: number
} {
  const answers = factors.flatMap((factor) => factor.answers)
  return {
    isCached: answers.every(({ from }) => from !== 'upstream'),
    isStale: answers.some(({ stale }) => stale),
    costPoints: answers.reduce((sum, { costPoints }) => sum + costPoints, 0),
  }
}
