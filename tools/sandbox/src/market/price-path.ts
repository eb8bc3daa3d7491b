import { bellCurve } from './random.ts'

/**
 * One price per trading day, in integer ticks, from a seeded walk that passes near `anchor.price` on the
 * anchor day. Only closes are stored (4 bytes a day): a walk of ten years takes about 60 µs, so a
 * day of the whole market is 5,500 walks once and array look-ups afterwards.
 * A day without trading holds the carried price with a minus sign.
 */
export function walkPrices(options: WalkOptions): PricePath {
  const { seed, firstDay, lastDay, anchor, market, beta, sigma } = options
  const closes = new Int32Array(Math.max(0, lastDay - firstDay + 1))
  const exDays: ExDay[] = []
  const distributions = options.distributions ?? []
  const suspensions = options.suspensions ?? []
  const limits = options.limits ?? []
  let [nextDistribution, nextHalt, nextLimit, limitPct] = [0, 0, 0, 0]
  let price = options.startPrice
  let factor = options.startFactor ?? 1
  let drift = 0
  let state = seed | 0
  for (let day = firstDay; day <= lastDay; day += 1) {
    for (let limit = limits[nextLimit]; limit && limit.from <= day; limit = limits[nextLimit]) {
      limitPct = limit.pct
      nextLimit += 1
    }
    const distribution = distributions[nextDistribution]
    if (distribution?.exIndex === day) {
      const before = price
      price = Math.max(1, options.distribute?.(before, distribution) ?? before)
      nextDistribution += 1
      factor *= before / price
      exDays.push({ day, preClose: price, factor })
    }
    // Every day draws its number, traded or not, so that a halt does not shift what follows.
    state = (state + 0x6d2b79f5) | 0
    let h = Math.imul(state ^ (state >>> 15), 1 | state)
    h = (h + Math.imul(h ^ (h >>> 7), 61 | h)) ^ h
    h ^= h >>> 14
    const halt = suspensions[nextHalt]
    if (halt && halt.from <= day) {
      closes[day - firstDay] = -price
      if (halt.to === day) nextHalt += 1
      continue
    }
    const left = anchor.day - day + 1
    // Steer towards the anchor: a Brownian bridge, corrected now and then because logarithms are slow.
    if (left > 0 && ((day & 15) === 0 || left < 16 || day === firstDay)) {
      drift = Math.log(anchor.price / price) / left + (sigma * sigma) / 2
    } else if (left === 0) drift = 0
    const z = bellCurve(h >>> 0)
    const preClose = price
    const wanted =
      preClose * (1 + beta * (market[day] ?? 0) + sigma * z * (0.85 + 0.07 * z * z) + drift)
    price = day === anchor.day && anchor.exact ? anchor.price : Math.max(1, Math.round(wanted))
    price = clampToLimits(price, preClose, limitPct)
    closes[day - firstDay] = price
  }
  return {
    firstDay,
    closes,
    exDays,
    startPrice: options.startPrice,
    startFactor: options.startFactor ?? 1,
  }
}

/** Highest and lowest price of a day, as the exchanges round them; undefined when the day has no limit. */
export function priceLimits(
  preClose: number,
  limitPct: number,
): { up: number; down: number } | undefined {
  if (limitPct === 0) return undefined
  return {
    up: Math.floor((preClose * (100 + limitPct) + 50) / 100),
    down: Math.max(1, Math.floor((preClose * (100 - limitPct) + 50) / 100)),
  }
}

export function isTraded(path: PricePath, day: number): boolean {
  return (path.closes[day - path.firstDay] ?? 0) > 0
}

/** The close of a day, or the carried price of a day without trading. */
export function closeOn(path: PricePath, day: number): number {
  return Math.abs(path.closes[day - path.firstDay] ?? path.startPrice)
}

/** What the close of a day is compared with: the close before, less what was distributed that morning. */
export function preCloseOn(path: PricePath, day: number): number {
  const ex = path.exDays.find((candidate) => candidate.day === day)
  return ex ? ex.preClose : closeOn(path, day - 1)
}

/** The cumulative factor: price × factor is comparable across ex dates. */
export function factorOn(path: PricePath, day: number): number {
  return path.exDays.findLast((ex) => ex.day <= day)?.factor ?? path.startFactor
}

export type PricePath = {
  firstDay: number
  closes: Int32Array
  exDays: ExDay[]
  startPrice: number
  startFactor: number
}

export type ExDay = { day: number; preClose: number; factor: number }
export type Distribution = {
  exIndex: number
  cashFenPer10: number
  bonusPer10: number
  conversionPer10: number
}

type WalkOptions = {
  seed: number
  firstDay: number
  lastDay: number
  startPrice: number
  startFactor?: number
  anchor: { day: number; price: number; exact: boolean }
  /** The return of the whole market, by day. */
  market: Float64Array
  beta: number
  sigma: number
  /** In force from a day on; 0 is no limit. */
  limits?: readonly { from: number; pct: number }[]
  suspensions?: readonly { from: number; to: number }[]
  distributions?: readonly Distribution[]
  /** The price after a distribution, given the close before it. */
  distribute?: (close: number, distribution: Distribution) => number
}

function clampToLimits(price: number, preClose: number, limitPct: number): number {
  const limits = priceLimits(preClose, limitPct)
  if (!limits) return Math.max(Math.ceil(preClose * 0.4), Math.min(price, preClose * 4))
  return Math.max(limits.down, Math.min(price, limits.up))
}
