import type { HealthCheck } from '@twilight/service/health'
import { createHttpApp, type HttpApp } from '@twilight/service/http'
import type { Logger } from '@twilight/service/log'
import type { Metrics } from '@twilight/service/metrics'
import type { Route } from '@twilight/service/route'

export const service = 'data-api'

/** The menu of data-api: path, guard, handler. The frame adds /livez, /healthz, /metrics and /openapi.json. */
export const routes: Route[] = []

export function createApp(dependencies: {
  version: string
  log: Logger
  metrics: Metrics
  checks: HealthCheck[]
}): HttpApp {
  return createHttpApp({ ...dependencies, service, routes })
}
