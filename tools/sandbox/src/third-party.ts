import type { IncomingHttpHeaders } from 'node:http'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import type { DoubleFault, FaultKind } from './fault-kinds.ts'
import type { Market } from './market/market.ts'

/** A simulated third party. Adding one: a file that exports this, and its line in third-parties.ts. */
export type ThirdParty = {
  /** As faults and counts name it; HTTP doubles are mounted at /<name>. */
  name: string
  title: string
  /** How to point a client at it, and what it does not model. */
  docs: string
  /** Shown on the index page; calls to others are counted too. */
  endpoints: readonly string[]
  open: (surroundings: Surroundings) => Double
}

export type Surroundings = {
  config: Config
  clock: Clock
  market: Market
  /** For doubles with a listener of their own: counts the call, then says how to misbehave, if at all. */
  beginCall: (endpoint: string) => BegunCall
}

export type BegunCall = { fault: FaultKind | undefined; end: (outcome: string) => void }

export type Double = {
  http?: HttpDouble
  /** Starts a listener of its own: a TCP protocol, say. Disposed when the sandbox stops. */
  listen?: () => Promise<AsyncDisposable & { url: string }>
  /** Forgets everything that calls left behind. */
  reset: () => void
}

export type HttpDouble = {
  /** The endpoint a call is for, as it is counted and as faults address it. Never throws. */
  endpointOf: (call: Call) => string
  answer: (call: Call) => Answer
  /** How this upstream itself words a fault. */
  answerFault: (kind: DoubleFault, call: Call) => Answer
}

export type Call = {
  method: string
  /** Behind the mount point, so as the real server would see it. */
  path: string
  headers: IncomingHttpHeaders
  body: string
  address: string
}

export type Answer = {
  status: number
  headers: Record<string, string>
  body: string
  /** For the counts: "ok", or the upstream's own error code. */
  outcome: string
}
