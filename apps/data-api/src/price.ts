import type { Claim, Adjust } from '@twilight/cite-envelope/claim'
import type { UnitName } from '@twilight/cite-envelope/unit'
import type { Bilingual, Instrument } from '@twilight/market-sources/instrument'
import { toTushare } from '@twilight/market-sources/instrument'
import type { MarketDate } from '@twilight/market-sources/market-date'
import { adjustedClose, type Adjustment } from './adjusted-close.ts'
import { Problem } from '@twilight/service/errors'
import { z } from 'zod'
import type { Claims } from './claims.ts'
import type { Instruments, Known } from './instruments.ts'
import { invalidParameter } from './invalid-parameter.ts'
import type { LookUp } from './look-up.ts'
import { instrumentText, marketDay } from './market-day-input.ts'
import { keepBeside, prepareClaim, type PreparedClaim } from './prepared-claim.ts'
import { problemEntry, type ProblemEntry } from './problem-entry.ts'
import { createQuotes, type Quote } from './quote.ts'
import type { TradingDays } from './trading-days.ts'

export const priceQuery = z.object({
  code: instrumentText
    .optional()
    .describe('A code in any form, or a name: 600519.SH, sh600519, 贵州茅台, 0700.HK'),
  codes: z
    .string()
    .max(6500)
    .optional()
    .describe('Instead of code: up to 100 of them, separated by commas'),
  trade_date: marketDay
    .optional()
    .describe('A day as 20260430 or 2026-04-30; default the newest close'),
  adjust: z
    .enum(['none', 'qfq', 'hfq'])
    .default('none')
    .describe('none: as traded; qfq: adjusted to today; hfq: adjusted from the listing'),
})

export type PriceQuestion = {
  code: string
  tradeDate?: MarketDate | undefined
  adjust?: Adjust
}

/** A claim, and what a reader should know about how it came to be. */
export type PriceClaim = Claim & {
  /** why it is not today's */
  note?: Bilingual
  /** how the code was understood, when it was not the canonical one */
  interpreted?: Known['interpreted']
  /** what an adjusted price was computed from */
  adjustment?: Adjustment
}

export type Priced = { claim: PriceClaim; cached: boolean; costPoints: number }

export type Prices = {
  /** One close with its cite, or a Problem that says why there is none. */
  priceOf(userId: string, question: PriceQuestion): Promise<Priced>
  /** The same for many codes: one entry per code, in their order, each a claim or why there is none. */
  pricesOf(
    userId: string,
    codes: readonly string[],
    question: Omit<PriceQuestion, 'code'>,
  ): Promise<PricedList>
}

export type PricedList = {
  body: { prices: (PriceClaim | { code: string; problem: ProblemEntry })[] }
  cached: boolean
  costPoints: number
}

/**
 * Cited closes.
 *
 *     const { claim } = await prices.priceOf(userId, { code: '600519', tradeDate: '2026-11-19' })
 *     claim.value_text // '1466.00'
 */
