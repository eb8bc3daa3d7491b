import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { childExit } from './child-exit.ts'
import type { Environment } from './config.ts'
import { signalGroup } from './run-record.ts'

const keptOutput = 20_000

/** Runs a program to its end with its output collected; its whole process group ends with the deadline. */
export async function runProgram(options: {
  program: string
  args: string[]
  environment: Environment
  cwd: string
  timeoutMs: number
  signal?: AbortSignal | undefined
  onSpawn?: (pid: number) => void
}): Promise<ProgramResult> {
  const child = spawn(options.program, options.args, {
    cwd: options.cwd,
    env: options.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  if (child.pid !== undefined) options.onSpawn?.(child.pid)
  let output = ''
  const collect = (data: Buffer) => (output = (output + data.toString('utf8')).slice(-keptOutput))
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  let cut: string | undefined
  const end = (why: string) => () => {
    cut = why
    if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
  }
  const timer = setTimeout(end(`not done in ${options.timeoutMs / 1000} s`), options.timeoutMs)
  const abort = end('stopped')
  options.signal?.addEventListener('abort', abort)
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const how = await childExit(child)
  // The last of its output; a process it left behind may hold the pipe open, and is not waited for.
  await Promise.race([closed, sleep(1000, undefined, { ref: false })])
  child.stdout.destroy()
  child.stderr.destroy()
  clearTimeout(timer)
  options.signal?.removeEventListener('abort', abort)
  return { ok: how === 'code 0', how: cut ?? how, output: output.trimEnd() }
}

export type ProgramResult = { ok: boolean; how: string; output: string }

export function findProgram(name: string, path: string): string | undefined {
  for (const folder of path.split(delimiter).filter((entry) => entry !== '')) {
    const file = join(folder, name)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      continue // Not in this folder.
    }
  }
  return undefined
}
