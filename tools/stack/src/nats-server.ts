import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, open, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findFreePort } from './free-port.ts'
import { findNatsServer } from './nats-binary.ts'

/**
 * A real nats-server with JetStream on loopback, for `npm start` and for tests.
 *
 *     const nats = await startNatsServer({ dataDir: '.twilight/nats' })
 *     nats.url // nats://127.0.0.1:…
 *     await nats.stop()
 */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const binary = options.binary ?? (await findNatsServer())
  const port = options.port ?? (await findFreePort())
  await mkdir(options.dataDir, { recursive: true })
  const configFile = join(options.dataDir, 'nats.conf')
  await writeFile(configFile, config(port, options.dataDir))
  const log = await open(options.logFile ?? join(options.dataDir, 'server.log'), 'a')
  const child = spawn(binary, ['-c', configFile], { stdio: ['ignore', log.fd, log.fd], detached: true })
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  await log.close()
  await waitForInfo(child, port, options.startTimeoutMs ?? 10_000)
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    pid: child.pid as number,
    exited,
    signal: (signal) => child.kill(signal),
    stop: async () => {
      child.kill('SIGTERM')
      const inTime = await Promise.race([exited.then(() => true), sleep(5000, false, { ref: false })])
      if (!inTime) child.kill('SIGKILL')
      await exited
      if (options.temporary) await rm(options.dataDir, { recursive: true, force: true })
    },
  }
}

export type NatsServerOptions = {
  dataDir: string
  port?: number
  binary?: string
  logFile?: string
  startTimeoutMs?: number
  /** Remove the data after stop(): for tests. */
  temporary?: boolean
}

export type NatsServer = {
  url: string
  port: number
  pid: number
  exited: Promise<void>
  signal: (signal: NodeJS.Signals) => boolean
  stop: () => Promise<void>
}

/** Only settings that 2.9 (Debian) and current servers both know; limits everywhere, loopback only. */
function config(port: number, dataDir: string): string {
  return `
listen: "127.0.0.1:${port}"
max_payload: 1048576
max_connections: 256
write_deadline: "2s"
ping_interval: "20s"
jetstream {
  store_dir: ${JSON.stringify(join(dataDir, 'jetstream'))}
  max_memory_store: 67108864
  max_file_store: 1073741824
}
`
}

async function waitForInfo(child: ChildProcess, port: number, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`nats-server ended with code ${child.exitCode} while starting: see its log.`)
    if (await greets(port)) return
    await sleep(20)
  }
  child.kill('SIGKILL')
  throw new Error(`nats-server did not answer on port ${port} within ${timeoutMs} ms.`)
}

/** A NATS server speaks first: INFO {…}. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' })
    const done = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1000, () => done(false))
    socket.once('error', () => done(false))
    socket.once('data', (data) => done(data.toString('latin1').startsWith('INFO ')))
    socket.once('close', () => done(false))
  })
}
