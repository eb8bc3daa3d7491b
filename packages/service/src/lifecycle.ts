import { StartError } from './errors.ts'
import type { Logger } from './log.ts'
import { redactText } from './redact.ts'

export type Scope = {
  /** aborts when the process is asked to stop */
  signal: AbortSignal
  /** hands a resource over to be disposed at the stop, last in first out */
  use: <T extends AsyncDisposable | Disposable>(resource: T) => T
  /** stops in order, with code 1, when this resolves: something is broken that only a new process mends */
  endOn: (broken: Promise<Error>) => void
}

export type ServiceOptions = {
  log: Logger
  /** how long the whole stop may take before the process ends with code 1; default 20 000 */
  stopDeadlineMs?: number
}

/**
 * The life of a process: start, wait for SIGTERM or SIGINT, dispose in reverse order, let the event
 * loop empty. A start that fails disposes what it had started, says why in one message and leaves
 * code 1. A second signal, a stop beyond its deadline and an error nobody caught end it at once.
 *
 *     await runService({ log }, async (scope) => {
 *       const config = loadConfig()
 *       const postgres = scope.use(await connectPostgres({ url: config.databaseUrl, … }))
 *       scope.use(await serveHttp({ app: createApp({ postgres, log }), port: config.port, log }))
 *     })
 */
export async function runService(
  { log, stopDeadlineMs = 20_000 }: ServiceOptions,
  start: (scope: Scope) => Promise<void>,
): Promise<void> {
  const stop = new AbortController()
  const stopped = Promise.withResolvers<void>()
  const resources = new AsyncDisposableStack()
  let watchdog: NodeJS.Timeout | undefined

  function onSignal(name: string): void {
    if (stop.signal.aborted) endNow(log, `second signal (${name})`)
    beginStop(name)
  }

  function beginStop(reason: string): void {
    log.info({ reason }, 'stopping')
    watchdog = setTimeout(() => {
      endNow(log, `not stopped within ${stopDeadlineMs} ms`)
    }, stopDeadlineMs)
    stop.abort(new Error(`stopping: ${reason}`))
    stopped.resolve()
  }

  async function waitForBroken(broken: Promise<Error>): Promise<void> {
    const error = await broken
    if (stop.signal.aborted) return
    process.exitCode = 1
    log.fatal({ err: error }, 'broken for good')
    beginStop('broken for good')
  }

  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  process.on('uncaughtException', (error, origin) => {
    log.fatal({ err: error, origin }, 'nobody caught this error')
    // Its state is unknown now; a supervisor starts a clean one.
    process.exit(1)
  })

  try {
    await start({
      signal: stop.signal,
      use: (resource) => resources.use(resource),
      endOn: (broken) => void waitForBroken(broken),
    })
    await stopped.promise
  } catch (error) {
    if (!stop.signal.aborted) {
      process.exitCode = 1
      sayWhy(error, log)
      beginStop('start failed')
    } else {
      log.info({ err: error }, 'start was interrupted')
    }
  }
  await disposeAll(resources, log)
  // From here on nothing should keep the event loop; what does is a leak, and the deadline ends it.
  watchdog?.unref()
}

async function disposeAll(resources: AsyncDisposableStack, log: Logger): Promise<void> {
  try {
    await resources.disposeAsync()
    log.info('stopped')
  } catch (error) {
    process.exitCode = 1
    log.error({ err: error }, 'stopped, but not cleanly')
  }
}

function sayWhy(error: unknown, log: Logger): void {
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`Not started. ${redactMultiline(message)}\n`)
  // A StartError says it all; of anything else the stack is needed too.
  if (!(error instanceof StartError)) log.fatal({ err: error }, 'not started')
}

function redactMultiline(message: string): string {
  return message.split('\n', 200).map(redactText).join('\n')
}

/** The last resort: nothing left to wait for. */
function endNow(log: Logger, reason: string): never {
  log.fatal({ reason, open: process.getActiveResourcesInfo() }, 'ending now')
  process.exit(1)
}
