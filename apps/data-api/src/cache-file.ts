import type { Logger } from '@twilight/service/log'
import { openCacheDatabase } from './cache-database.ts'
import type { CachedAnswer, CacheDatabase } from './cache-database.ts'
import { firstLine, isBroken, isDamage, isPlace, setFileAside } from './damaged-cache.ts'

export type CacheFile = AsyncDisposable & {
  /** undefined when it is not there, has other columns, or the file cannot be read; never rejects */
  get(id: string, shape: string): Promise<CachedAnswer | undefined>
  /** resolves when it is on disk or was given up with a warning; never rejects */
  put(id: string, answer: CachedAnswer): Promise<void>
  state(): CacheFileState
}

export type CacheFileState = {
  open: boolean
  waitingWrites: number
  writtenAnswers: number
  lastWriteAt?: string
  /** why it does not work now, and since when */
  trouble?: { reason: string; since: string }
  /** damaged files renamed since the start */
  setAside: number
}

export type CacheFileOptions = {
  path: string
  log: Logger
  /** answers kept at most; the oldest go first. Default 200 000 */
  maxAnswers?: number
  /** for one read or one write, its turn included; default 2000 */
  deadlineMs?: number
  /** after trouble, when to try again; default 10 000 */
  retryMs?: number
  /** writes that may wait; more are not kept. Default 5000 */
  maxWaitingWrites?: number
}

/**
 * The cache that survives a restart. It never stands in the way: a damaged or foreign file is renamed with
 * the date, and without a usable file everything works but is forgotten.
 *
 *     await using file = await openCacheFile({ path: 'data/cache.duckdb', log })
 */
