import { Kysely, PostgresDialect } from 'kysely'
import { Pool, type PoolConfig } from 'pg'

/** One connection, opened when first used and closed with the block it is used in. */
export function openDatabase<DB = unknown>(config: PoolConfig): OpenDatabase<DB> {
  // Never closed for idleness: what belongs to the session, such as a lock, lasts until dispose.
  const pool = new Pool({ ...config, max: 1, idleTimeoutMillis: 0 })
  // Unheard, a lost connection would end the process. Nothing is swallowed: the query it was lost under
  // fails, and after a loss in between the next query does.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })
  return { db, [Symbol.asyncDispose]: () => db.destroy() }
}

export type OpenDatabase<DB> = { db: Kysely<DB> } & AsyncDisposable
