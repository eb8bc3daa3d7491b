import type { MarketDate } from './market-date.ts'

type Bar = {
  ts_code: string
  open: string
  high: string
  low: string
  close: string
  pre_close: string
  change: string | null
  pct_chg: string | null
  vol: string
  amount: string | null
}

/** What one vol and one amount stand for; without it their quotient is not checked. */
type BarUnits = { sharesPerVol: number; currencyPerAmount: number }

/**
 * What makes a day bar impossible in itself: a price out of its own range, or units that do not fit
 * (shares for lots, yuan for thousand yuan). Floats are good enough here: the tolerances are far wider.
 */
export function impossibleBar(bar: Bar, units?: BarUnits): string | undefined {
  const [open, high, low, close, preClose] = [
    bar.open,
    bar.high,
    bar.low,
    bar.close,
    bar.pre_close,
  ].map(Number)
  if (!open || !high || !low || !close || !preClose) return 'a price is zero'
  if (Math.min(open, high, low, close, preClose) < 0) return 'a price is below zero'
  if (high < low) return 'high is below low'
  if (Math.max(open, close) > high || Math.min(open, close) < low)
    return 'open or close lies outside of low and high'
  if (
    bar.change !== null &&
    Math.abs(Number(bar.change) - (close - preClose)) > 0.011 + close * 0.0005
  ) {
    return 'change is not close minus pre_close'
  }
  if (bar.pct_chg !== null && Math.abs(Number(bar.pct_chg) - (close / preClose - 1) * 100) > 0.06) {
    return 'pct_chg does not fit close and pre_close'
  }
  const vol = Number(bar.vol)
  const amount = Number(bar.amount ?? 0)
  if (vol < 0 || amount < 0) return 'vol or amount is below zero'
  // B shares state the amount in a currency that is not documented.
  if (!units || vol === 0 || amount === 0 || /^(?:900|20[01])/.test(bar.ts_code)) return undefined
  // Both are rounded: a day of one lot at a low price needs the absolute margin.
  const margin = 0.02 + 0.01 / vol + 0.001 / amount
  const average = (amount * units.currencyPerAmount) / (vol * units.sharesPerVol)
  if (average > high * (1 + margin) || average < low * (1 - margin))
    return 'amount divided by vol lies outside of low and high'
  return undefined
}

export type JumpQuestion = {
  bar: { ts_code: string; trade_date: MarketDate; close: string; pre_close: string }
  /** the close of the trading day before, from another answer */
  previousClose?: string
  listDate?: MarketDate | null
}

/**
 * A move no price limit allows: reason to set the row aside and ask a second source, not proof of an
 * error. The first days after listing have no limits, and neither had anything before December 1996.
 *
 *     findPriceJump({ bar, previousClose: '14.66' }) // 'pre_close is 100 times the close of the day before'
 */
export function findPriceJump({ bar, previousClose, listDate }: JumpQuestion): string | undefined {
  const { ts_code, trade_date } = bar
  const close = Number(bar.close)
  const preClose = Number(bar.pre_close)
  if (previousClose !== undefined && Number(previousClose) > 0) {
    const ratio = preClose / Number(previousClose)
    // Ex-dates lower pre_close, even to a fifth; only a merger of shares raises it, and never this far.
    if (ratio > 5 || ratio < 0.05)
      return `pre_close is ${ratio.toPrecision(3)} times the close of the day before`
  }
  const isNew =
    listDate === undefined || listDate === null || daysBetween(listDate, trade_date) <= 15
  if (isNew || trade_date < '1996-12-16') return undefined
  const moved = Math.abs(close / preClose - 1) * 100
  const limit = limitPct(ts_code)
  return moved > limit + 1 ? `moved ${moved.toFixed(1)} % where ${limit} % is the limit` : undefined
}

function limitPct(code: string): number {
  if (code.endsWith('.BJ')) return 30
  return /^(?:30|68)/.test(code) ? 20 : 10
}

function daysBetween(from: MarketDate, to: MarketDate): number {
  return (Date.parse(to) - Date.parse(from)) / 86_400_000
}
