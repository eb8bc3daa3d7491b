/** The time every double lives in. It runs with the machine's clock unless it is pinned. */
export type Clock = {
  now: () => number
  /** Pins the clock: it stands there until advanced. */
  pin: (epochMs: number) => void
  /** Moves it on: a pinned clock stays pinned, a running one keeps running ahead. */
  advance: (ms: number) => void
  reset: () => void
  isPinned: () => boolean
}

export function createClock(initiallyPinnedAt: number | undefined): Clock {
  let pinnedAt = initiallyPinnedAt
  let aheadMs = 0
  return {
    now: () => pinnedAt ?? Date.now() + aheadMs,
    pin: (epochMs) => {
      pinnedAt = epochMs
    },
    advance: (ms) => {
      if (pinnedAt === undefined) aheadMs += ms
      else pinnedAt += ms
    },
    reset: () => {
      pinnedAt = initiallyPinnedAt
      aheadMs = 0
    },
    isPinned: () => pinnedAt !== undefined,
  }
}
