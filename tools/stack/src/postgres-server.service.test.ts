import { chmod, lstat, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type PostgresServer, startPostgresServer } from './postgres-server.ts'
import { isRunning, identify } from './process-identity.ts'

const isRoot = process.getuid?.() === 0
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twilight-postgres-'))
  // Passable, so that root's Postgres keeps its data in here too.
  await chmod(folder, 0o755)
})

afterEach(() => rm(folder, { recursive: true, force: true }))

it('keeps its rows and its password over a stop', async () => {
  const dataDir = join(folder, 'data')
  const first = await startPostgresServer({ dataDir })
  await query(first, 'create table kept as select 7 as number')
  await first.stop()
  const second = await startPostgresServer({ dataDir, temporary: true })

  expect(await query(second, 'select number from kept')).toEqual([{ number: 7 }])
  await second.stop()
  expect(await lstat(dataDir).catch(() => 'gone')).toBe('gone')
})

it('starts on a folder whose server was killed, whatever its postmaster.pid says', async () => {
  const dataDir = join(folder, 'data')
  const killed = await startPostgresServer({ dataDir })
  const pidFile = join(killed.dataDir, 'postmaster.pid')
  const content = await readFile(pidFile, 'utf8')
  killed.signal('SIGKILL')
  await killed.exited
  // The number of the dead server belongs to another process by now.
  await writeFile(pidFile, content.replace(/^\d+/, String(process.pid)))
  const server = await startPostgresServer({ dataDir, temporary: true })

  expect(await query(server, 'select 1 as one')).toEqual([{ one: 1 }])
  await server.stop()
})

it('takes the folder from a server that was left running on it', async () => {
  const dataDir = join(folder, 'data')
  const forgotten = await startPostgresServer({ dataDir })
  const identity = identify(forgotten.pid)
  const server = await startPostgresServer({ dataDir, temporary: true })

  expect(identity && isRunning(identity)).toBe(false)
  expect(await query(server, 'select 1 as one')).toEqual([{ one: 1 }])
  await server.stop()
})

it('never empties a data folder whose password is missing', async () => {
  const dataDir = join(folder, 'data')
  const server = await startPostgresServer({ dataDir })
  await server.stop()
  await rm(join(server.dataDir, 'superuser-password'))

  await expect(startPostgresServer({ dataDir })).rejects.toThrow('superuser-password is missing')
  expect(await readFile(join(server.dataDir, 'PG_VERSION'), 'utf8')).toBe('18\n')
  await rm(server.dataDir, { recursive: true })
})

it('gives up starting when it is told to, and leaves nothing running', async () => {
  const stop = new AbortController()
  const pids: number[] = []
  const start = startPostgresServer({
    dataDir: join(folder, 'data'),
    signal: stop.signal,
    onSpawn: (pid) => {
      pids.push(pid)
      stop.abort(new Error('told to'))
    },
  })

  await expect(start).rejects.toThrow('told to')
  expect(pids.map(identify)).toEqual(pids.map(() => undefined))
})

describe.runIf(isRoot)('as root', () => {
  it('runs as somebody else, in the folder asked for where that can be reached', async () => {
    const dataDir = join(folder, 'data')
    const server = await startPostgresServer({ dataDir, temporary: true })

    expect(server.dataDir).toBe(dataDir)
    expect((await lstat(dataDir)).uid).not.toBe(0)
    await server.stop()
  })

  it('lives elsewhere, behind a link, where only root may pass', async () => {
    const dataDir = join(folder, 'private', 'data')
    await mkdir(join(folder, 'private'), { mode: 0o700 })
    const first = await startPostgresServer({ dataDir })
    await query(first, 'create table kept as select 7 as number')
    await first.stop()
    const second = await startPostgresServer({ dataDir, temporary: true })

    expect((await lstat(dataDir)).isSymbolicLink()).toBe(true)
    expect(second.dataDir).toBe(first.dataDir)
    expect(await query(second, 'select number from kept')).toEqual([{ number: 7 }])
    await second.stop()
    expect(await lstat(first.dataDir).catch(() => 'gone')).toBe('gone')
  })
})

async function query(server: PostgresServer, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: server.url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}
