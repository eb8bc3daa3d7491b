import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { childExit } from './child-exit.ts'
import { type Environment, repositoryRoot } from './config.ts'
import { signalGroup } from './run-record.ts'

const timeoutMs = 30 * 60_000

export type TestCounts = { passed: number; failed: number; skipped: number; notes: string[] }

/** Runs the tests with their output live on `output`, and counts what its report says. */
export async function runVitest(options: {
  args: string[]
  environment: Environment
  output: 1 | 2
  signal: AbortSignal
}): Promise<TestCounts> {
  const folder = await mkdtemp(join(tmpdir(), 'twilight-test-'))
  try {
    const report = join(folder, 'report.json')
    const how = await runToEnd(report, options)
    const text = await readFile(report, 'utf8').catch(() => undefined)
    if (text === undefined) {
      return { passed: 0, failed: 1, skipped: 0, notes: [`vitest ended with ${how}, no report.`] }
    }
    return count(JSON.parse(text), how)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function runToEnd(
  report: string,
  options: { args: string[]; environment: Environment; output: 1 | 2; signal: AbortSignal },
): Promise<string> {
  const child = spawn(
    join(repositoryRoot, 'node_modules/.bin/vitest'),
    ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`].concat(
      options.args,
    ),
    {
      cwd: repositoryRoot,
      env: options.environment,
      stdio: ['ignore', options.output, 2],
      // A group of its own, so that all of it can be ended at once.
      detached: true,
    },
  )
  const end = () => {
    if (child.pid !== undefined) signalGroup(child.pid, 'SIGTERM')
  }
  const timer = setTimeout(end, timeoutMs)
  options.signal.addEventListener('abort', end)
  const how = await childExit(child)
  clearTimeout(timer)
  options.signal.removeEventListener('abort', end)
  return how
}

function count(report: VitestReport, how: string): TestCounts {
  // A file can fail although each test in it passed: an import, a hook, a handle left open.
  const brokenFiles = report.testResults.filter(
    (file) =>
      file.status === 'failed' && file.assertionResults.every(({ status }) => status !== 'failed'),
  )
  const failed = report.numFailedTests + brokenFiles.length
  // And a run can fail although no file did: an error outside any test.
  const silent = how !== 'code 0' && failed === 0
  return {
    passed: report.numPassedTests,
    failed: failed + (silent ? 1 : 0),
    skipped: report.numPendingTests + report.numTodoTests,
    notes: silent ? [`vitest ended with ${how} although no test failed: see above.`] : [],
  }
}

type VitestReport = {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
  testResults: { name: string; status: string; assertionResults: { status: string }[] }[]
}
