import type { FaultKind } from './fault-kinds.ts'

export type RetryAfter = 'seconds' | 'date' | 'absent' | 'absurd'

/** One misbehaviour and how it is to be done. */
export type Misbehaviour = { kind: FaultKind; delayMs: number; retryAfter: RetryAfter }

export type Fault = Misbehaviour & {
  id: number
  upstream: string
  /** Every endpoint when absent. */
  endpoint: string | undefined
  /** How many calls it still strikes; until reset when absent. */
  times: number | undefined
}

export type Faults = {
  add: (fault: Omit<Fault, 'id'>) => Fault
  list: () => Fault[]
  clear: () => void
  /** The oldest fault that concerns this call; one of its times is spent. */
  take: (upstream: string, endpoint: string) => Misbehaviour | undefined
}

export const maxFaults = 1_000

export function createFaults(): Faults {
  let active: Fault[] = []
  let lastId = 0
  return {
    add: (fault) => {
      if (active.length >= maxFaults)
        throw new RangeError(
          `There are ${maxFaults} faults already: DELETE /__sandbox/faults first.`,
        )
      const added = { ...fault, id: (lastId += 1) }
      active.push(added)
      return added
    },
    list: () => active.map((fault) => ({ ...fault })),
    clear: () => {
      active = []
    },
    take: (upstream, endpoint) => {
      const fault = active.find(
        (candidate) =>
          candidate.upstream === upstream &&
          (candidate.endpoint === undefined || candidate.endpoint === endpoint),
      )
      if (fault?.times !== undefined) {
        fault.times -= 1
        if (fault.times === 0) active = active.filter((other) => other !== fault)
      }
      return fault
    },
  }
}
