/** What was called and how it ended, per third party and endpoint. */
export type CallCounts = {
  /** Counts the call before anything can go wrong with it. */
  begin: (upstream: string, endpoint: string) => { end: (outcome: string) => void }
  report: () => CallReport
  reset: () => void
}

export type CallReport = {
  total: number
  totals: Record<string, number>
  calls: Record<string, Record<string, number>>
  outcomes: Record<string, Record<string, Record<string, number>>>
}

type Counted = { calls: number; outcomes: Map<string, number> }

/** Clients may invent endpoints: beyond this many they share one line. */
const maxEndpoints = 500

export function createCallCounts(): CallCounts {
  const upstreams = new Map<string, Map<string, Counted>>()
  return {
    begin: (upstream, endpoint) => {
      const endpoints = upstreams.get(upstream) ?? new Map<string, Counted>()
      upstreams.set(upstream, endpoints)
      const name = endpoints.has(endpoint) || endpoints.size < maxEndpoints ? endpoint : '(others)'
      const counted = endpoints.get(name) ?? { calls: 0, outcomes: new Map() }
      endpoints.set(name, counted)
      counted.calls += 1
      return {
        end: (outcome) => counted.outcomes.set(outcome, (counted.outcomes.get(outcome) ?? 0) + 1),
      }
    },
    report: () => {
      const report: CallReport = { total: 0, totals: {}, calls: {}, outcomes: {} }
      for (const [upstream, endpoints] of upstreams) {
        const entries = [...endpoints]
        const total = entries.reduce((sum, [, counted]) => sum + counted.calls, 0)
        report.total += total
        report.totals[upstream] = total
        report.calls[upstream] = Object.fromEntries(
          entries.map(([endpoint, counted]) => [endpoint, counted.calls]),
        )
        report.outcomes[upstream] = Object.fromEntries(
          entries.map(([endpoint, counted]) => [endpoint, Object.fromEntries(counted.outcomes)]),
        )
      }
      return report
    },
    reset: () => upstreams.clear(),
  }
}
