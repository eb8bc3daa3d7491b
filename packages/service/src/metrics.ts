import { performance } from 'node:perf_hooks'
import { Gauge, Registry, collectDefaultMetrics } from 'prom-client'

export type Metrics = {
  /** every metric of this process part; register your own here, named `twilight_…` */
  registry: Registry
}

export type MetricsOptions = { service: string; version: string }

/**
 * A registry of its own (never prom-client's global one) with build info, process, memory, CPU and
 * event loop metrics.
 *
 *     const metrics = createMetrics({ service: 'data-api', version: '1.2.0' })
 *     new Counter({ name: 'twilight_cites_total', help: 'Claims served', registers: [metrics.registry] })
 */
export function createMetrics({ service, version }: MetricsOptions): Metrics {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  collectDefaultMetrics({ register: registry, prefix: 'twilight_' })

  const buildInfo = new Gauge({
    name: 'twilight_build_info',
    help: 'Always 1; the labels say what runs',
    labelNames: ['version', 'node'],
    registers: [registry],
  })
  buildInfo.set({ version, node: process.versions.node }, 1)

  let last = performance.eventLoopUtilization()
  const utilization = new Gauge({
    name: 'twilight_nodejs_eventloop_utilization_ratio',
    help: 'Share of time the event loop was busy since the last scrape, 0 to 1',
    registers: [registry],
    collect() {
      const now = performance.eventLoopUtilization()
      this.set(performance.eventLoopUtilization(now, last).utilization)
      last = now
    },
  })
  utilization.set(0)

  return { registry }
}
