import type { Context, MiddlewareHandler } from 'hono'
import { Gauge, Histogram } from 'prom-client'
import { Problem } from './errors.ts'
import { asSafe } from './log.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import { redact, redactFields, redactText } from './redact.ts'
import { requestIdFrom } from './request-id.ts'
import type { HttpEnv, RequestState } from './route.ts'
import { continueTrace, formatTraceparent, runInTrace } from './trace.ts'

export type ObserveOptions = {
  log: Logger
  metrics: Metrics
  /** set on every response */
  headers: Record<string, string>
  /** route patterns whose successes are logged at debug level */
  quietRoutes: Set<string>
}

/**
 * Around every request: its id, its trace, the headers every response carries, one log line, one
 * observation.
 */
export function observeRequests({
  log,
  metrics,
  headers,
  quietRoutes,
}: ObserveOptions): MiddlewareHandler<HttpEnv> {
  const observe = httpMetrics(metrics)

  return (c, next) => {
    const startedAt = performance.now()
    const request: RequestState = {
      requestId: requestIdFrom(header(c, 'x-request-id')),
      trace: continueTrace(header(c, 'traceparent'), header(c, 'tracestate')),
      route: undefined,
      error: undefined,
      fields: {},
      headers: undefined,
    }
    request.headers = {
      ...headers,
      'x-request-id': request.requestId,
      traceparent: formatTraceparent(request.trace),
    }
    c.set('request', request)
    observe.begin()

    return runInTrace(request.trace, async () => {
      await next()
      setHeaders(c, request)
      const durationMs = performance.now() - startedAt
      const { status } = c.res
      const route = request.route ?? 'unmatched'
      observe.end(c.req.method, route, status, durationMs / 1000)
      const level =
        status >= 500 ? 'error' : status < 400 && quietRoutes.has(route) ? 'debug' : 'info'
      log[level](event(c, request, route, status, durationMs), 'request')
    })
  }
}

function header(c: Context<HttpEnv>, name: string): string | undefined {
  const value = c.env?.incoming ? c.env.incoming.headers[name] : c.req.header(name)
  return typeof value === 'string' ? value : undefined
}

/**
 * What `route` has not put on its answer itself. On node's response where there is one: a header set on
 * a finished Response rebuilds it, which costs two thirds of the throughput.
 */
function setHeaders(c: Context<HttpEnv>, request: RequestState): void {
  if (!request.headers) return
  for (const [name, value] of Object.entries(request.headers)) {
    if (c.env?.outgoing) c.env.outgoing.setHeader(name, value)
    else c.res.headers.set(name, value)
  }
  request.headers = undefined
}

function event(
  c: Context<HttpEnv>,
  request: RequestState,
  route: string,
  status: number,
  durationMs: number,
): object {
  return asSafe({
    ...redactFields(request.fields),
    method: c.req.method,
    route,
    status,
    dur_ms: Math.round(durationMs * 100) / 100,
    request_id: redactText(request.requestId),
    // The path of a request that matched nothing is what one wants to know; of others the route says it.
    ...(request.route === undefined && { path: redactText(c.req.path) }),
    ...(request.error instanceof Problem && { code: request.error.code }),
    ...(worthLogging(request.error) && { err: redact(request.error) }),
  })
}

// A client's mistake is told by its code; what we did not expect, or kept from the client, needs more.
function worthLogging(error: unknown): boolean {
  if (error === undefined) return false
  return !(error instanceof Problem) || error.status >= 500 || error.options.internal !== undefined
}

// The boundaries of OpenTelemetry's http.server.request.duration.
const buckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

function httpMetrics({ registry }: Metrics) {
  const duration = new Histogram({
    name: 'twilight_http_server_request_duration_seconds',
    help: 'Time from the first handler to the response, by route pattern',
    labelNames: ['method', 'route', 'status'] as const,
    buckets,
    registers: [registry],
  })
  let activeCount = 0
  const active = new Gauge({
    name: 'twilight_http_server_active_requests',
    help: 'Requests being handled now',
    registers: [registry],
    collect() {
      this.set(activeCount)
    },
  })
  active.set(0)
  return {
    begin() {
      activeCount += 1
    },
    end(method: string, route: string, status: number, seconds: number) {
      activeCount -= 1
      duration.observe(
        { method: knownMethods.has(method) ? method : '_OTHER', route, status },
        seconds,
      )
    },
  }
}
