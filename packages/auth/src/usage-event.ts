import { defineEvent } from '@twilight/contracts/events'
import { defineConsumer, defineStream } from '@twilight/contracts/streams'
import { z } from 'zod'

/** One request that was answered for a known key. Bounded in every field: it may come from any app. */
export const usageRecord = z.object({
  request_id: z.string().regex(/^[\w.=-]{8,128}$/),
  user_id: z.uuid(),
  key_id: z.uuid(),
  /** the route pattern, such as /price: never what was asked */
  endpoint: z.string().regex(/^[\x20-\x7e]{1,100}$/),
  method: z.string().regex(/^[A-Z]{1,10}$/),
  status: z.int().min(100).max(599),
  duration_ms: z.int().min(0).max(86_400_000),
  cached: z.boolean(),
  /** what it cost us upstream, in the source's points */
  cost_points: z.int().min(0).max(1_000_000),
  at: z.iso.datetime(),
})

export type UsageRecord = z.infer<typeof usageRecord>

/** As many as surely fit the stream's largest message. */
export const maxRecordsPerEvent = 150

/** Requests were answered. In batches: one message per request would cost more than the request. */
export const requestServed = defineEvent({
  name: 'usage.request.served',
  version: 1,
  aggregateKind: 'usage',
  producers: ['data-api', 'search-proxy', 'llm-relay'],
  consumers: ['data-api'],
  schema: z.object({ records: z.array(usageRecord).min(1).max(maxRecordsPerEvent) }),
})

/** Apart from the other events: a busy day must not push a payment out of their stream. */
export const usageStream = defineStream({
  name: 'USAGE',
  subjects: [requestServed.subject],
  // Shorter than raw rows are kept, so that a late record always finds its twin.
  maxAgeMs: 7 * 86_400_000,
  maxBytes: 128 * 1_048_576,
  maxMessageBytes: 96 * 1024,
  duplicateWindowMs: 2 * 3_600_000,
})

export const dataApiUsage = defineConsumer({
  name: 'data-api-usage',
  stream: usageStream.name,
  owner: 'data-api',
  event: requestServed,
})
