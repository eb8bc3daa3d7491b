import { Counter, Gauge, Registry } from 'prom-client'
import type { Metrics } from './metrics.ts'

export type OutboxMeter = ReturnType<typeof createOutboxMeter>

export function createOutboxMeter(metrics: Metrics | undefined) {
  const registers = [metrics?.registry ?? new Registry()]
  return {
    oldestSeconds: new Gauge({
      name: 'twilight_outbox_oldest_unsent_seconds',
      help: 'Age of the oldest event not yet published; alert above 30',
      registers,
    }),
    unsent: new Gauge({
      name: 'twilight_outbox_unsent',
      help: 'Events not yet published',
      registers,
    }),
    sent: new Counter({ name: 'twilight_outbox_sent_total', help: 'Events published', registers }),
    failed: new Counter({
      name: 'twilight_outbox_failures_total',
      help: 'Tries to publish that failed',
      registers,
    }),
    republished: new Counter({
      name: 'twilight_outbox_republished_total',
      help: 'Events published once more because their stream was lost',
      registers,
    }),
  }
}
