import { readConfig } from './config.ts'
import { startSandbox } from './sandbox.ts'
import { thirdParties } from './third-parties.ts'

const stopDeadlineMs = 5_000

try {
  const sandbox = await startSandbox({ config: readConfig(), thirdParties })
  log('listening', { url: sandbox.url })
  let stopping = false
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return
    stopping = true
    log('stopping', { signal })
    // The last resort, when something holds the event loop open that should not.
    setTimeout(() => process.exit(1), stopDeadlineMs).unref()
    await sandbox[Symbol.asyncDispose]()
    log('stopped', {})
  }
  process.once('SIGTERM', (signal) => void stop(signal))
  process.once('SIGINT', (signal) => void stop(signal))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

function log(event: string, fields: Record<string, unknown>): void {
  console.log(
    JSON.stringify({ time: new Date().toISOString(), service: 'sandbox', event, ...fields }),
  )
}
