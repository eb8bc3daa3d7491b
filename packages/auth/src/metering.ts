import { toProblem } from '@twilight/service/errors'
import type { HttpEnv, Route } from '@twilight/service/route'
import type { Context } from 'hono'
import { callerOf } from './caller.ts'
import type { UsageQueue } from './usage-queue.ts'

/**
 * The same routes, metered: each answer to a known key becomes a usage record, whatever its status. Not
 * metered are requests without a valid key and those over the limit: nothing was served.
 *
 *     createHttpApp({ …, routes: meterRoutes([route('GET', '/price', …)], usage) })
 */
export function meterRoutes(routes: readonly Route[], usage: Pick<UsageQueue, 'add'>): Route[] {
  return routes.map((route) => ({
    ...route,
    answer: async (c) => {
      const startedAt = performance.now()
      const at = Date.now()
      let status = 500
      try {
        const response = await route.answer(c)
        status = response.status
        return response
      } catch (error) {
        status = toProblem(error).status
        throw error
      } finally {
        const caller = callerOf(c)
        if (caller) {
          const cost = costs.get(c.get('request'))
          usage.add({
            request_id: usageId(c),
            user_id: caller.userId,
            key_id: caller.keyId,
            endpoint: route.path,
            method: c.req.method,
            status,
            duration_ms: Math.round(performance.now() - startedAt),
            cached: cost?.cached ?? false,
            cost_points: cost?.costPoints ?? 0,
            at: new Date(at).toISOString(),
          })
        }
      }
    },
  }))
}

/** Says what answering this request took; called by the handler, several times add up. */
export function noteCost(c: Context<HttpEnv>, { cached, costPoints = 0 }: RequestCost): void {
  const request = c.get('request')
  const before = costs.get(request)
  costs.set(request, {
    // A request is cached when all of it was.
    cached: cached && (before?.cached ?? true),
    costPoints: costPoints + (before?.costPoints ?? 0),
  })
}

/** `costPoints`: what was spent at the source, in its points; default 0. */
export type RequestCost = { cached: boolean; costPoints?: number }

const costs = new WeakMap<object, RequestCost>()

/**
 * The request id; with our own span behind it where the client chose the id, or a client that always
 * sends the same one would be counted once.
 */
function usageId(c: Context<HttpEnv>): string {
  const { requestId, trace } = c.get('request')
  const incoming = c.env?.incoming
  const chosen = incoming ? incoming.headers['x-request-id'] : c.req.header('x-request-id')
  return chosen === requestId ? `${requestId}.${trace.spanId}` : requestId
}
