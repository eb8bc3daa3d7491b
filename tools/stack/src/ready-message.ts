import type { StackTable } from './services.ts'
import type { StackFile } from './stack-file.ts'
import { textTable } from './text-table.ts'

const openFirst = ['landing', 'sandbox']

/** The end of a start: one table of URLs, and what to open first. */
export function readyMessage(options: {
  stack: StackFile
  table: StackTable
  seconds: string
  detached: boolean
}): string {
  const { stack, table, seconds, detached } = options
  const rows = Object.entries(stack.urls).map(([key, url]) => {
    const about = table.services.find((row) => key in row.urls)?.about ?? ''
    return [`  ${key.replaceAll('_', '-')}`, url, about]
  })
  rows.push(['  Postgres', withoutPassword(stack.postgres), 'the record'])
  rows.push(['  NATS', withoutPassword(stack.nats), 'the doorbell'])
  const first = openFirst.find((key) => stack.urls[key]) ?? Object.keys(stack.urls)[0] ?? ''
  return [
    `\nTwilight Drive is ready after ${seconds}.\n`,
    textTable(rows),
    ...(stack.urls[first] ? [`\nOpen first: ${stack.urls[first]}`] : []),
    `Logs: npm run logs. Stop: ${detached ? 'npm run stop' : 'Ctrl-C'}.`,
  ].join('\n')
}

function withoutPassword(text: string): string {
  const url = new URL(text)
  url.username = ''
  url.password = ''
  return url.toString()
}
