import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { identify, isRunning, type ProcessIdentity } from './process-identity.ts'
import { codeOf } from './error-facts.ts'

/**
 * A lock file that names its owner; the lock of an owner that is gone is taken over.
 *
 *     const lock = takeOwnerLock('.twilight/run.lock')
 *     if ('owner' in lock) throw new Error(`held by ${lock.owner.pid}`)
 *     lock.release()
 */
export function takeOwnerLock(file: string): { release: () => void } | { owner: ProcessIdentity } {
  // Written aside and linked, so that a lock file is never seen half written.
  const draft = `${file}.${randomUUID()}`
  writeFileSync(draft, JSON.stringify(identify(process.pid)))
  try {
    for (let attempt = 0; attempt < 20; attempt += 1) {
      if (tryLink(draft, file)) return { release: () => rmSync(file, { force: true }) }
      const owner = readOwner(file)
      if (owner && isRunning(owner)) return { owner }
      takeAway(file, owner)
    }
    throw new Error(`${file} cannot be taken: delete it and try again.`)
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Waits for its turn; throws when that does not come in time. */
export async function waitForOwnerLock(file: string, timeoutMs: number): Promise<() => void> {
  const deadline = Date.now() + timeoutMs
  while (Date.now() < deadline) {
    const lock = takeOwnerLock(file)
    if ('release' in lock) return lock.release
    await sleep(100)
  }
  throw new Error(`${file} is held by another process for too long: end it, then try again.`)
}

function tryLink(draft: string, file: string): boolean {
  try {
    linkSync(draft, file)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

function readOwner(file: string): ProcessIdentity | undefined {
  try {
    const owner: ProcessIdentity = JSON.parse(readFileSync(file, 'utf8'))
    return owner
  } catch {
    // Released this instant, or not a lock of ours: either way nobody can be shown to hold it.
    return undefined
  }
}

/** Renaming is atomic: of several that saw the stale lock, one takes it away. */
function takeAway(file: string, stale: ProcessIdentity | undefined): void {
  const aside = `${file}.${randomUUID()}`
  try {
    renameSync(file, aside)
  } catch {
    return // Somebody else was faster.
  }
  const taken = readOwner(aside)
  // Between reading and renaming another one may have locked: give that lock back.
  if (taken && (taken.pid !== stale?.pid || taken.started !== stale.started)) tryLink(aside, file)
  rmSync(aside, { force: true })
}
