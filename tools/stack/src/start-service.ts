import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, fstatSync, openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { childExit } from './child-exit.ts'
import type { Environment } from './config.ts'
import { httpStatus } from './http-status.ts'
import type { Running } from './keep-running.ts'
import { logFile, tailOf } from './log-files.ts'
import { identify } from './process-identity.ts'
import { endGroup, signalGroup } from './run-record.ts'

const startTimeoutMs = 60_000
/** A little longer than a service gives itself. */
const stopTimeoutMs = 25_000

/** Starts one of our own processes and waits until it answers; throws with the end of its log when it does not. */
export async function startService(options: ServiceStart): Promise<Running> {
  const file = logFile(options.home, options.name)
  const log = openSync(file, 'a')
  const logStart = fstatSync(log).size
  const child = spawn(process.execPath, [options.script], {
    env: options.environment,
    stdio: ['ignore', log, log],
    detached: true,
  })
  closeSync(log)
  const { pid } = child
  const exited = childExit(child).then((how) => {
    // Whatever it started itself goes with it.
    if (pid !== undefined) signalGroup(pid, 'SIGKILL')
    return how
  })
  const service = { exited, stop: () => stopService(child, exited) }
  if (pid !== undefined) options.onSpawn(pid)
  const problem = await waitForAnswer(options, exited)
  if (problem === undefined) return service
  await service.stop()
  options.signal.throwIfAborted()
  const said = tailOf(file, 15, logStart)
  const ending =
    said.length > 0 ? `The end of ${file}:\n  ${said.join('\n  ')}` : 'It logged nothing.'
  throw new Error(`${options.name} ${problem}. ${ending}`)
}

export type ServiceStart = {
  name: string
  home: string
  script: string
  environment: Environment
  /** Asked until it answers 200. */
  url: string
  onSpawn: (pid: number) => void
  signal: AbortSignal
}

async function waitForAnswer(
  options: ServiceStart,
  exited: Promise<string>,
): Promise<string | undefined> {
  const deadline = Date.now() + startTimeoutMs
  let ended: string | undefined
  let status: number | undefined
  void exited.then((how) => (ended = how))
  while (Date.now() < deadline && !options.signal.aborted) {
    if (ended !== undefined) return `ended (${ended}) while starting`
    status = await httpStatus(options.url, 2000)
    if (status === 200) return undefined
    await sleep(50)
  }
  const answer = status === undefined ? 'nothing answers' : `it answers ${status}`
  return `was not ready within ${startTimeoutMs / 1000} s: ${answer} at ${options.url}`
}

async function stopService(child: ChildProcess, exited: Promise<string>): Promise<void> {
  if (child.pid === undefined) return
  const identity = identify(child.pid)
  if (identity) await endGroup(identity, 'SIGTERM', stopTimeoutMs)
  await exited
}
