import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll } from 'vitest'

// Set-up file of every test file: a suite that leaves a socket, a server, a child process or a
// timer behind has not stopped what it started, and fails.
const names: Record<string, string> = {
  TCPSocketWrap: 'open connection',
  TCPServerWrap: 'listening server',
  PipeWrap: 'open pipe',
  ProcessWrap: 'running child process',
  UDPWrap: 'open UDP socket',
  FSEventWrap: 'file watcher',
  Timeout: 'running timer',
  Immediate: 'immediate that comes again and again',
  MessagePort: 'open worker or message port',
}

// Importing node:process opens it, in whatever library that happens; it is the runner's, not the suite's.
void process.stdin

// Taken while this file is loaded, that is, before the test file is: what a test file starts at
// its top level counts, what the test runner itself holds open does not.
const before = countHandles()

afterAll(async () => {
  let leaked: string[] = []
  // Sockets and child processes need a moment to go after they were told to.
  for (let attempt = 0; attempt < 40; attempt += 1) {
    leaked = findLeaks()
    if (leaked.length === 0) return
    await sleep(50, undefined, { ref: false })
  }
  throw new Error(
    `This file left open: ${leaked.join(', ')}. Stop what it starts in afterAll or with "await using".`,
  )
})

function countHandles(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) {
    if (kind in names) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return counts
}

function findLeaks(): string[] {
  return [...countHandles()]
    .map(([kind, count]) => ({ kind, more: count - (before.get(kind) ?? 0) }))
    .filter(({ more }) => more > 0)
    .map(({ kind, more }) => `${more} × ${kind} (${names[kind]})`)
}
