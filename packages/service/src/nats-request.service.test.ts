import { setTimeout as sleep } from 'node:timers/promises'
import { headers } from '@nats-io/transport-node'
import { defineRequest } from '@twilight/contracts/requests'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { Problem } from './errors.ts'
import { type Bus, connectBus } from './nats.ts'
import { startTestNats, type TestNats } from './test-nats.ts'
import { currentTrace, runInTrace, startTrace } from './trace.ts'

const log = pino({ level: 'silent' })
let nats: TestNats
let bus: Bus

const double = defineRequest({
  subject: 'test.number.double',
  responder: 'payments',
  callers: ['landing'],
  request: z.object({ n: z.int() }),
  reply: z.object({ n: z.int(), trace: z.string().optional() }),
  timeoutMs: 500,
})

beforeAll(async () => {
  nats = await startTestNats()
  bus = await connectBus({ url: nats.url, service: 'tester', log })
})
afterAll(async () => {
  await bus[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
})

test('a question is answered, in the trace of the one who asks', async () => {
  respond(async ({ n }) => ({ n: n * 2, trace: currentTrace()?.traceId }))
  const trace = startTrace()
  const reply = await runInTrace(trace, () => bus.request(double, { n: 21 }))
  expect(reply).toEqual({ ok: true, data: { n: 42, trace: trace.traceId } })
})

test('with nobody there it says so at once', async () => {
  const started = Date.now()
  expect(await bus.request(double, { n: 1 })).toEqual({ ok: false, error: 'no_responder' })
  expect(Date.now() - started).toBeLessThan(400)
})

test('an answer that takes too long is a timeout, and the handler is told to stop', async () => {
  let aborted = false
  respond(async ({ n }, { signal }) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    aborted = true
    return { n }
  })
  expect(await bus.request(double, { n: 1 })).toEqual({ ok: false, error: 'timeout' })
  await vi.waitFor(() => expect(aborted).toBe(true))
})

test('a question whose deadline has passed is dropped unread', async () => {
  const handler = vi.fn<Handler>(async ({ n }) => ({ n }))
  respond(handler)
  const fields = headers()
  fields.set('Td-Deadline', String(Date.now() - 1))
  const { nc } = bus.core.connection.current()
  await expect(
    nc.request(double.subject, '{"n":1}', { timeout: 300, headers: fields }),
  ).rejects.toThrow('timeout')
  expect(handler).not.toHaveBeenCalled()
})

test('a question of the wrong shape is a problem that names the field', async () => {
  respond(async ({ n }) => ({ n }))
  const reply = await bus.core.connection.current().nc.request(double.subject, '{"n":"many"}')
  expect(reply.headers?.get('Nats-Service-Error-Code')).toBe('400')
  expect(reply.json()).toMatchObject({ code: 'invalid_parameter', errors: [{ pointer: '#/n' }] })
  await expect(bus.request(double, { n: 0.5 })).rejects.toThrow(/expected int/)
})

test('a problem arrives as HTTP would tell it; any other failure tells nothing', async () => {
  respond(async ({ n }) => {
    if (n === 1)
      throw new Problem('plan_required', {
        detail: 'Pro only.',
        extensions: { current_plan: 'free' },
      })
    throw new Error('password=hunter2')
  })
  expect(await bus.request(double, { n: 1 })).toMatchObject({
    error: 'problem',
    problem: { code: 'plan_required', status: 403, detail: 'Pro only.', current_plan: 'free' },
  })
  const internal = await bus.request(double, { n: 2 })
  expect(internal).toMatchObject({ error: 'problem', problem: { code: 'internal', status: 500 } })
  expect(JSON.stringify(internal)).not.toContain('hunter2')
})

test('an answer that breaks the contract does not reach the one who asks', async () => {
  respond(async () => ({ n: 0.5 }))
  expect(await bus.request(double, { n: 1 })).toMatchObject({
    error: 'problem',
    problem: { code: 'internal' },
  })
})

test('more questions than may run at once are refused, not queued', async () => {
  respond(
    async ({ n }) => {
      await sleep(200)
      return { n }
    },
    { concurrency: 2 },
  )
  const replies = await Promise.all(Array.from({ length: 6 }, (_, n) => bus.request(double, { n })))
  expect(replies.filter((reply) => reply.ok)).toHaveLength(2)
  expect(replies.filter((reply) => !reply.ok && reply.error === 'problem')).toHaveLength(4)
})

test('without a bus a request fails within its time', async () => {
  await nats.stop()
  const started = Date.now()
  expect(await bus.request(double, { n: 1 })).toMatchObject({ ok: false })
  expect(Date.now() - started).toBeLessThan(1000)
  await nats.start()
})

function respond(handler: Handler, options?: { concurrency?: number }): void {
  const responder = bus.respond(double, handler, options)
  onTestFinished(() => responder[Symbol.asyncDispose]())
}

type Handler = Parameters<
  typeof bus.respond<{ n: number }, { n: number; trace?: string | undefined }>
>[1]