export function createPrices(deps: PriceDeps): Prices {
  const { instruments, claims, lookUp } = deps
  const quotes = createQuotes(deps)
  const beside = keepBeside<PreparedClaim>()

  return { priceOf, pricesOf }

  async function priceOf(
    userId: string,
    { code, tradeDate, adjust = 'none' }: PriceQuestion,
  ): Promise<Priced> {
    const resolved = instruments.resolve(code)
    const known = resolved instanceof Promise ? await resolved : resolved
    const quote = await (tradeDate === undefined
      ? quotes.latest(known)
      : quotes.on(known, tradeDate))
    const { answer, note } = quote
    const cached = answer.from !== 'upstream'
    const extra = {
      ...(note && { note }),
      ...(known.interpreted && { interpreted: known.interpreted }),
    }
    if (adjust === 'none') {
      const variant = `${quote.bar.trade_date} ${quote.expected} ${quote.stale}`
      const prepared = beside(answer.rows, variant, () =>
        prepareClaim(answer, { ...describe(known, quote), figure: quote.bar.close, adjust }),
      )
      const claim = claims.serve(prepared, userId, extra)
      return { claim, cached, costPoints: answer.costPoints }
    }
    const adjusted = await adjustedClose(
      { lookUp, tradingDays: deps.tradingDays },
      known,
      quote,
      adjust,
    )
    const { figure, adjustment, isCached, isStale } = adjusted
    const stale = quote.stale || isStale
    const variant = `${adjust} ${figure} ${quote.bar.trade_date} ${quote.expected} ${stale}`
    const prepared = beside(answer.rows, variant, () =>
      prepareClaim(answer, { ...describe(known, { ...quote, stale }), figure, adjust }),
    )
    return {
      claim: claims.serve(prepared, userId, { ...extra, adjustment }),
      cached: cached && isCached,
      costPoints: answer.costPoints + adjusted.costPoints,
    }
  }

  async function pricesOf(
    userId: string,
    codes: readonly string[],
    question: Omit<PriceQuestion, 'code'>,
  ): Promise<PricedList> {
    const prices: PricedList['body']['prices'] = []
    let cached = true
    let costPoints = 0
    // A hundred cold codes must not take every place at the source from everybody else.
    for (let from = 0; from < codes.length; from += codesAtOnce) {
      const group = codes.slice(from, from + codesAtOnce).map(async (code) => {
        try {
          const priced = await priceOf(userId, { ...question, code })
          cached &&= priced.cached
          costPoints += priced.costPoints
          return priced.claim
        } catch (error) {
          if (!(error instanceof Problem)) throw error
          return { code, problem: problemEntry(error) }
        }
      })
      prices.push(...(await Promise.all(group)))
    }
    return { body: { prices }, cached, costPoints }
  }
}

const codesAtOnce = 10

export type PriceDeps = {
  instruments: Instruments
  tradingDays: TradingDays
  lookUp: LookUp
  claims: Claims
}

function describe({ instrument, name }: Known, { bar, expected, stale }: Quote) {
  return {
    unit: priceUnit(instrument),
    metric: 'close',
    code: instrument.code,
    ...(name !== undefined && { name }),
    asOf: bar.trade_date,
    ...(expected !== undefined && { expectedAsOf: expected }),
    stale,
    minFractionDigits: 2,
    table: toTushare(instrument).api,
  }
}

function priceUnit({ code, kind }: Instrument): UnitName {
  switch (kind) {
    case 'index':
      return 'point'
    case 'hk':
      // Counters of 8xxxx trade in yuan beside the dollar counter of the same share.
      return code.startsWith('8') ? 'CNY' : 'HKD'
    case 'us':
      return 'USD'
    case 'b_share':
      return code.endsWith('.SH') ? 'USD' : 'HKD'
    case 'stock':
    case 'bj':
    case 'fund':
      return 'CNY'
    default:
      return kind satisfies never
  }
}

/** `GET /price`: one code or many. */
export async function askPrice(
  prices: Prices,
  userId: string,
  { code, codes, trade_date: tradeDate, adjust }: z.output<typeof priceQuery>,
): Promise<{ body: PriceClaim | PricedList['body']; cached: boolean; costPoints: number }> {
  if (codes === undefined) {
    if (code === undefined) throw invalidParameter('code', 'give code, or codes for several')
    const { claim, ...cost } = await prices.priceOf(userId, { code, tradeDate, adjust })
    return { body: claim, ...cost }
  }
  if (code !== undefined) throw invalidParameter('codes', 'give either code or codes')
  const list = codes.split(',').map((text) => text.trim())
  if (list.length > maxCodes) throw invalidParameter('codes', `give at most ${maxCodes} codes`)
  if (list.some((text) => text === '' || text.length > 64)) {
    throw invalidParameter('codes', 'give codes of 1 to 64 characters, separated by single commas')
  }
  return await prices.pricesOf(userId, list, { tradeDate, adjust })
}

const maxCodes = 100
