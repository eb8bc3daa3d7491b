import { readLogsConfig } from './config.ts'
import { followLogs } from './follow-logs.ts'
import { messageOf } from './error-facts.ts'

const stop = new AbortController()
process.once('SIGINT', () => stop.abort())
process.once('SIGTERM', () => stop.abort())
// The reader of a pipe ("| head") may go: then there is nobody to tell.
process.stdout.once('error', () => stop.abort())
try {
  const config = readLogsConfig(process.argv.slice(2))
  await followLogs({ ...config, write: (line) => console.log(line), signal: stop.signal })
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 1
}
