import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll } from 'vitest'

// Set-up file of every test file: a suite that leaves a socket, a server, a child process or a
// timer behind has not stopped what it started, and fails.
const watched = ['TCPSocketWrap', 'TCPServerWrap', 'PipeWrap', 'ProcessWrap', 'UDPWrap', 'FSEventWrap', 'Timeout', 'Immediate']
let before: Map<string, number>

beforeAll(() => {
  before = countHandles()
})

afterAll(async () => {
  let leaked: string[] = []
  // Sockets and child processes need a moment to go after they were told to.
  for (let attempt = 0; attempt < 40; attempt += 1) {
    leaked = findLeaks()
    if (leaked.length === 0) return
    await sleep(50, undefined, { ref: false })
  }
  throw new Error(`This file left open: ${leaked.join(', ')}. Stop what it starts in afterAll or with "await using".`)
})

function countHandles(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) {
    if (watched.includes(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return counts
}

function findLeaks(): string[] {
  return [...countHandles()]
    .filter(([kind, count]) => count > (before.get(kind) ?? 0))
    .map(([kind, count]) => `${count - (before.get(kind) ?? 0)} × ${kind}`)
}
