import type { Database } from '@twilight/database/schema'
import type { Logger } from '@twilight/service/log'
import { type Kysely, sql } from 'kysely'

/**
 * Keeps `api_keys.last_used_at` without a write per request: the last use of each key is written once a
 * minute and at the stop. A process that is killed forgets at most that minute.
 *
 *     await using lastUsed = createLastUsed({ db: postgres.db, log })
 *     lastUsed.touch(keyId)
 */
export function createLastUsed({ db, log, flushEveryMs = 60_000 }: LastUsedOptions): LastUsed {
  let uses = new Map<string, number>()
  let flushing: Promise<void> | undefined
  const timer = setInterval(() => void flush(), flushEveryMs)

  function flush(): Promise<void> {
    flushing ??= writeAll().finally(() => (flushing = undefined))
    return flushing
  }

  async function writeAll(): Promise<void> {
    if (uses.size === 0) return
    const written = uses
    uses = new Map()
    try {
      await writeLastUses(db, written)
    } catch (error) {
      // Kept for the next minute; what came meanwhile is newer.
      uses = new Map([...written, ...uses])
      log.warn({ err: error, keys: uses.size }, 'last uses of keys not written; again in a minute')
    }
  }

  return {
    touch(keyId) {
      // Beyond the bound only keys already here are kept up to date, until the next flush.
      if (uses.size < maxKeys || uses.has(keyId)) uses.set(keyId, Date.now())
    },
    flush,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      await flushing
      await flush()
    },
  }
}

export type LastUsedOptions = { db: Kysely<Database>; log: Logger; flushEveryMs?: number }

export type LastUsed = AsyncDisposable & {
  touch: (keyId: string) => void
  /** writes what there is, never throws */
  flush: () => Promise<void>
}

const maxKeys = 50_000

async function writeLastUses(db: Kysely<Database>, uses: Map<string, number>): Promise<void> {
  const ids = [...uses.keys()]
  const times = [...uses.values()].map((time) => new Date(time))
  // A row another instance is just writing gets that instance's time, which is as good.
  await sql`
    with used as (
      select * from unnest(${ids}::uuid[], ${times}::timestamptz[]) as u (id, at)
    ), free as (
      select k.id, u.at from used u join api_keys k using (id)
       where k.last_used_at is null or k.last_used_at < u.at
         for no key update of k skip locked
    )
    update api_keys k set last_used_at = free.at from free where k.id = free.id`.execute(db)
}
