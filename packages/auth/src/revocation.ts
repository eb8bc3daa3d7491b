import { keyRevoked } from '@twilight/contracts/events'
import type { Database } from '@twilight/database/schema'
import type { Logger } from '@twilight/service/log'
import type { Bus } from '@twilight/service/nats'
import { type Kysely, sql } from 'kysely'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KeyVerifier } from './verify-key.ts'

/**
 * Carries revocations into this process: at once by the bus, and every ten seconds from the database for
 * what the bus did not bring.
 *
 *     await using revocations = watchRevocations({ bus, db: postgres.db, verifier, log })
 */
export function watchRevocations(options: RevocationOptions): AsyncDisposable {
  const { bus, db, verifier, log, pollEveryMs = 10_000 } = options
  const stopping = new AbortController()
  const hints = bus.subscribe(keyRevoked, ({ key_sha256: hex, revoked_at: time }) =>
    verifier.revoke(hex, Date.parse(time)),
  )

  async function poll(): Promise<void> {
    let since: Date | undefined
    while (!stopping.signal.aborted) {
      try {
        since = await readRevoked(db, verifier, since)
      } catch (error) {
        // The next round starts from where the last good one ended.
        log.warn({ err: error }, 'revoked keys not read; again in a moment')
      }
      // Aborting is how the pause ends early.
      await sleep(pollEveryMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }

  const polling = poll()
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await polling
      await hints[Symbol.asyncDispose]()
    },
  }
}

export type RevocationOptions = {
  bus: Bus
  db: Kysely<Database>
  verifier: KeyVerifier
  log: Logger
  /** default 10 000 */
  pollEveryMs?: number
}

const maxRows = 10_000

/** Applies what was revoked since a moment of the database's clock and returns the moment to go on from. */
async function readRevoked(
  db: Kysely<Database>,
  verifier: KeyVerifier,
  since: Date | undefined,
): Promise<Date | undefined> {
  const { rows: moments } = await sql<{ now: Date }>`select now()`.execute(db)
  const readAt = moments[0]?.now
  // The overlap: a transaction may commit later than the moment it wrote.
  const { rows } = await sql<{ hex: string; revoked_at: Date }>`
    select encode(key_hash, 'hex') as hex, revoked_at from api_keys
     where revoked_at > ${since ?? readAt}::timestamptz - interval '60 s'
     order by revoked_at desc limit ${maxRows}`.execute(db)
  for (const { hex, revoked_at: time } of rows) verifier.revoke(hex, time.getTime())
  // So many at once: look every key up anew rather than miss one.
  if (rows.length === maxRows) verifier.forgetAll()
  return readAt
}
