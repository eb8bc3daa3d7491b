import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, open, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { childExit } from './child-exit.ts'
import { findFreePort } from './free-port.ts'
import { findNatsServer } from './nats-binary.ts'
import { askNatsInfo } from './nats-info.ts'

const stopTimeoutMs = 5000

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
  const logFile = options.logFile ?? join(options.dataDir, 'server.log')
  const log = await open(logFile, 'a')
  const child = spawn(binary, ['-c', configFile], {
    stdio: ['ignore', log.fd, log.fd],
    detached: true,
  })
  const exited = childExit(child)
  await log.close()
  if (child.pid !== undefined) options.onSpawn?.(child.pid)
  await waitForJetStream({ child, exited, port, logFile, options })
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    pid: child.pid ?? 0,
    exited,
    signal: (signal) => child.kill(signal),
    stop: async () => {
      child.kill('SIGTERM')
      const late = AbortSignal.timeout(stopTimeoutMs)
      late.addEventListener('abort', () => child.kill('SIGKILL'))
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
  /** Told of the process at its birth, so that it is never forgotten. */
  onSpawn?: (pid: number) => void
  /** Gives up starting. */
  signal?: AbortSignal
}

export type NatsServer = {
  url: string
  port: number
  pid: number
  exited: Promise<string>
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

async function waitForJetStream(start: {
  child: ChildProcess
  exited: Promise<string>
  port: number
  logFile: string
  options: NatsServerOptions
}): Promise<void> {
  const { child, exited, port, logFile, options } = start
  const deadline = Date.now() + (options.startTimeoutMs ?? 10_000)
  let ended: string | undefined
  void exited.then((how) => (ended = how))
  for (;;) {
    if (ended !== undefined) {
      throw new Error(`nats-server ended (${ended}) while starting: see ${logFile}.`)
    }
    if ((await askNatsInfo('127.0.0.1', port))?.jetstream) return
    if (Date.now() > deadline || options.signal?.aborted) break
    await sleep(20)
  }
  child.kill('SIGKILL')
  await exited
  options.signal?.throwIfAborted()
  throw new Error(`nats-server did not answer on port ${port} in time: see ${logFile}.`)
}
