import type { FaultKind } from './fault-kinds.ts'
import type { Misbehaviour, RetryAfter } from './faults.ts'
import { fraction, hash32, hashText } from './market/random.ts'

export type ChaosState = { percent: number; seed: number }

export type Chaos = {
  state: () => ChaosState
  set: (state: ChaosState) => void
  /** The misbehaviour of the next call to an upstream, if any. Same seed, same n-th call: same answer. */
  draw: (upstream: string) => Misbehaviour | undefined
}

export function createChaos(initial: ChaosState): Chaos {
  let current = initial
  const drawn = new Map<string, number>()
  return {
    state: () => ({ ...current }),
    set: (state) => {
      current = { ...state }
      drawn.clear()
    },
    draw: (upstream) => {
      if (current.percent === 0) return undefined
      const n = (drawn.get(upstream) ?? 0) + 1
      drawn.set(upstream, n)
      const dice = hash32(current.seed, hashText(upstream), n)
      return fraction(dice, 1) * 100 < current.percent ? choose(dice) : undefined
    },
  }
}

// How often each happens among all misbehaviour.
const weights: readonly (readonly [FaultKind, number])[] = [
  ['reset', 2],
  ['http_500', 1],
  ['http_502_html', 1],
  ['http_429', 1],
  ['slow', 1],
  ['html', 1],
  ['wrong_shape', 1],
  ['truncated', 1],
  ['bad_numbers', 0.5],
  ['gzip_unasked', 0.5],
  ['lie', 0.2],
]
const retryAfters: readonly RetryAfter[] = ['seconds', 'date', 'absent', 'absurd']

function choose(dice: number): Misbehaviour {
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0)
  let mark = fraction(dice, 2) * total
  const [kind] = weights.find(([, weight]) => (mark -= weight) < 0) ?? (['reset'] as const)
  return {
    kind,
    delayMs: Math.floor(fraction(dice, 3) * 15_000),
    retryAfter: retryAfters[hash32(dice, 4) % retryAfters.length] ?? 'seconds',
  }
}
