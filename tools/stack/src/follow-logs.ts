import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { logFile, tailOf } from './log-files.ts'

const pollEveryMs = 250
const chunkBytes = 256 * 1024

/** Prints the ends of the logs, each line with its name when there are several, and then what is added. */
export async function followLogs(options: {
  home: string
  names: string[]
  lines: number
  follow: boolean
  write: (line: string) => void
  signal: AbortSignal
}): Promise<void> {
  const { home, write, signal } = options
  const known = knownLogs(home)
  const unknown = options.names.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    const list = known.length > 0 ? `There are: ${known.join(', ')}.` : 'Nothing has run here yet.'
    throw new Error(`There is no log "${unknown}". ${list}`)
  }
  const names = options.names.length > 0 ? options.names : known
  const prefix = (name: string) => (names.length > 1 ? `${name.padEnd(width(names))} | ` : '')
  const offsets = new Map<string, number>()
  for (const name of names) {
    const file = logFile(home, name)
    offsets.set(name, statSync(file).size)
    for (const line of tailOf(file, options.lines)) write(`${prefix(name)}${line}`)
  }
  while (options.follow && !signal.aborted) {
    for (const name of names) {
      const { lines, offset } = readNewLines(logFile(home, name), offsets.get(name) ?? 0)
      offsets.set(name, offset)
      for (const line of lines) write(`${prefix(name)}${line}`)
    }
    // An abort ends the wait and, with it, the loop.
    await sleep(pollEveryMs, undefined, { signal }).catch(() => {})
  }
}

function knownLogs(home: string): string[] {
  const folder = join(home, 'logs')
  if (!existsSync(folder)) return []
  const files = readdirSync(folder).filter((name) => name.endsWith('.log'))
  return files.map((name) => name.slice(0, -'.log'.length)).toSorted()
}

function width(names: string[]): number {
  return Math.max(...names.map((name) => name.length))
}

/** Whole lines since the offset; a file that became shorter was cut, and is read from its start. */
function readNewLines(file: string, from: number): { lines: string[]; offset: number } {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  const start = size < from ? 0 : from
  if (size === start) return { lines: [], offset: start }
  const handle = openSync(file, 'r')
  try {
    const buffer = Buffer.alloc(Math.min(size - start, chunkBytes))
    const length = readSync(handle, buffer, 0, buffer.length, start)
    const end = buffer.lastIndexOf('\n', length - 1) + 1
    // A line longer than the buffer is shown in pieces rather than never.
    const used = end > 0 ? end : length === chunkBytes ? length : 0
    const text = buffer.toString('utf8', 0, used)
    return { lines: text === '' ? [] : text.replace(/\n$/, '').split('\n'), offset: start + used }
  } finally {
    closeSync(handle)
  }
}
