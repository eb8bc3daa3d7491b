import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Metrics } from './metrics.ts'

export type BusMeter = ReturnType<typeof createBusMeter>

/** Rate, errors and duration per subject; without a registry they are counted for nobody. */
export function createBusMeter(metrics: Metrics | undefined) {
  const registers = [metrics?.registry ?? new Registry()]
  const messages = new Counter({
    name: 'twilight_bus_messages_total',
    help: 'Messages by subject, kind (event, hint, request, reply) and outcome',
    labelNames: ['subject', 'kind', 'outcome'],
    registers,
  })
  const seconds = new Histogram({
    name: 'twilight_bus_handling_seconds',
    help: 'Time from taking a message to settling it, or from asking to the answer',
    labelNames: ['subject', 'kind'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers,
  })
  const connected = new Gauge({
    name: 'twilight_bus_connected',
    help: '1 while the bus is connected',
    registers,
  })
  const held = new Gauge({
    name: 'twilight_bus_held_messages',
    help: 'Messages taken and not yet settled, per consumer',
    labelNames: ['consumer'],
    registers,
  })
  return {
    connected: (up: boolean) => connected.set(up ? 1 : 0),
    held: (consumer: string, count: number) => held.set({ consumer }, count),
    count: (subject: string, kind: MessageKind, outcome: string, startedAt?: number) => {
      messages.inc({ subject, kind, outcome })
      if (startedAt !== undefined)
        seconds.observe({ subject, kind }, (performance.now() - startedAt) / 1000)
    },
  }
}

export type MessageKind = 'event' | 'hint' | 'request' | 'reply'
