import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { z } from 'zod'
import type { CallCounts } from './call-counts.ts'
import type { Chaos } from './chaos.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { chaosRequest, clockRequest, faultRequest } from './control-requests.ts'
import { faultKinds } from './fault-kinds.ts'
import type { Fault, Faults } from './faults.ts'
import { renderIndexPage } from './index-page.ts'
import { inBeijing } from './market/dates.ts'
import { problem } from './problem.ts'
import type { Double, ThirdParty } from './third-party.ts'
import { toCall, type UpstreamGate } from './upstream-gate.ts'

export const maxBodyBytes = 1_048_576

export type OpenThirdParty = { party: ThirdParty; double: Double; ownUrl?: string }

export type AppDeps = {
  config: Config
  clock: Clock
  counts: CallCounts
  faults: Faults
  chaos: Chaos
  gate: UpstreamGate
  upstreams: readonly OpenThirdParty[]
}

/** Every route of the sandbox: its controls under /__sandbox, and each third party under its own name. */
export function createApp(deps: AppDeps): Hono<{ Bindings: HttpBindings }> {
  const { counts, faults, chaos, clock, upstreams } = deps
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.onError((error) => {
    console.error(error)
    return problem(500, 'The sandbox itself failed: see its log.')
  })
  app.notFound((c) =>
    problem(404, `Nothing is served at ${c.req.path}.`, {
      valid: { upstreams: upstreams.map(({ party }) => `/${party.name}/`) },
    }),
  )
  app.use(
    bodyLimit({
      maxSize: maxBodyBytes,
      onError: () => problem(413, `A body may have ${maxBodyBytes} bytes at most.`),
    }),
  )

  app.get('/', (c) => c.html(renderIndexPage(deps)))
  app.get('/livez', (c) => c.json({ ok: true }))
  app.get('/healthz', (c) =>
    c.json({
      ok: true,
      checks: Object.fromEntries(upstreams.map(({ party }) => [party.name, { ok: true }])),
    }),
  )

  app.get('/__sandbox/calls', (c) => c.json(counts.report()))
  app.post('/__sandbox/reset', (c) => {
    faults.clear()
    chaos.set({ percent: deps.config.chaosPercent, seed: deps.config.chaosSeed })
    clock.reset()
    for (const { double } of upstreams) double.reset()
    counts.reset()
    return c.json({ ok: true })
  })

  app.get('/__sandbox/faults', (c) => c.json({ faults: faults.list().map(describeFault) }))
  app.post('/__sandbox/faults', (c) =>
    withBody(c, faultRequest, validFaults(upstreams), (wanted) => {
      if (!upstreams.some(({ party }) => party.name === wanted.upstream)) {
        return problem(400, `There is no upstream "${wanted.upstream}".`, {
          field: 'upstream',
          valid: validFaults(upstreams),
        })
      }
      const fault = faults.add({
        upstream: wanted.upstream,
        endpoint: wanted.endpoint,
        kind: wanted.kind,
        times: wanted.times,
        delayMs: wanted.delay_ms ?? 0,
        retryAfter: wanted.retry_after ?? 'seconds',
      })
      return c.json(describeFault(fault), 201)
    }),
  )
  app.delete('/__sandbox/faults', (c) => {
    faults.clear()
    return c.json({ faults: [] })
  })

  app.get('/__sandbox/chaos', (c) => c.json(chaos.state()))
  app.post('/__sandbox/chaos', (c) =>
    withBody(c, chaosRequest, { percent: '0 to 100', seed: 'a whole number' }, (wanted) => {
      chaos.set({ percent: wanted.percent, seed: wanted.seed ?? chaos.state().seed })
      return c.json(chaos.state())
    }),
  )

  app.get('/__sandbox/clock', (c) => c.json(describeClock(clock)))
  app.post('/__sandbox/clock', (c) =>
    withBody(
      c,
      clockRequest,
      { advance_ms: 'milliseconds', now: '2026-11-20T15:30:00+08:00' },
      (wanted) => {
        if ('now' in wanted) clock.pin(Date.parse(wanted.now))
        else clock.advance(wanted.advance_ms)
        return c.json(describeClock(clock))
      },
    ),
  )

  for (const { party, double } of upstreams) {
    const { http } = double
    if (!http) continue
    const mount = `/${party.name}`
    const serve = async (c: Context<{ Bindings: HttpBindings }>): Promise<Response> => {
      const body = await c.req.text()
      const path = c.req.path.slice(mount.length) || '/'
      await deps.gate.serve(party.name, http, toCall(c.env.incoming, path, body), c.env.outgoing)
      return RESPONSE_ALREADY_SENT
    }
    app.all(mount, serve)
    app.all(`${mount}/*`, serve)
  }
  return app
}

/** Reads a small JSON body, or says which of its fields is wrong and what would be right. */
async function withBody<T extends z.ZodType>(
  c: Context,
  schema: T,
  valid: Record<string, unknown>,
  handle: (body: z.output<T>) => Response,
): Promise<Response> {
  let json: unknown
  try {
    json = await c.req.json()
  } catch {
    // Not JSON: the caller's mistake, told in the answer.
    return problem(400, 'The body is not JSON.', { valid })
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return handle(parsed.data)
  const errors = parsed.error.issues.map((issue) => ({
    field: issue.path.join('.'),
    message: issue.message,
  }))
  return problem(400, 'The body does not fit.', { errors, valid })
}

function validFaults(upstreams: readonly OpenThirdParty[]): Record<string, unknown> {
  return { upstreams: upstreams.map(({ party }) => party.name), kinds: faultKinds }
}

function describeFault(fault: Fault): Record<string, unknown> {
  return {
    id: fault.id,
    upstream: fault.upstream,
    endpoint: fault.endpoint,
    kind: fault.kind,
    times: fault.times,
    delay_ms: fault.delayMs,
    retry_after: fault.retryAfter,
  }
}

function describeClock(clock: Clock): Record<string, unknown> {
  const now = clock.now()
  const { date, minute } = inBeijing(now)
  const time = `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
  return {
    now: new Date(now).toISOString(),
    beijing_date: String(date),
    beijing_time: time,
    pinned: clock.isPinned(),
  }
}
