import { setTimeout as sleep } from 'node:timers/promises'
import { isFree } from './ports.ts'
import { isRunning } from './process-identity.ts'
import {
  endRecordedProcesses,
  readRunRecord,
  removeRunFiles,
  type RunRecord,
  waitUntilGone,
} from './run-record.ts'
import { formatSeconds } from './stack-event.ts'

/** A supervisor gives its services 25 s, and its servers a little more. */
const cleanStopMs = 60_000

/** Stops what runs in this home folder, kills what does not listen, and returns when all of it is gone. */
export async function stopStack(options: {
  home: string
  say: (text: string) => void
}): Promise<{ stopped: boolean; processes: string[]; ms: number }> {
  const { home, say } = options
  const startedAt = performance.now()
  const record = readRunRecord(home)
  if (!record) {
    say('Nothing is running.')
    return { stopped: false, processes: [], ms: 0 }
  }
  const running = record.processes.filter(isRunning).map((entry) => entry.name)
  await stopSupervisor(record, say)
  const late = await endRecordedProcesses(record)
  if (record.guardian && !(await waitUntilGone([record.guardian], 10_000))) {
    process.kill(record.guardian.pid, 'SIGKILL')
  }
  removeRunFiles(home)
  await waitForPorts(record.ports)
  const ms = Math.round(performance.now() - startedAt)
  if (late.length > 0) say(`Ended what was left without a supervisor: ${late.join(', ')}.`)
  const what = running.length > 0 ? running.join(', ') : 'nothing was left to stop'
  say(`Stopped in ${formatSeconds(ms)}: ${what}.`)
  return { stopped: true, processes: running, ms }
}

async function stopSupervisor(record: RunRecord, say: (text: string) => void): Promise<void> {
  const { supervisor } = record
  if (!isRunning(supervisor)) return
  say('Stopping everything.')
  process.kill(supervisor.pid, 'SIGTERM')
  if (await waitUntilGone([supervisor], cleanStopMs)) return
  say(`The supervisor did not stop within ${cleanStopMs / 1000} s: killing it.`)
  process.kill(supervisor.pid, 'SIGKILL')
  await waitUntilGone([supervisor], 5000)
}

async function waitForPorts(ports: number[]): Promise<void> {
  const deadline = Date.now() + 10_000
  for (const port of ports) {
    while (!(await isFree(port))) {
      if (Date.now() > deadline) throw new Error(`Port ${port} is still open: see who has it.`)
      await sleep(50)
    }
  }
}
