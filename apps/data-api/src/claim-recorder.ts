import type { Claim } from '@twilight/cite-envelope/claim'
import type { Database } from '@twilight/database/schema'
import type { Logger } from '@twilight/service/log'
import { type Kysely, sql } from 'kysely'
import { setTimeout as sleep } from 'node:timers/promises'

export type ServedClaim = { userId: string; claim: Claim }

export type ClaimRecorder = AsyncDisposable & {
  /** false when there is no room: ask again with the next answer */
  add: (served: ServedClaim) => boolean
  /** what is not written yet */
  pending: (toolCallId: string) => ServedClaim | undefined
}

/**
 * Writes served claims to the table `claims` behind the requests: in batches, each id once. While the
 * database is away they wait, up to a bound.
 *
 *     await using recorder = createClaimRecorder({ db: postgres.db, log })
 *     recorder.add({ userId, claim })
 */
export function createClaimRecorder({ db, log }: RecorderOptions): ClaimRecorder {
  const queue = new Map<string, ServedClaim>()
  const stopping = new AbortController()
  let writing: Promise<void> | undefined

  async function writeAll(): Promise<void> {
    // Many claims of one moment make one statement.
    await pause(gatherMs)
    while (queue.size > 0) {
      const batch = [...queue.values().take(maxBatch)]
      try {
        await insertClaims(db, batch)
        for (const { claim } of batch) queue.delete(claim.cite.tool_call_id)
      } catch (error) {
        log.warn(
          { err: error, waiting: queue.size },
          'served claims not recorded; again in a moment',
        )
        // A stopping process has tried once more than it had to.
        if (stopping.signal.aborted) return
        await pause(retryMs)
      }
    }
  }

  function write(): void {
    writing ??= writeAll().finally(() => {
      writing = undefined
      // Added between the last look at the queue and now.
      if (queue.size > 0 && !stopping.signal.aborted) write()
    })
  }

  // Aborting is how a pause ends early.
  const pause = (ms: number) =>
    sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined)

  return {
    add(served) {
      if (queue.size >= maxWaiting) return false
      queue.set(served.claim.cite.tool_call_id, served)
      write()
      return true
    },
    pending: (toolCallId) => queue.get(toolCallId),
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await writing
    },
  }
}

type RecorderOptions = { db: Kysely<Database>; log: Logger }

const gatherMs = 100
const retryMs = 1000
const maxBatch = 500
const maxWaiting = 20_000

async function insertClaims(db: Kysely<Database>, batch: ServedClaim[]): Promise<void> {
  const ids = batch.map(({ claim }) => claim.cite.tool_call_id)
  const users = batch.map(({ userId }) => userId)
  const claims = batch.map(({ claim }) => JSON.stringify(claim))
  // The same id is the same claim: whoever wrote it first was right. A user who is gone must not hold up the others.
  await sql`
    insert into claims (tool_call_id, user_id, claim)
    select s.* from unnest(${ids}::text[], ${users}::uuid[], ${claims}::jsonb[]) as s (id, user_id, claim)
      join users u on u.id = s.user_id
    on conflict do nothing`.execute(db)
}
