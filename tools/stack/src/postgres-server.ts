import { type ChildProcess, spawn } from 'node:child_process'
import { open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { childExit } from './child-exit.ts'
import { findFreePort } from './free-port.ts'
import { tailOf } from './log-files.ts'
import { postgresAnswers } from './postgres-answers.ts'
import { initialiseCluster } from './postgres-cluster.ts'
import { findPlace, type Place } from './postgres-place.ts'
import { commandOf, identify } from './process-identity.ts'
import { waitUntilGone } from './run-record.ts'

const fastStopMs = 10_000

/**
 * A real Postgres from the binaries an npm package ships, for `npm start` and for tests.
 *
 *     const postgres = await startPostgresServer({ dataDir: '.twilight/postgres' })
 *     postgres.url // postgres://twilight:…@127.0.0.1:…/postgres
 *     await postgres.stop()
 *
 * Postgres refuses to run as root, so root starts it as the user `nobody`; where `nobody` cannot
 * reach the checkout (a clone below /root, say) data and binaries move to a folder it can reach.
 */
export async function startPostgresServer(options: PostgresServerOptions): Promise<PostgresServer> {
  const place = await findPlace(options.dataDir)
  const superuser = await initialiseCluster(place, options.onSpawn)
  await endForgottenPostmaster(place.dataDir)
  const port = options.port ?? (await findFreePort())
  const logFile = options.logFile ?? join(place.dataDir, 'server.log')
  const { child, exited } = await launch(place, port, logFile, options)
  return {
    url: `postgres://${superuser.user}:${superuser.password}@127.0.0.1:${port}/postgres`,
    port,
    pid: child.pid ?? 0,
    dataDir: place.dataDir,
    exited,
    signal: (signal) => child.kill(signal),
    stop: async () => {
      // SIGINT is Postgres' "fast" shutdown: it ends sessions instead of waiting for them.
      child.kill('SIGINT')
      const late = AbortSignal.timeout(fastStopMs)
      late.addEventListener('abort', () => child.kill('SIGKILL'))
      await exited
      if (!options.temporary) return
      await rm(place.dataDir, { recursive: true, force: true })
      await rm(options.dataDir, { recursive: true, force: true })
    },
  }
}

export type PostgresServerOptions = {
  /** Where the cluster lives; created when missing. Becomes a link where the cluster has to live elsewhere. */
  dataDir: string
  port?: number
  logFile?: string
  startTimeoutMs?: number
  /** Remove the data after stop(): for tests. */
  temporary?: boolean
  /** Told of every process at its birth (initdb, then the server), so that none is ever forgotten. */
  onSpawn?: (pid: number) => void
  /** Gives up starting. */
  signal?: AbortSignal
}

export type PostgresServer = {
  url: string
  port: number
  pid: number
  dataDir: string
  exited: Promise<string>
  signal: (signal: NodeJS.Signals) => boolean
  stop: () => Promise<void>
}

async function launch(
  place: Place,
  port: number,
  logFile: string,
  options: PostgresServerOptions,
): Promise<{ child: ChildProcess; exited: Promise<string> }> {
  const deadline = Date.now() + (options.startTimeoutMs ?? 30_000)
  for (;;) {
    const log = await open(logFile, 'a')
    const logStart = (await log.stat()).size
    const child = spawn(
      join(place.binDir, 'postgres'),
      ['-D', place.dataDir, '-p', String(port), '-k', '', '-c', 'listen_addresses=127.0.0.1'],
      { stdio: ['ignore', log.fd, log.fd], cwd: place.dataDir, detached: true, ...place.owner },
    )
    const exited = childExit(child)
    await log.close()
    if (child.pid !== undefined) options.onSpawn?.(child.pid)
    const outcome = await waitForSessions({ exited, port, deadline, signal: options.signal })
    if (outcome === 'answers') return { child, exited }
    child.kill('SIGKILL')
    const how = await exited
    options.signal?.throwIfAborted()
    // After a kill -9 the sessions of the old server need a moment to notice, and hold its memory until then.
    const said = tailOf(logFile, 20, logStart).join('\n')
    if (outcome === 'late' || !/shared memory block|lock file/.test(said)) {
      const problem = outcome === 'late' ? 'did not take sessions in time' : `ended (${how})`
      throw new Error(`Postgres ${problem} while starting on port ${port}:\n${said}`)
    }
    await sleep(250)
  }
}

async function waitForSessions(start: {
  exited: Promise<string>
  port: number
  deadline: number
  signal: AbortSignal | undefined
}): Promise<'answers' | 'ended' | 'late'> {
  let ended = false
  void start.exited.then(() => (ended = true))
  while (Date.now() < start.deadline && !start.signal?.aborted) {
    if (ended) return 'ended'
    if (await postgresAnswers('127.0.0.1', start.port)) return 'answers'
    await sleep(25)
  }
  return 'late'
}

/**
 * postmaster.pid outlives a killed server. Its number may belong to a stranger by now, and then
 * Postgres would refuse to start; or to a server of this very folder that nobody stopped.
 */
async function endForgottenPostmaster(dataDir: string): Promise<void> {
  const file = join(dataDir, 'postmaster.pid')
  const content = await readFile(file, 'utf8').catch(() => undefined)
  if (content === undefined) return
  const identity = identify(Number(content.split('\n')[0]))
  const command = identity && commandOf(identity.pid)
  if (!identity || !command?.includes('postgres') || !command.includes(dataDir)) {
    await rm(file, { force: true })
    return
  }
  process.kill(identity.pid, 'SIGINT')
  if (await waitUntilGone([identity], fastStopMs)) return
  process.kill(identity.pid, 'SIGKILL')
  await waitUntilGone([identity], 5000)
}