export async function openCacheFile(options: CacheFileOptions): Promise<CacheFile> {
  const { path, log, maxAnswers = 200_000, deadlineMs = 2000, retryMs = 10_000 } = options
  const { maxWaitingWrites = 5000 } = options
  const lanes = { read: createLane(), write: createLane() }
  const pausedUntil = { read: 0, write: 0, open: 0 }
  let database: CacheDatabase | undefined
  let reopening: Promise<void> | undefined
  let trouble: (NonNullable<CacheFileState['trouble']> & { kind: Kind }) | undefined
  // The first write after a start prunes too: a process that restarts often must not outgrow the bound.
  let [setAside, written, sincePrune] = [0, 0, pruneEvery]
  let lastWriteAt: string | undefined
  let waiting = new Map<string, CachedAnswer>()
  let batch: Promise<void> | undefined
  let closed = false

  reopening = reopen()
  await reopening
  return {
    async get(id, shape) {
      const answer = await attempt('read', (db) => db.read(id))
      return answer?.shape === shape ? answer : undefined
    },
    async put(id, answer) {
      if (waiting.size >= maxWaitingWrites) {
        note('write', `${maxWaitingWrites} writes wait already`)
        return
      }
      waiting.set(id, answer)
      // Whatever comes while one batch is written goes into the next: one commit for all of it.
      batch ??= attempt('write', writeWaiting)
      await batch
    },
    state: () => ({
      open: database !== undefined,
      waitingWrites: waiting.size,
      writtenAnswers: written,
      ...(lastWriteAt !== undefined && { lastWriteAt }),
      ...(trouble && { trouble: { reason: trouble.reason, since: trouble.since } }),
      setAside,
    }),
    async [Symbol.asyncDispose]() {
      closed = true
      await reopening
      await closeDatabase().catch((error: unknown) => note('open', error))
    },
  }

  async function writeWaiting(db: CacheDatabase): Promise<void> {
    const answers = waiting
    waiting = new Map()
    batch = undefined
    await db.write(answers)
    written += answers.size
    sincePrune += answers.size
    lastWriteAt = new Date().toISOString()
    if (sincePrune < pruneEvery) return
    sincePrune = 0
    await db.prune(maxAnswers)
  }

  async function attempt<T>(
    kind: 'read' | 'write',
    work: (db: CacheDatabase) => Promise<T>,
  ): Promise<T | undefined> {
    const db = await usable(kind)
    if (!db) {
      if (kind === 'write') giveUpWaiting()
      return undefined
    }
    try {
      const result = await within(
        lanes[kind].run(() => work(db)),
        deadlineMs,
      )
      if (trouble?.kind === kind) {
        log.info({ path }, 'the cache file works again')
        trouble = undefined
      }
      return result
    } catch (error) {
      if (kind === 'write') giveUpWaiting()
      await recover(kind, db, error)
      return undefined
    }
  }

  async function usable(kind: 'read' | 'write'): Promise<CacheDatabase | undefined> {
    if (closed || Date.now() < pausedUntil[kind]) return undefined
    if (!database && Date.now() >= pausedUntil.open) reopening ??= reopen()
    await reopening
    return database
  }

  function giveUpWaiting(): void {
    waiting = new Map()
    batch = undefined
  }

  async function recover(kind: 'read' | 'write', db: CacheDatabase, error: unknown): Promise<void> {
    note(kind, error)
    pausedUntil[kind] = Date.now() + retryMs
    // Slow, or no room on the disk: the other kind may still work, so the file stays open.
    if (database !== db || error instanceof Late || (kind === 'write' && !isBroken(error))) return
    reopening = replace(kind, error)
    await reopening
  }

  /** Never rejects. */
  async function replace(kind: 'read' | 'write', error: unknown): Promise<void> {
    try {
      await closeDatabase()
    } catch (late) {
      note('open', late)
      pausedUntil.open = Infinity
      reopening = undefined
      return
    }
    pausedUntil[kind] = 0
    await reopen(isDamage(error) ? error : undefined)
  }

  async function closeDatabase(): Promise<void> {
    const db = database
    database = undefined
    // Closed under a running statement it would crash, and opened twice it would be damaged: a file on a
    // disk that hangs stays as it is until the process ends.
    await within(Promise.all([lanes.read.idle(), lanes.write.idle()]), deadlineMs)
    db?.close()
  }

  /** Never rejects. */
  async function reopen(damage?: unknown): Promise<void> {
    try {
      if (damage !== undefined) await putAside(damage)
      database = await openCacheDatabase(path).catch(async (error: unknown) => {
        if (isPlace(error)) throw error
        await putAside(error)
        return openCacheDatabase(path)
      })
      trouble = undefined
    } catch (error) {
      note('open', error)
      pausedUntil.open = Date.now() + retryMs
    } finally {
      reopening = undefined
    }
  }

  async function putAside(error: unknown): Promise<void> {
    const name = await setFileAside(path)
    setAside += 1
    log.warn(
      { err: error, path, name },
      'the cache file was not usable: it is set aside, a new one begins',
    )
  }

  function note(kind: Kind, error: unknown): void {
    const reason = error instanceof Error ? firstLine(error.message) : String(error)
    // One warning when it begins, not one for every request.
    if (trouble?.kind === kind) return
    trouble = { kind, reason, since: new Date().toISOString() }
    log.warn(
      { err: error, path },
      `the cache file fails to ${kind}: served all the same, not remembered`,
    )
  }
}

type Kind = 'read' | 'write' | 'open'

const pruneEvery = 5000

class Late extends Error {}

async function within<T>(work: Promise<T>, deadlineMs: number): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => late.reject(new Late(`no answer within ${deadlineMs} ms`)),
    deadlineMs,
  )
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

type Lane = {
  /** runs one after the other, in order */
  run<T>(work: () => Promise<T>): Promise<T>
  /** resolves when nothing runs; never rejects */
  idle(): Promise<void>
}

function createLane(): Lane {
  let last: Promise<void> = Promise.resolve()
  return {
    run(work) {
      const result = last.then(work)
      last = result.then(ignore, ignore)
      return result
    },
    idle: () => last,
  }
}

// Whoever ran the work has its result and its error.
function ignore(): void {}
