import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A process that cannot be mistaken for a later one with the same number. */
export type ProcessIdentity = { pid: number; started: string }

/** Undefined when there is no such process (a zombie has ended, too). */
export function identify(pid: number): ProcessIdentity | undefined {
  const started = process.platform === 'linux' ? linuxStart(pid) : psField(pid, 'lstart=')
  return started === undefined ? undefined : { pid, started }
}

export function isRunning(identity: ProcessIdentity): boolean {
  const now = identify(identity.pid)
  return now !== undefined && now.started === identity.started
}

/** The command line; undefined when the process has gone or is not ours to look at. */
export function commandOf(pid: number): string | undefined {
  const text =
    process.platform === 'linux'
      ? readIfThere(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ').trim()
      : psField(pid, 'command=')
  return text === undefined || text === '' ? undefined : text
}

export function parentOf(pid: number): number | undefined {
  const text = process.platform === 'linux' ? linuxStat(pid)?.[1] : psField(pid, 'ppid=')
  const parent = Number(text)
  return Number.isInteger(parent) && parent > 0 ? parent : undefined
}

function linuxStart(pid: number): string | undefined {
  const fields = linuxStat(pid)
  if (!fields || fields[0] === 'Z' || fields[0] === 'X') return undefined
  // Clock ticks since boot, so the boot is part of it.
  const boot = readIfThere('/proc/sys/kernel/random/boot_id')?.slice(0, 8) ?? ''
  return `${boot}:${fields[19] ?? ''}`
}

/** The fields of /proc/pid/stat behind the name, which may itself hold spaces and brackets. */
function linuxStat(pid: number): string[] | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`)
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // The process ended, or belongs to somebody else.
    return undefined
  }
}

function psField(pid: number, field: string): string | undefined {
  try {
    const output = execFileSync('ps', ['-p', String(pid), '-o', field], {
      encoding: 'utf8',
      timeout: 5000,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return output.trim() || undefined
  } catch {
    // ps ends with 1 when there is no such process.
    return undefined
  }
}
