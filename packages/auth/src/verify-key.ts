import type { Database } from '@twilight/database/schema'
import { Problem } from '@twilight/service/errors'
import type { Logger } from '@twilight/service/log'
import type { Kysely } from 'kysely'
import { hash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { classOfApiKey, type KeyClass, maxKeyLength } from './api-key.ts'
import { createKeyCache } from './key-cache.ts'
import { createKeyLoader } from './key-loader.ts'
import { type KeyRecord, loadKeyRecords } from './key-record.ts'

/**
 * Says whose key a text is, from memory when it can: then without a promise.
 *
 *     const verifier = createKeyVerifier({ db: postgres.db, log })
 *     const record = await verifier.verify(key) // or a Problem: 401 unknown, 403 revoked, 503 cannot tell
 *
 * A key is trusted for 30 s after it was read (a revocation that arrives ends that at once), a guess is
 * remembered for 5 s. While the database is away known keys are trusted for up to ten minutes, and
 * unknown ones get 503: "could not check" is never "is not valid".
 */
export function createKeyVerifier(options: KeyVerifierOptions): KeyVerifier {
  const { db, log, trustMs = 30_000, outageTrustMs = 600_000, monotonicMs = now } = options
  const cache = createKeyCache({ maxFound: 20_000, maxUnknown: 10_000 })
  const loader = createKeyLoader((hashes) => loadKeyRecords(db, hashes))
  let failedAtMs = -Infinity
  let warnedAtMs = -Infinity

  function verify(text: string): KeyRecord | Promise<KeyRecord> {
    if (text.length > maxKeyLength) throw invalidToken()
    const hex = hash('sha256', text)
    const nowMs = monotonicMs()
    const cached = cache.found(hex)
    if (cached) {
      const ageMs = nowMs - cached.loadedAtMs
      if (ageMs < trustMs) {
        if (ageMs > trustMs / 2 && !cached.refreshing) {
          cached.refreshing = true
          void refresh(hex, cached.record.class)
        }
        return usable(cached.record)
      }
      if (ageMs < outageTrustMs && nowMs - failedAtMs < retryEveryMs) return usable(cached.record)
      return reload(hex, cached.record.class, cached.loadedAtMs)
    }
    const unknownSince = cache.unknownSince(hex)
    if (unknownSince !== undefined && nowMs - unknownSince < unknownMs) throw invalidToken()
    // Shape and checksum last: a cached key has passed them, a wrong one stops here.
    const keyClass = classOfApiKey(text)
    if (keyClass === undefined) throw invalidToken()
    return reload(hex, keyClass, undefined)
  }

  /** Ahead of need: failing is no harm, the next use tries again and says so. */
  async function refresh(hex: string, keyClass: KeyClass): Promise<void> {
    try {
      await load(hex, keyClass)
    } catch (error) {
      warn(error)
      const cached = cache.found(hex)
      if (cached) cached.refreshing = false
    }
  }

  async function reload(
    hex: string,
    keyClass: KeyClass,
    loadedAtMs: number | undefined,
  ): Promise<KeyRecord> {
    const mayBeStale = loadedAtMs !== undefined && monotonicMs() - loadedAtMs < outageTrustMs
    try {
      const record = await (mayBeStale
        ? within(load(hex, keyClass), patienceMs)
        : load(hex, keyClass))
      if (!record) throw invalidToken()
      return usable(record)
    } catch (error) {
      if (error instanceof Problem) throw error
      warn(error)
      // Read again: a revocation may have arrived meanwhile.
      const cached = cache.found(hex)
      if (mayBeStale && cached) return usable(cached.record)
      throw new Problem('service_unavailable', {
        detail: 'The key cannot be checked at the moment. Try again.',
        retryAfterSeconds: 2,
        cause: error,
      })
    }
  }

  async function load(hex: string, keyClass: KeyClass): Promise<KeyRecord | undefined> {
    const record = await loader.load(hex)
    // A row that says otherwise than the key itself was not written by us: nobody's key.
    cache.put(hex, record?.class === keyClass ? record : undefined, monotonicMs())
    return cache.found(hex)?.record
  }

  function warn(error: unknown): void {
    failedAtMs = monotonicMs()
    if (monotonicMs() - warnedAtMs < warnEveryMs) return
    warnedAtMs = monotonicMs()
    log.warn({ err: error }, 'keys cannot be looked up; known ones are trusted for a while')
  }

  return {
    verify,
    revoke: (hex, revokedAtMs) => cache.revoke(hex, revokedAtMs, monotonicMs()),
    forgetAll: () => cache.clear(),
    size: cache.size,
  }
}

export type KeyVerifierOptions = {
  db: Kysely<Database>
  log: Logger
  /** how long a key is trusted after it was read; default 30 000 */
  trustMs?: number
  /** the same while the database is away; default 600 000 */
  outageTrustMs?: number
  /** default performance.now: a clock nobody sets back */
  monotonicMs?: () => number
}

export type KeyVerifier = {
  /** the key's record, or a thrown Problem; a promise only when the database must be asked */
  verify: (text: string) => KeyRecord | Promise<KeyRecord>
  /** kills a key here and now, by its hash in hex */
  revoke: (hex: string, revokedAtMs: number) => void
  forgetAll: () => void
  /** entries held, for metrics and tests */
  size: () => { found: number; unknown: number; revoked: number }
}

const unknownMs = 5000
/** a frozen database is waited for this long when an older answer is at hand */
const patienceMs = 400
/** after a failed look-up known keys are not made to wait for the next one */
const retryEveryMs = 1000
const warnEveryMs = 10_000

const now = () => performance.now()

function usable(record: KeyRecord): KeyRecord {
  if (record.revokedAtMs !== undefined) {
    throw new Problem('key_revoked', {
      detail: 'This key was revoked. Use another one.',
      detailZh: '该密钥已被吊销，请更换密钥。',
      headers: challenge('invalid_token'),
    })
  }
  if (record.expiresAtMs !== undefined && record.expiresAtMs <= Date.now()) {
    throw invalidToken('This key has expired. Ask for a new one.')
  }
  return record
}

function invalidToken(
  detail = 'This key is not one of ours. Check that it was copied whole.',
): Problem {
  return new Problem('invalid_token', { detail, headers: challenge('invalid_token') })
}

/** The header of RFC 6750 that tells a client what is wrong with its credentials. */
export function challenge(error: string, scope?: string): Record<string, string> {
  const wanted = scope === undefined ? '' : `, scope="${scope}"`
  return { 'www-authenticate': `Bearer realm="twilight", error="${error}"${wanted}` }
}

async function within<T>(work: Promise<T>, limitMs: number): Promise<T> {
  const timer = new AbortController()
  const late = sleep(limitMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`no answer within ${limitMs} ms`)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    timer.abort()
    // Aborted on purpose, or lost the race: in both cases nobody waits for it any more.
    late.catch(() => undefined)
    work.catch(() => undefined)
  }
}
