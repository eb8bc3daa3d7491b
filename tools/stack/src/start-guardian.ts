import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { childExit } from './child-exit.ts'
import { keepRunning, type Running } from './keep-running.ts'
import { logFile } from './log-files.ts'
import type { OpenRunRecord } from './run-record.ts'

/** Keeps a guardian beside this process that ends everything recorded when this process is killed. */
export function startGuardian(options: {
  home: string
  record: OpenRunRecord
  say: (text: string) => void
  signal: AbortSignal
}): Promise<{ stop: () => Promise<void> }> {
  const { home, record, say, signal } = options
  return keepRunning({ name: 'guardian', start: () => Promise.resolve(launch()), say, signal })

  function launch(): Running {
    const log = openSync(logFile(home, 'stack'), 'a')
    const child: ChildProcess = spawn(
      process.execPath,
      [join(import.meta.dirname, 'guardian.ts'), '--home', home],
      { stdio: ['pipe', log, log], detached: true, cwd: '/' },
    )
    closeSync(log)
    // Writing nothing, yet a guardian that dies would end this process with a broken pipe.
    child.stdin?.on('error', () => {})
    if (child.pid !== undefined) record.setGuardian(child.pid)
    const exited = childExit(child)
    return {
      exited,
      stop: async () => {
        child.stdin?.end()
        await exited
      },
    }
  }
}
