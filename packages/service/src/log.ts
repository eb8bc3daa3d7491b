import { pino } from 'pino'
import type { ChildLoggerOptions, DestinationStream, Logger } from 'pino'
import { redact, redactFields, redactText } from './redact.ts'
import { currentTrace } from './trace.ts'

export type { Logger } from 'pino'

export type LoggerOptions = {
  service: string
  version: string
  /** fatal, error, warn, info, debug, trace or silent; default info */
  level?: string
  /** where the lines go; default standard output: warnings at once, the rest within 100 ms */
  destination?: DestinationStream
}

/**
 * The one logger of a process: JSON lines on standard output. Log one wide event per request or message.
 * Whatever is logged passes through `redact` first, and lines written inside a trace carry its ids.
 *
 *     const log = createLogger({ service: 'data-api', version: '1.2.0' })
 *     log.info({ route: '/price', status: 200, dur_ms: 1.2 }, 'request')
 */
export function createLogger({
  service,
  version,
  level = 'info',
  destination,
}: LoggerOptions): Logger {
  const { stream, urgent } = destination
    ? { stream: destination, urgent: () => {} }
    : standardOutput()
  const log = pino(
    {
      level,
      base: { service, version },
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      // Errors are already plain objects when pino sees them.
      serializers: { err: (error: unknown) => error },
      formatters: { level: (label) => ({ level: label }) },
      mixin: traceIds,
      hooks: {
        logMethod(args, method, levelNumber) {
          Reflect.apply(method, this, safeArguments(args))
          if (levelNumber >= warnLevel) urgent()
        },
      },
    },
    stream,
  )
  // pino writes a child's bindings once, before any hook; children inherit this method.
  // oxlint-disable-next-line typescript/unbound-method -- called with its logger below
  const plainChild = log.child
  Object.assign(log, {
    child(this: Logger, bindings: object, options?: ChildLoggerOptions) {
      return Reflect.apply(plainChild, this, [redactFields(bindings), options])
    },
  })
  return log
}

/** Says of fields that they have been through `redact`, or hold nothing a client chose: for the hot path. */
export function asSafe<Fields extends object>(fields: Fields): Fields {
  safeFields.add(fields)
  return fields
}

const safeFields = new WeakSet<object>()

/** A write for each line costs as much as the line: they go out together, after a tenth of a second at most. */
function standardOutput(): { stream: DestinationStream; urgent: () => void } {
  const stream = pino.destination({ fd: 1, sync: true, minLength: 4096 })
  setInterval(() => stream.flush(), 100).unref()
  process.once('exit', () => stream.flushSync())
  return { stream, urgent: () => stream.flushSync() }
}

const warnLevel = 40

function safeArguments(args: readonly unknown[]): unknown[] {
  const [first, ...rest] = args
  if (typeof first === 'object' && first !== null && safeFields.has(first)) return [...args]
  const safeRest = rest.map((value) =>
    typeof value === 'string' ? redactText(value) : redact(value),
  )
  if (first instanceof Error) {
    return [{ err: redact(first) }, ...(rest.length === 0 ? [redactText(first.message)] : safeRest)]
  }
  return [typeof first === 'string' ? redactText(first) : redact(first), ...safeRest]
}

function traceIds(): object {
  const trace = currentTrace()
  return trace ? { trace_id: trace.traceId, span_id: trace.spanId } : {}
}
