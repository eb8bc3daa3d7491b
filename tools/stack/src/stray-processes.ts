import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { commandOf } from './process-identity.ts'

/**
 * Processes that carry `NAME=value` in the environment they were started with: children and their
 * children, also those that made a session of their own. This process itself is not listed.
 */
export function findProcessesWith(mark: string): { pid: number; command: string }[] {
  const pids = process.platform === 'linux' ? linuxPids(mark) : psPids(mark)
  return pids
    .filter((pid) => pid !== process.pid)
    .flatMap((pid) => {
      // It may have ended since.
      const command = commandOf(pid)
      return command === undefined ? [] : [{ pid, command }]
    })
}

function linuxPids(mark: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && environmentOf(name).includes(mark))
    .map(Number)
}

function environmentOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
  } catch {
    return [] // Ended, or somebody else's: not one of ours.
  }
}

function psPids(mark: string): number[] {
  const options = { encoding: 'utf8', timeout: 10_000, maxBuffer: 64 * 1024 * 1024 } as const
  return execFileSync('ps', ['-axwwE', '-o', 'pid=,command='], options)
    .split('\n')
    .filter((line) => line.includes(mark) && !line.includes('ps -axwwE'))
    .map((line) => Number.parseInt(line, 10))
}
