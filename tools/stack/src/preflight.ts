import { accessSync, constants, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StartConfig } from './config.ts'
import { findNatsServer } from './nats-binary.ts'
import { askNatsInfo } from './nats-info.ts'
import { takeOwnerLock } from './owner-lock.ts'
import { assertPortsFree } from './ports.ts'
import { postgresAnswers } from './postgres-answers.ts'
import { endRecordedProcesses, readRunRecord, removeRunFiles, waitUntilGone } from './run-record.ts'
import { loadSecrets, type StackSecrets } from './secrets.ts'
import {
  natsPortOffset,
  postgresPortOffset,
  presentServices,
  type ServiceRow,
  type StackTable,
} from './services.ts'
import { readStackFile } from './stack-file.ts'
import { codeOf } from './error-facts.ts'

/** Everything that can be known to go wrong goes wrong here, in one sentence, before anything starts. */
export async function checkBeforeStart(options: {
  config: StartConfig
  table: StackTable
  say: (text: string) => void
  signal: AbortSignal
}): Promise<Preparation> {
  const { config, table, say, signal } = options
  prepareHome(config.home)
  const release = lockHome(config.home)
  try {
    await cleanUpEarlierRun(config.home, say)
    const services = presentServices(table)
    const ports = portPlan(config, services)
    await assertPortsFree(ports)
    const secrets = loadSecrets(config.home, table.roles)
    if (config.databaseAdminUrl) await assertPostgresAnswers(config.databaseAdminUrl)
    if (config.natsUrl) await assertJetStream(config.natsUrl)
    const natsBinary =
      config.natsUrl === undefined ? await findNatsServer({ say, signal }) : undefined
    return { services, ports: ports.map(({ port }) => port), secrets, natsBinary, release }
  } catch (error) {
    release()
    throw error
  }
}

export type Preparation = {
  services: ServiceRow[]
  ports: number[]
  secrets: StackSecrets
  natsBinary: string | undefined
  release: () => void
}

/** Made and tried with a real write: what access() says is not the whole truth for root or a full disk. */
export function prepareHome(home: string): void {
  try {
    mkdirSync(join(home, 'logs'), { recursive: true })
    const probe = join(home, `.probe-${process.pid}`)
    writeFileSync(probe, '')
    rmSync(probe)
    accessSync(join(home, 'logs'), constants.W_OK)
  } catch (cause) {
    const code = codeOf(cause) ?? 'unknown reason'
    throw new Error(
      `Cannot write to the data folder ${home} (${code}): make it writable, or name another with --home.`,
      { cause },
    )
  }
}

/** Held as long as the supervisor lives; the lock of a killed one is taken over. */
function lockHome(home: string): () => void {
  const lock = takeOwnerLock(join(home, 'run.lock'))
  if ('release' in lock) return lock.release
  const stack = readStackFile(home)
  const where = stack?.ready ? `at ${Object.values(stack.urls)[0]} ` : ''
  throw new Error(
    `The stack is already ${stack?.ready ? 'running' : 'starting'} ${where}(process ${lock.owner.pid}): ` +
      'stop it with "npm run stop", or start another with --home DIR and --ports-from N.',
  )
}

async function cleanUpEarlierRun(home: string, say: (text: string) => void): Promise<void> {
  const record = readRunRecord(home)
  if (!record) return
  const ended = await endRecordedProcesses(record)
  // Its guardian may be doing the same; it must not remove the files of this run.
  if (record.guardian && !(await waitUntilGone([record.guardian], 30_000))) {
    process.kill(record.guardian.pid, 'SIGKILL')
  }
  removeRunFiles(home)
  const what =
    ended.length > 0 ? `ended what it had left running: ${ended.join(', ')}` : 'nothing of it runs'
  say(`The last start was killed; ${what}.`)
}

function portPlan(config: StartConfig, services: ServiceRow[]): { name: string; port: number }[] {
  const at = (name: string, offset: number) => ({ name, port: config.portsFrom + offset })
  return [
    ...services.map((row) => at(row.name, row.portOffset)),
    ...(config.databaseAdminUrl ? [] : [at('Postgres', postgresPortOffset)]),
    ...(config.natsUrl ? [] : [at('NATS', natsPortOffset)]),
  ]
}

async function assertPostgresAnswers(url: string): Promise<void> {
  const { hostname, port } = new URL(url)
  if (await postgresAnswers(hostname, Number(port || 5432))) return
  throw new Error(
    `No Postgres answers at ${hostname}:${port || 5432}, which DATABASE_ADMIN_URL names: start it, or unset that.`,
  )
}

async function assertJetStream(url: string): Promise<void> {
  const { hostname, port } = new URL(url)
  const where = `${hostname}:${port || 4222}, which NATS_URL names`
  const info = await askNatsInfo(hostname, Number(port || 4222))
  if (!info) throw new Error(`No NATS server answers at ${where}: start it, or unset that.`)
  if (!info.jetstream) {
    throw new Error(`The NATS server at ${where}, runs without JetStream: start it with -js.`)
  }
}
