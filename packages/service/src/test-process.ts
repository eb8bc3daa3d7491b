import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { sql } from 'kysely'
import { pino } from 'pino'
import { handleOnce } from './inbox.ts'
import { connectBus } from './nats.ts'
import { startOutboxRelay } from './outbox.ts'
import { connectPostgres } from './postgres.ts'
import { testConsumer, testStreams } from './test-contracts.ts'

/** A process of its own, for tests that kill or freeze one: a relay, or a consumer with an effect. */
export async function spawnTestProcess(options: TestProcessOptions): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    [import.meta.filename, ...Object.entries(options).map(([name, value]) => `--${name}=${value}`)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  await once(child.stdout, 'data')
  return child
}

export type TestProcessOptions = {
  role: 'relay' | 'consumer'
  postgres: string
  nats: string
  producer?: string
  consumer?: string
}

if (process.argv[1] === import.meta.filename) await main()

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      role: { type: 'string', default: '' },
      postgres: { type: 'string', default: '' },
      nats: { type: 'string', default: '' },
      producer: { type: 'string', default: '' },
      consumer: { type: 'string', default: '' },
    },
  })
  const log = pino({ level: 'silent' })
  await using postgres = connectPostgres({
    url: values.postgres,
    applicationName: values.role,
    log,
  })
  await using bus = await connectBus({
    url: values.nats,
    service: values.role,
    log,
    streams: testStreams,
  })
  await using resources = new AsyncDisposableStack()
  if (values.role === 'relay') {
    resources.use(startOutboxRelay({ postgres, bus, log, producer: values.producer, pollMs: 100 }))
  } else {
    const contract = testConsumer(values.consumer, { ackWaitMs: 1000 })
    resources.use(
      bus.consume(contract, async (event) => {
        if (event.data.text === 'kill') process.kill(process.pid, 'SIGKILL')
        await handleOnce(
          postgres.db,
          { consumer: contract.name, eventId: event.id, ...event },
          async (trx) => {
            await sql`insert into effects (event_id, aggregate, n) values (${event.id}, ${event.aggregate}, ${event.data.n})`.execute(
              trx,
            )
            if (event.data.text === 'slow') await sql`select pg_sleep(1.2)`.execute(trx)
          },
        )
      }),
    )
  }
  process.stdout.write('ready\n')
  await once(process, 'SIGTERM')
}
