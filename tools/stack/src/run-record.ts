import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { identify, isRunning, type ProcessIdentity } from './process-identity.ts'
import { removeStackFile } from './stack-file.ts'
import { writeFileAtomically } from './write-file-atomically.ts'
import { codeOf } from './error-facts.ts'

/**
 * Which processes belong to the stack, on disk from the moment each is born: whoever finds the
 * supervisor dead (the guardian, the next start, `npm run stop`) can end the rest by it.
 */
export type RunRecord = {
  supervisor: ProcessIdentity
  guardian?: ProcessIdentity
  processes: RecordedProcess[]
  ports: number[]
}

export type RecordedProcess = ProcessIdentity & {
  name: string
  /** Higher stages start later and end earlier. */
  stage: number
  stopSignal: NodeJS.Signals
}

export function readRunRecord(home: string): RunRecord | undefined {
  try {
    const record: RunRecord = JSON.parse(readFileSync(recordFile(home), 'utf8'))
    return record
  } catch {
    // Nothing runs, and nothing was left behind.
    return undefined
  }
}

export function openRunRecord(home: string, ports: number[]): OpenRunRecord {
  const supervisor = identify(process.pid)
  if (!supervisor) throw new Error('This process cannot be found in the process table.')
  const record: RunRecord = { supervisor, processes: [], ports }
  const save = () => writeFileAtomically(recordFile(home), JSON.stringify(record, undefined, 2))
  save()
  return {
    setGuardian: (pid) => {
      const guardian = identify(pid)
      if (guardian) record.guardian = guardian
      save()
    },
    setProcess: (process) => {
      const identity = identify(process.pid)
      record.processes = record.processes.filter((other) => other.name !== process.name)
      if (identity) record.processes.push({ ...process, ...identity })
      save()
    },
  }
}

export type OpenRunRecord = {
  setGuardian: (pid: number) => void
  /** One process per name: a restarted app replaces its earlier self. */
  setProcess: (process: Omit<RecordedProcess, 'started'>) => void
}

/** Ends every process of the record that still runs, in reverse order; returns the names of those. */
export async function endRecordedProcesses(record: RunRecord): Promise<string[]> {
  const ended: string[] = []
  const stages = [...new Set(record.processes.map((entry) => entry.stage))].toSorted(
    (a, b) => b - a,
  )
  for (const stage of stages) {
    const alive = record.processes.filter((entry) => entry.stage === stage && isRunning(entry))
    ended.push(...alive.map((entry) => entry.name))
    await Promise.all(alive.map((entry) => endGroup(entry, entry.stopSignal, 10_000)))
  }
  return ended
}

/** Asks the process group to stop, insists after the deadline, and returns when its leader is gone. */
export async function endGroup(
  leader: ProcessIdentity,
  signal: NodeJS.Signals,
  timeoutMs: number,
): Promise<void> {
  signalGroup(leader.pid, signal)
  if (!(await waitUntilGone([leader], timeoutMs))) {
    signalGroup(leader.pid, 'SIGKILL')
    await waitUntilGone([leader], 5000)
  }
}

/** True when all of them have ended within the time. */
export async function waitUntilGone(all: ProcessIdentity[], timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  while (all.some(isRunning)) {
    if (Date.now() > deadline) return false
    await sleep(25)
  }
  return true
}

export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch (error) {
    // Gone; or its number belongs to a stranger by now.
    if (!['ESRCH', 'EPERM'].includes(codeOf(error) ?? '')) throw error
  }
}

/** Nothing runs any more: the files that say otherwise go. */
export function removeRunFiles(home: string): void {
  removeStackFile(home)
  rmSync(recordFile(home), { force: true })
}

function recordFile(home: string): string {
  return join(home, 'run.json')
}
