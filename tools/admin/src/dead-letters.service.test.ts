import { execFile } from 'node:child_process'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { paymentSettled } from '@twilight/contracts/events'
import { consumers } from '@twilight/contracts/streams'
import { createTestDatabase, type TestDatabase } from '@twilight/database/test-database'
import { createLogger } from '@twilight/service/log'
import { type Bus, connectBus } from '@twilight/service/nats'
import { PermanentError } from '@twilight/service/nats-settle'
import { recordEvent, startOutboxRelay } from '@twilight/service/outbox'
import { connectPostgres } from '@twilight/service/postgres'
import { type NatsServer, startNatsServer } from '@twilight/stack/nats-server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'

const log = createLogger({ service: 'admin-test', version: '1', level: 'silent' })
const listed = z.array(z.object({ id: z.string(), reason: z.string(), consumer: z.string() }))
let database: TestDatabase
let nats: NatsServer
let bus: Bus

beforeAll(async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'twilight-admin-nats-'))
  ;[database, nats] = await Promise.all([
    createTestDatabase({ durable: false }),
    startNatsServer({ dataDir, temporary: true }),
  ])
  bus = await connectBus({ url: nats.url, service: 'payments', log })
})

afterAll(async () => {
  await bus[Symbol.asyncDispose]()
  await nats.stop()
  await database[Symbol.asyncDispose]()
})

test('an operator finds the message nobody could handle, with its reason, and replays it once it can be', async () => {
  const handled: string[] = []
  let mended = false
  await using postgres = connectPostgres({
    url: database.urlFor('payments'),
    applicationName: 'admin-test',
    log,
  })
  await using running = new AsyncDisposableStack()
  running.use(startOutboxRelay({ postgres, bus, log, producer: 'payments' }))
  const consumer = bus.consume(consumers.provisionerPaymentSettled, async (event) => {
    if (event.data.payment_id === 'poison' && !mended) {
      throw new PermanentError('no plan is called gold')
    }
    handled.push(event.data.payment_id)
  })
  running.use(consumer)
  await postgres.transaction(async (trx) => {
    for (const id of ['poison', 'neighbour']) {
      const settled = {
        payment_id: id,
        user_id: 'u1',
        amount_fen: 19_800,
        settled_at: '2026-11-20T01:02:03.000Z',
      }
      await recordEvent(trx, paymentSettled, settled, { aggregate: `payment:${id}` })
    }
  })

  const [letter] = await until(async () => {
    const letters = listed.parse(JSON.parse(await admin(['dead-letters', 'list', '--json'])))
    return letters.length > 0 && handled.includes('neighbour') ? letters : undefined
  })
  expect(letter?.reason).toContain('no plan is called gold')
  expect(await admin(['dead-letters', 'list'])).toContain('payments.payment.settled')

  mended = true
  expect(await admin(['dead-letters', 'replay', letter?.id ?? ''])).toBe('Replayed 1.\n')
  await until(async () => (handled.includes('poison') ? true : undefined))
  expect(handled).toEqual(['neighbour', 'poison'])
  expect(await admin(['dead-letters', 'list'])).toBe('There are no dead letters.\n')
})

function admin(words: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [join(import.meta.dirname, 'main.ts'), ...words],
      { cwd: tmpdir(), env: { NATS_URL: nats.url }, timeout: 15_000 },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`${error.message}\n${stderr}`))
        else resolve(stdout)
      },
    )
  })
}

async function until<T>(find: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 15_000
  while (Date.now() < deadline) {
    const found = await find()
    if (found !== undefined) return found
    await sleep(100)
  }
  throw new Error('Not seen within 15 s.')
}
