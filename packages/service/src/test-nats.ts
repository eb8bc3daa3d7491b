import { execFileSync } from 'node:child_process'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startNatsServer } from '@twilight/stack/nats-server'

/**
 * A real server that a test may stop, kill, freeze, wipe and start again on the same port.
 *
 *     await using nats = await startTestNats()
 *     await nats.kill()
 *     await nats.start()
 */
export async function startTestNats(): Promise<TestNats> {
  const dataDir = await mkdtemp(join(tmpdir(), 'test-nats-'))
  let server = await startNatsServer({ dataDir })
  let thaw: (() => void) | undefined
  const { port, url } = server
  const start = async () => {
    server = await startNatsServer({ dataDir, port })
  }
  const kill = async () => {
    server.signal('SIGKILL')
    await server.exited
  }
  return {
    url,
    start,
    kill,
    stop: () => server.stop(),
    freeze: () => {
      thaw = freezeProcess(server.pid)
    },
    thaw: () => thaw?.(),
    wipe: async () => {
      await kill()
      await rm(join(dataDir, 'jetstream'), { recursive: true, force: true })
      await start()
    },
    snapshot: async () => {
      await server.stop()
      await cp(join(dataDir, 'jetstream'), join(dataDir, 'snapshot'), { recursive: true })
      await start()
      return async () => {
        await kill()
        await rm(join(dataDir, 'jetstream'), { recursive: true, force: true })
        await cp(join(dataDir, 'snapshot'), join(dataDir, 'jetstream'), { recursive: true })
        await start()
      }
    },
    [Symbol.asyncDispose]: async () => {
      thaw?.()
      await server.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

export type TestNats = AsyncDisposable & {
  url: string
  stop: () => Promise<void>
  kill: () => Promise<void>
  start: () => Promise<void>
  freeze: () => void
  thaw: () => void
  /** kills it and starts it again with nothing of what it held */
  wipe: () => Promise<void>
  /** remembers what it holds now; the answer brings it back to that, as a crash without fsync may */
  snapshot: () => Promise<() => Promise<void>>
}

/** Stops a process and its children without closing a socket of theirs; returns how to let them go on. */
export function freezeProcess(pid: number): () => void {
  const pids = [pid, ...childrenOf(pid)]
  for (const one of pids) signalProcess(one, 'SIGSTOP')
  return () => {
    for (const one of pids) signalProcess(one, 'SIGCONT')
  }
}

function childrenOf(pid: number): number[] {
  return execFileSync('ps', ['-A', '-o', 'ppid=,pid='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([parent, child]) => (parent === pid && child !== undefined ? [child] : []))
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended meanwhile, which is fine: nothing is left to signal.
  }
}
