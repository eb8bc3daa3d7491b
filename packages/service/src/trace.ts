import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'

/** One step of one trace, as W3C Trace Context names it. `state` is the caller's `tracestate`, passed on untouched. */
export type TraceContext = {
  traceId: string
  spanId: string
  flags: number
  state?: string
}

const sampled = 0x01
const randomTraceId = 0x02
const current = new AsyncLocalStorage<TraceContext>()

// A later version may append fields after the flags; version 00 may not.
const traceparentShape = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[^,]*)?$/
const maxTraceparentLength = 256
const maxStateLength = 512
const maxStateMembers = 32
const stateMember = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256}$/

/**
 * The context in a `traceparent` header, or undefined when it must be ignored: malformed, all zero,
 * version ff, or two headers (which HTTP joins with a comma).
 *
 *     parseTraceparent('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01')?.traceId
 */
export function parseTraceparent(text: string | undefined): TraceContext | undefined {
  if (text === undefined || text.length > maxTraceparentLength) return undefined
  const match = traceparentShape.exec(text.trim())
  if (!match) return undefined
  const [, version, traceId = '', spanId = '', flagsHex = '', rest] = match
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  // Bits we do not know must not be passed on; of a later version only the sampled bit is known.
  const known = version === '00' ? sampled | randomTraceId : sampled
  return { traceId, spanId, flags: Number.parseInt(flagsHex, 16) & known }
}

/** A `tracestate` fit to be passed on, or undefined: one malformed member drops the whole header. */
export function parseTracestate(text: string | undefined): string | undefined {
  if (text === undefined || text.length > maxStateLength) return undefined
  const members = text
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '')
  if (members.length === 0 || members.length > maxStateMembers) return undefined
  if (!members.every((member) => stateMember.test(member))) return undefined
  const keys = new Set(members.map((member) => member.slice(0, member.indexOf('='))))
  return keys.size === members.length ? members.join(',') : undefined
}

export function formatTraceparent(context: TraceContext): string {
  return `00-${context.traceId}-${context.spanId}-${context.flags.toString(16).padStart(2, '0')}`
}

/** A new trace, with its first span. */
export function startTrace(): TraceContext {
  return {
    // A version 4 UUID is random in its last seven bytes, which is what the random flag promises.
    traceId: randomUUID().replaceAll('-', ''),
    spanId: newSpanId(),
    flags: sampled | randomTraceId,
  }
}

/** The next span of the same trace. */
export function childTrace(parent: TraceContext): TraceContext {
  return { ...parent, spanId: newSpanId() }
}

/** The span for work that arrived with these headers: a child of the caller's, or a new trace. */
export function continueTrace(
  traceparent: string | undefined,
  tracestate: string | undefined,
): TraceContext {
  const parent = parseTraceparent(traceparent)
  if (!parent) return startTrace()
  const state = parseTracestate(tracestate)
  return childTrace(state === undefined ? parent : { ...parent, state })
}

/** Everything `fn` calls, now or later, sees this context in `currentTrace()`. */
export function runInTrace<T>(context: TraceContext, fn: () => T): T {
  return current.run(context, fn)
}

export function currentTrace(): TraceContext | undefined {
  return current.getStore()
}

function newSpanId(): string {
  const uuid = randomUUID()
  return uuid.slice(0, 8) + uuid.slice(28)
}
