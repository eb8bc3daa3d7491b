import { randomUUID } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Environment, TestConfig } from './config.ts'
import { signalGroup } from './run-record.ts'
import { runVitest } from './run-vitest.ts'
import { formatSeconds } from './stack-event.ts'
import { type CheckResult, runStaticChecks, type StaticCheck } from './static-checks.ts'
import { findProcessesWith } from './stray-processes.ts'

const leaveTimeoutMs = 3000

/** `npm test` and `npm run check`. Each static check counts one, each test one; the last line has the sum. */
export async function testCommand(options: {
  config: TestConfig
  environment: Environment
  checks: StaticCheck[]
  vitestArgs: string[]
  signal: AbortSignal
}): Promise<TestSummary> {
  const { config, signal } = options
  const say = (text: string) => (config.json ? console.error(text) : console.log(text))
  const mark = `TWILIGHT_TEST_RUN=${randomUUID()}`
  const environment = { ...options.environment, [mark.split('=')[0] ?? '']: mark.split('=')[1] }
  const summary: TestSummary = { passed: 0, failed: 0, skipped: 0, steps: [] }
  const add = (
    name: string,
    ms: number,
    counts: { passed: number; failed: number; skipped?: number },
  ) => {
    summary.passed += counts.passed
    summary.failed += counts.failed
    summary.skipped += counts.skipped ?? 0
    summary.steps.push({ name, ms: Math.round(ms), passed: counts.failed === 0 })
    say(`${counts.failed === 0 ? '✓' : '✗'} ${name.padEnd(16)} ${formatSeconds(ms)}`)
  }
  if (config.filters.length === 0) {
    const onResult = ({ name, ms, passed, output }: CheckResult) => {
      add(name, ms, { passed: passed ? 1 : 0, failed: passed ? 0 : 1 })
      if (!passed) say(indent(output))
    }
    await runStaticChecks({ checks: options.checks, environment, signal, onResult })
  }
  if (!signal.aborted) {
    const startedAt = performance.now()
    // Without isolation a file costs no new process: half the time. The whole run keeps it.
    const quick = config.quick
      ? ['--exclude', '**/*.service.test.ts', '--no-isolate', ...allCores()]
      : []
    const args = [...options.vitestArgs, ...config.filters, ...quick]
    const counts = await runVitest({ args, environment, output: config.json ? 2 : 1, signal })
    add('tests', performance.now() - startedAt, counts)
    for (const note of counts.notes) say(indent(note))
  }
  const startedAt = performance.now()
  const strays = await endStrays(mark)
  if (strays.length > 0) {
    add('nothing left', performance.now() - startedAt, { passed: 0, failed: 1 })
    say(indent(`The run left these running (ended now):\n${strays.join('\n')}`))
  }
  if (signal.aborted) add('interrupted', 0, { passed: 0, failed: 1 })
  return summary
}

export type TestSummary = {
  passed: number
  failed: number
  skipped: number
  steps: { name: string; ms: number; passed: boolean }[]
}

export function lastLine({ passed, failed, skipped }: TestSummary): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/** What the run started must be gone when it is over; what is not is ended, and named. */
async function endStrays(mark: string): Promise<string[]> {
  const deadline = Date.now() + leaveTimeoutMs
  let strays = findProcessesWith(mark)
  while (strays.length > 0 && Date.now() < deadline) {
    await sleep(50)
    strays = findProcessesWith(mark)
  }
  for (const { pid } of strays) {
    signalGroup(pid, 'SIGKILL')
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It went with its group.
    }
  }
  return strays.map(({ pid, command }) => `process ${pid}: ${command.slice(0, 300)}`)
}

/** Tests that start no server do not wait for each other; vitest alone would leave a core free. */
function allCores(): string[] {
  return [`--maxWorkers=${availableParallelism()}`]
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ')
}
