export type RetryBudget = {
  countCall(): void
  /** whether one more retry stays within the budget; counts it when it does */
  allowRetry(): boolean
  lastMinute(): { calls: number; retries: number }
}

export type RetryBudgetOptions = {
  now: () => number
  /** retries per call over the last minute; default 0.1 */
  ratio?: number
  /** retries a minute that are always allowed, or a quiet service could never retry; default 3 */
  floor?: number
}

/** Keeps retries a small share of calls, so that a failing upstream is not hit harder than a healthy one. */
export function createRetryBudget({
  now,
  ratio = 0.1,
  floor = 3,
}: RetryBudgetOptions): RetryBudget {
  const calls = createMinuteCounter(now)
  const retries = createMinuteCounter(now)
  return {
    countCall: () => {
      calls.add()
    },
    allowRetry() {
      if (retries.total() >= Math.max(floor, Math.floor(calls.total() * ratio))) return false
      retries.add()
      return true
    },
    lastMinute: () => ({ calls: calls.total(), retries: retries.total() }),
  }
}

// Sixty buckets of a second: the memory does not grow with the traffic.
function createMinuteCounter(now: () => number): { add(): void; total(): number } {
  const counts = new Uint32Array(60)
  let second = Math.floor(now() / 1000)

  const forgetOld = () => {
    const current = Math.floor(now() / 1000)
    const passed = Math.min(Math.max(current - second, 0), counts.length)
    for (let step = 1; step <= passed; step += 1) counts[(second + step) % counts.length] = 0
    if (current > second) second = current
  }
  return {
    add() {
      forgetOld()
      counts[second % counts.length] = (counts[second % counts.length] ?? 0) + 1
    },
    total() {
      forgetOld()
      return counts.reduce((sum, count) => sum + count, 0)
    },
  }
}
