import autocannon from 'autocannon'

/** What one round of closed-loop load saw. Latencies in milliseconds. */
export type Round = { perSecond: number; p50Ms: number; p99Ms: number; failed: number }

/**
 * Asks one URL as fast as it answers, over so many connections. Each connection may have a key of its
 * own, as users do: one key has a limit.
 */
export async function putUnderLoad(options: {
  url: string
  connections: number
  seconds: number
  keys: string[]
}): Promise<Round> {
  const { url, connections, seconds, keys } = options
  let next = 0
  const result = await autocannon({
    url,
    connections,
    duration: seconds,
    setupClient: (client) => {
      const key = keys[next % keys.length]
      next += 1
      if (key !== undefined) client.setHeaders({ authorization: `Bearer ${key}` })
    },
  })
  return {
    perSecond: Math.round(result.requests.total / result.duration),
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    failed: result.non2xx + result.errors + result.timeouts,
  }
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
