import { headers, type MsgHdrs } from '@nats-io/transport-node'
import {
  childTrace,
  continueTrace,
  currentTrace,
  formatTraceparent,
  startTrace,
  type TraceContext,
} from './trace.ts'

/** Headers that carry the current trace on, and whatever else is given. */
export function outgoingHeaders(fields: Record<string, string> = {}): MsgHdrs {
  const parent = currentTrace()
  const trace = parent ? childTrace(parent) : startTrace()
  const result = headers()
  result.set('traceparent', formatTraceparent(trace))
  if (trace.state !== undefined) result.set('tracestate', trace.state)
  for (const [name, value] of Object.entries(fields)) result.set(name, headerValue(value))
  return result
}

/** The span for handling a message: a child of its sender's, or a new trace. */
export function incomingTrace(fields: MsgHdrs | undefined): TraceContext {
  return continueTrace(fields?.get('traceparent'), fields?.get('tracestate') || undefined)
}

/** Any text as a header value: one line, bounded. */
export function headerValue(text: string, maxLength = 1000): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ').slice(0, maxLength)
}
