import { appendFileSync, closeSync, openSync, readSync, statSync } from 'node:fs'
import { copyFile, readdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { formatEvent, type Report } from './stack-event.ts'

const maxBytes = 10 * 1024 * 1024
const checkEveryMs = 15_000

export function logFile(home: string, name: string): string {
  return join(home, 'logs', `${name}.log`)
}

/**
 * Keeps every log below 10 MiB and one older generation beside it. Processes write to their file
 * themselves (they outlive a killed supervisor), so a full file is copied and cut, not renamed.
 */
export function keepLogsSmall(home: string, limitBytes = maxBytes): Disposable {
  let working = false
  const timer = setInterval(() => {
    if (working) return
    working = true
    void cutFullLogs(join(home, 'logs'), limitBytes).finally(() => (working = false))
  }, checkEveryMs)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

export async function cutFullLogs(folder: string, limitBytes: number): Promise<void> {
  for (const name of (await readdir(folder)).filter((entry) => entry.endsWith('.log'))) {
    const file = join(folder, name)
    if ((await stat(file)).size <= limitBytes) continue
    await copyFile(file, `${file}.1`)
    await truncate(file)
  }
}

/** What the supervisor tells, kept in stack.log with the time. */
export function reportToLog(home: string): Report {
  return (event) => {
    const line = formatEvent(event)
    if (line === undefined) return
    try {
      appendFileSync(logFile(home, 'stack'), `${new Date().toISOString()} ${line}\n`)
    } catch {
      // A full or vanished disk: the console has the same line, and the stack goes on.
    }
  }
}

/** The last lines of a log written since `from`; empty when there is none. */
export function tailOf(file: string, lines: number, from = 0): string[] {
  const maxTailBytes = 256 * 1024
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  const start = Math.max(from <= size ? from : 0, size - maxTailBytes)
  if (size === start) return []
  const handle = openSync(file, 'r')
  try {
    const buffer = Buffer.alloc(size - start)
    const length = readSync(handle, buffer, 0, buffer.length, start)
    const text = buffer.toString('utf8', 0, length).trimEnd()
    return lines === 0 || text === '' ? [] : text.split('\n').slice(-lines)
  } finally {
    closeSync(handle)
  }
}
