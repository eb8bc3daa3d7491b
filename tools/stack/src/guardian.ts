import { readGuardianConfig } from './config.ts'
import { endRecordedProcesses, readRunRecord, removeRunFiles, waitUntilGone } from './run-record.ts'

// A process of its own session, started by the supervisor and holding the end of a pipe from it.
// The pipe closes when the supervisor is gone, however it went; what it left running ends here.
const { home } = readGuardianConfig(process.argv.slice(2))
process.stdin.resume()
process.stdin.once('close', () => void cleanUp())

async function cleanUp(): Promise<void> {
  const record = readRunRecord(home)
  // No record: it stopped everything itself. Another guardian: this one was replaced.
  if (record?.guardian?.pid !== process.pid) return
  if (!(await waitUntilGone([record.supervisor], 5000))) return
  const ended = await endRecordedProcesses(record)
  removeRunFiles(home)
  console.log(`The supervisor was killed; ended after it: ${ended.join(', ') || 'nothing'}.`)
}
