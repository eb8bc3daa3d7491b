import { sql } from 'kysely'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { recordEvent } from './outbox.ts'
import { thingChanged } from './test-contracts.ts'
import { buildTestHouse, type TestHouse } from './test-house.ts'
import { currentTrace, runInTrace, startTrace } from './trace.ts'

const soon = { timeout: 20_000, interval: 25 }
let house: TestHouse

beforeAll(async () => {
  house = await buildTestHouse()
})
afterAll(() => house[Symbol.asyncDispose]())
beforeEach(() => house.empty())

describe('recording an event', () => {
  test('happens with the change or not at all', async () => {
    const failing = house.payments.transaction(async (trx) => {
      await recordEvent(trx, thingChanged, { n: 1 }, { aggregate: 'thing:1' })
      throw new Error('changed my mind')
    })
    await expect(failing).rejects.toThrow('changed my mind')
    expect(await house.unsent()).toBe(0)
  })

  test('refuses what could never be read or sent, and says what to do', async () => {
    await expect(house.record({ n: 0.5 })).rejects.toThrow(/expected int/)
    await expect(house.record({ n: 1 }, 'order:1')).rejects.toThrow('name the aggregate thing:<id>')
    await expect(house.record({ n: 1, text: 'x'.repeat(65_536) })).rejects.toThrow(
      'send a reference instead',
    )
    expect(await house.unsent()).toBe(0)
  })
})

describe('the relay', () => {
  test('delivers while the bus was away exactly what was recorded, in the trace it was recorded in', async () => {
    const received: unknown[] = []
    house.consume('exact', async (event) => {
      received.push({ ...event, traceId: currentTrace()?.traceId })
    })
    house.relay()
    await house.nats.stop()
    const trace = startTrace()
    const data = { n: 1, text: '贵州茅台 "600519" \\ \u2028 🐉 ' + 'x'.repeat(60_000) }
    const id = await runInTrace(trace, () => house.record(data))
    const { rows } = await sql<{ created_at: Date }>`select created_at from outbox`.execute(
      house.admin.db,
    )
    await house.nats.start()
    await vi.waitFor(() => expect(received).toHaveLength(1), soon)
    expect(received[0]).toMatchObject({
      id,
      data,
      type: thingChanged.name,
      source: 'payments',
      aggregate: 'thing:1',
      aggregateSeq: 1,
      time: rows[0]?.created_at.toISOString(),
      traceId: trace.traceId,
    })
    await vi.waitFor(async () => expect(await house.unsent()).toBe(0), soon)
  }, 40_000)

  test('sends only what its own app recorded', async () => {
    house.relay()
    await recordEvent(house.provisioner.db, thingChanged, { n: 1 }, { aggregate: 'thing:other' })
    await house.record({ n: 2 })
    await vi.waitFor(async () => expect(await house.unsent()).toBe(1), soon)
    const { rows } = await sql`select producer from outbox where sent_at is null`.execute(
      house.admin.db,
    )
    expect(rows).toEqual([{ producer: 'provisioner' }])
  })

  test('an event nobody takes holds up its own aggregate only, and says why', async () => {
    const registry = new Registry()
    house.relay({ metrics: { registry }, upkeepMs: 100 })
    await house.record({ n: 1 }, 'thing:stuck')
    await sql`update outbox set subject = 'nobody.keeps.this'`.execute(house.admin.db)
    await house.record({ n: 2 }, 'thing:stuck')
    await house.record({ n: 3 }, 'thing:free')
    const state = async () =>
      (
        await sql<{ n: number; attempts: number; error: string | null }>`
        select (payload->>'n')::int as n, attempts, last_error as error from outbox where sent_at is null order by seq`.execute(
          house.admin.db,
        )
      ).rows
    await vi.waitFor(async () => {
      const [stuck, successor] = await state()
      expect(stuck?.attempts).toBeGreaterThan(1)
      expect(stuck?.error).toContain('jetstream')
      expect(successor).toMatchObject({ n: 2, attempts: 0 })
      expect(await state()).toHaveLength(2)
    }, soon)
    await vi.waitFor(async () => {
      const text = await registry.metrics()
      expect(text).toContain('twilight_outbox_unsent 2')
      expect(text).toMatch(/twilight_outbox_oldest_unsent_seconds [1-9.]/)
    }, soon)
  })

  test('keeps sent rows for 48 hours and no longer', async () => {
    await house.record({ n: 1 })
    await house.record({ n: 2 }, 'thing:2')
    await sql`update outbox set sent_at = now() - interval '49 hours', stream = 'TEST', stream_seq = 1 where aggregate = 'thing:2'`.execute(
      house.admin.db,
    )
    house.relay()
    await vi.waitFor(async () => {
      const { rows } = await sql`select aggregate from outbox where sent_at is not null`.execute(
        house.admin.db,
      )
      expect(rows).toEqual([{ aggregate: 'thing:1' }])
    }, soon)
  })
})
