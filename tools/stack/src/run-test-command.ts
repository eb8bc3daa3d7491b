import { readEnvironment, readTestConfig } from './config.ts'
import { messageOf } from './error-facts.ts'
import type { StaticCheck } from './static-checks.ts'
import { lastLine, testCommand } from './test-command.ts'

/** The process around the test command: its arguments, signals, last line and exit code. */
export async function runTestCommand(options: {
  argv: string[]
  checks: StaticCheck[]
  vitestArgs: string[]
}): Promise<number> {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stop.abort(new Error(`Ended by ${signal}.`)))
  }
  try {
    const config = readTestConfig(options.argv)
    const environment = readEnvironment()
    const summary = await testCommand({ ...options, config, environment, signal: stop.signal })
    if (config.json) console.log(JSON.stringify(summary))
    console[config.json ? 'error' : 'log'](lastLine(summary))
    return summary.failed > 0 ? 1 : 0
  } catch (error) {
    console.error(messageOf(error))
    return 1
  }
}
