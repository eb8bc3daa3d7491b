import { type Environment, readStartConfig, type StartConfig } from './config.ts'
import { launchDetached, talkToLauncher } from './launch-detached.ts'
import { reportToLog } from './log-files.ts'
import { readyMessage } from './ready-message.ts'
import { readRunRecord, signalGroup } from './run-record.ts'
import { runStack } from './run-stack.ts'
import type { StackTable } from './services.ts'
import { formatSeconds, type Report } from './stack-event.ts'
import type { StackFile } from './stack-file.ts'
import { reportToTerminal } from './terminal-report.ts'
import { watchAncestors } from './watch-ancestors.ts'
import { messageOf } from './error-facts.ts'

/** npm, its shell and the bootstrap each pass on one key press: what comes this close together is one. */
const samePressMs = 1000

/**
 * `npm start`: in the foreground until Ctrl-C, or with --detach until everything is ready.
 * Returns the exit code.
 */
export async function startCommand(options: StartOptions): Promise<number> {
  const json = options.argv.includes('--json')
  const startedAt = performance.now()
  const terminal = reportToTerminal(json ? process.stderr : process.stdout)
  const tellReady = (stack: StackFile, detached: boolean) => {
    const seconds = formatSeconds(performance.now() - startedAt)
    terminal({ kind: 'say', text: readyMessage({ stack, seconds, detached, ...options }) })
    if (json) console.log(JSON.stringify(stack))
  }
  let onFailed = (reason: string) => {
    if (json) console.log(JSON.stringify({ ready: false, error: reason }))
    console.error(reason)
  }
  try {
    const config = readStartConfig(options.argv, options.environment)
    if (config.supervise) {
      const launcher = talkToLauncher()
      onFailed = launcher.onFailed
      await supervise({ ...options, config, ...launcher })
    } else if (config.detach) {
      tellReady(await launchDetached({ ...options, config, report: terminal }), true)
    } else {
      const onReady = (stack: StackFile) => tellReady(stack, false)
      await supervise({ ...options, config, report: terminal, onReady })
    }
    return 0
  } catch (error) {
    onFailed(messageOf(error))
    return 1
  }
}

export type StartOptions = {
  argv: string[]
  environment: Environment
  table: StackTable
  /** The script that calls this; --detach runs it a second time. */
  entry: string
}

async function supervise(options: {
  config: StartConfig
  table: StackTable
  report: Report
  onReady: (stack: StackFile) => void
  /** Stops the stack when its starter goes before it is ready. */
  starterGone?: AbortSignal
}): Promise<void> {
  const { config, table } = options
  const toLog = reportToLog(config.home)
  const report: Report = (event) => {
    options.report(event)
    toLog(event)
  }
  using stop = listenForStop(config, report)
  if (options.starterGone) {
    options.starterGone.addEventListener('abort', () => stop.now('The starter has gone.'))
  }
  using ancestors = watchAncestors(() => stop.now('npm was killed: stopping everything.'))
  // Detached, the starter is meant to go.
  if (config.supervise) ancestors[Symbol.dispose]()
  const running = await runStack({ config, table, report, signal: stop.signal })
  options.onReady(running.stack)
  await stop.asked
  await running.stop()
  report({ kind: 'say', text: 'Everything is stopped.' })
}

/** The first signal stops cleanly; a second one, a moment later, kills what still runs. */
function listenForStop(config: StartConfig, report: Report) {
  const controller = new AbortController()
  const asked = Promise.withResolvers<void>()
  let firstAt: number | undefined
  const now = (text: string) => {
    if (firstAt !== undefined) return
    firstAt = performance.now()
    report({ kind: 'say', text })
    controller.abort(new Error('Stopped before everything was ready.'))
    asked.resolve()
  }
  const onSignal = () => {
    if (firstAt === undefined) return now('Stopping everything; press Ctrl-C again to kill it.')
    if (performance.now() - firstAt < samePressMs) return
    report({ kind: 'say', text: 'Killing everything.' })
    const processes = readRunRecord(config.home)?.processes ?? []
    for (const { pid } of processes) signalGroup(pid, 'SIGKILL')
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, onSignal)
  return {
    now,
    signal: controller.signal,
    asked: asked.promise,
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, onSignal)
    },
  }
}
