import { Hono } from 'hono'
import type { Context } from 'hono'
import { z } from 'zod'
import { Problem, problemHeaders, toProblemBody } from './errors.ts'
import { createHealth } from './health.ts'
import type { HealthCheck } from './health.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import { observeRequests } from './observe-requests.ts'
import { openApiJson } from './openapi.ts'
import { problemCodes } from './problem-codes.ts'
import { route } from './route.ts'
import type { HttpEnv, Route } from './route.ts'

export type HttpApp = Hono<HttpEnv>

export type HttpAppOptions = {
  service: string
  version: string
  log: Logger
  metrics: Metrics
  /** what `/healthz` asks; default none */
  checks?: HealthCheck[]
  /** the menu */
  routes: Route[]
  /** laid over the security headers, for a site that serves pages */
  headers?: Record<string, string>
}

/** For an API that no page embeds; a site lays its own policy over them. */
const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
}

/**
 * The HTTP frame around a menu of routes: ids, traces, limits, headers, one log line and one metric per
 * request, every error as problem+json, and `/livez`, `/healthz`, `/metrics`, `/openapi.json`, `/problems`.
 *
 *     const app = createHttpApp({ service: 'data-api', version, log, metrics, routes: [route('GET', '/price', …)] })
 *     await app.request('/livez')
 */
export function createHttpApp(options: HttpAppOptions): HttpApp {
  const { log, metrics, headers } = options
  const routes = [...options.routes, ...frameRoutes(options)]
  const quietRoutes = new Set(routes.filter(({ spec }) => spec.quiet).map(({ path }) => path))
  const app: HttpApp = new Hono<HttpEnv>()

  app.use(
    observeRequests({ log, metrics, headers: { ...securityHeaders, ...headers }, quietRoutes }),
  )
  for (const { method, path, answer } of routes) app.on(method, path, answer)
  // After all routes: a path that exists and a method that does not.
  for (const [path, methods] of methodsByPath(routes)) app.all(path, refuseMethod(path, methods))
  app.notFound((c) =>
    fail(c, new Problem('not_found', { detail: 'Nothing is served at this path.' })),
  )
  app.onError((error, c) => fail(c, error))
  return app
}

function frameRoutes({ service, version, metrics, checks = [], routes }: HttpAppOptions): Route[] {
  const health = createHealth({ version, checks })
  let document: string | undefined
  const own: Route[] = [
    route('GET', '/livez', { summary: 'The process lives', answers: live, quiet: true }, () => ({
      ok: true as const,
    })),
    route(
      'GET',
      '/healthz',
      { summary: 'What works and what does not', answers: healthy, quiet: true },
      async (_, c) => {
        const report = await health()
        const ok = report.ok && !c.env?.draining
        const body = { ...report, ok, ...(c.env?.draining && { draining: true }) }
        return c.json(body, ok ? 200 : 503, { 'cache-control': 'no-store' })
      },
    ),
    route('GET', '/metrics', { summary: 'Prometheus metrics', quiet: true }, async (_, c) =>
      c.body(await metrics.registry.metrics(), 200, {
        'content-type': metrics.registry.contentType,
      }),
    ),
    route('GET', '/openapi.json', { summary: 'This document', quiet: true }, (_, c) => {
      document ??= openApiJson({ service, version, routes: [...routes, ...own] })
      return c.body(document, 200, { 'content-type': 'application/json' })
    }),
    route('GET', '/problems', { summary: 'Every problem code', quiet: true }, (_, c) =>
      c.text(problemList),
    ),
  ]
  return own
}

const live = z.object({ ok: z.literal(true) })
const healthy = z.object({
  ok: z.boolean(),
  version: z.string(),
  checks: z.record(z.string(), z.looseObject({ ok: z.boolean() })),
})

const problemList = Object.entries(problemCodes)
  .map(([code, { status, en, zh }]) => `${status} ${code}: ${zh} / ${en}\n`)
  .join('')

function fail(c: Context<HttpEnv>, error: unknown): Response {
  const request = c.get('request')
  request.error = error
  const { requestId } = request
  const body = toProblemBody(error, { requestId, instance: `urn:twilight:request:${requestId}` })
  return c.body(JSON.stringify(body), body.status, problemHeaders(error))
}

function methodsByPath(routes: Route[]): Map<string, string[]> {
  const byPath = new Map<string, string[]>()
  for (const { method, path } of routes) {
    const methods = byPath.get(path) ?? ['OPTIONS']
    byPath.set(path, [...methods, method, ...(method === 'GET' ? ['HEAD'] : [])])
  }
  return byPath
}

function refuseMethod(path: string, methods: string[]): (c: Context<HttpEnv>) => Response {
  const allow = methods.toSorted().join(', ')
  return (c) => {
    c.get('request').route = path
    if (c.req.method === 'OPTIONS') return c.body(null, 204, { allow })
    throw new Problem('method_not_allowed', {
      detail: `This path answers ${allow}.`,
      headers: { allow },
    })
  }
}
