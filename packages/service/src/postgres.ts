import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely'
import { type ClientConfig, Pool, type PoolClient } from 'pg'
import { Gauge } from 'prom-client'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import { classifyPostgresError, DatabaseUnavailableError } from './postgres-errors.ts'
import { type Listener, type ListenOptions, listenPostgres } from './postgres-listen.ts'
import { inTransaction } from './postgres-transaction.ts'

/**
 * A pool that recovers by itself after the server was stopped, killed or frozen. It dials when first
 * asked, so a service starts without its database.
 *
 *     await using postgres = connectPostgres<Database>({ url, applicationName: 'payments', log })
 *     await postgres.transaction((trx) => trx.insertInto('orders').values(order).execute())
 */
export function connectPostgres<DB>(options: PostgresOptions): Postgres<DB> {
  const { url, applicationName, log } = options
  const statementTimeoutMs = options.statementTimeoutMs ?? 2000
  const pool = new Pool({
    ...connectionConfig(url, applicationName),
    max: options.poolSize ?? 4,
    // Bounds both dialling and waiting for a free connection.
    connectionTimeoutMillis: 2000,
    idleTimeoutMillis: 30_000,
    maxLifetimeSeconds: 1800,
    statement_timeout: statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs ?? 1000,
    idle_in_transaction_session_timeout: 5000,
    // A frozen server never sends its own timeout error.
    query_timeout: statementTimeoutMs + 500,
  })
  // Without listeners a lost connection is an uncaught exception. Whoever holds it gets the error itself.
  pool.on('error', (error) => log.warn({ err: error }, 'idle database connection lost'))
  pool.on('connect', (client) =>
    client.on('error', (error) => log.debug({ err: error }, 'connection lost')),
  )
  if (options.metrics) watchPool(pool, options.metrics)
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool: guardPool(pool) }) })
  return {
    db,
    transaction: (fn) => inTransaction(db, fn),
    listen: (listen) =>
      listenPostgres({
        ...listen,
        config: connectionConfig(url, `${applicationName} listen`),
        log,
      }),
    check: async () => {
      await sql`select 1`.execute(db)
      return { connections: pool.totalCount, waiting: pool.waitingCount }
    },
    [Symbol.asyncDispose]: () => db.destroy(),
  }
}

export type PostgresOptions = {
  /** `postgres://user:password@host:port/database` */
  url: string
  applicationName: string
  /** connections at most; default 4 */
  poolSize?: number
  /** default 2000; the client itself gives up half a second later */
  statementTimeoutMs?: number
  /** default 1000 */
  lockTimeoutMs?: number
  log: Logger
  metrics?: Metrics
}

export type Postgres<DB> = AsyncDisposable & {
  db: Kysely<DB>
  /** Runs `fn` in a transaction, again when it lost a deadlock or a serialization race: at most five times. */
  transaction: <T>(fn: (trx: Transaction<DB>) => Promise<T>) => Promise<T>
  /** Calls back on each NOTIFY, on a connection of its own that is dialled again when lost. */
  listen: (options: ListenOptions) => Listener
  check: () => Promise<{ connections: number; waiting: number }>
}

function connectionConfig(url: string, applicationName: string): ClientConfig {
  return {
    connectionString: url,
    application_name: applicationName,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    options: '-c tcp_keepalives_idle=30 -c tcp_user_timeout=10000',
  }
}

/**
 * The pool as Kysely sees it. A connection whose last word is unknown (timed out, cut) is destroyed, never
 * reused: a BEGIN that arrives late would swallow the next user's statements.
 */
function guardPool(pool: Pool) {
  return {
    options: pool.options,
    end: () => pool.end(),
    connect: async (): Promise<PoolClient> => {
      const client = await pool.connect().catch(rethrow)
      let lost: Error | undefined
      const query = async (text: string, values: unknown[]) => {
        try {
          return await client.query(text, values)
        } catch (error) {
          if (classifyPostgresError(error) === 'unavailable')
            lost = new Error('lost', { cause: error })
          return rethrow(error)
        }
      }
      return Object.defineProperties(Object.create(client), {
        query: { value: query },
        release: { value: (discard?: boolean) => client.release(lost ?? discard) },
      })
    },
  }
}

function rethrow(error: unknown): never {
  if (classifyPostgresError(error) !== 'unavailable') throw error
  const reason = error instanceof Error ? error.message : String(error)
  throw new DatabaseUnavailableError(`The database cannot be reached (${reason}); try again.`, {
    cause: error,
  })
}

function watchPool(pool: Pool, metrics: Metrics): void {
  metrics.registry.registerMetric(
    new Gauge({
      name: 'twilight_postgres_connections',
      help: 'Connections of the pool, in use or idle',
      labelNames: ['state'],
      registers: [],
      collect() {
        this.set({ state: 'in_use' }, pool.totalCount - pool.idleCount)
        this.set({ state: 'idle' }, pool.idleCount)
      },
    }),
  )
  metrics.registry.registerMetric(
    new Gauge({
      name: 'twilight_postgres_waiting',
      help: 'Callers waiting for a connection',
      registers: [],
      collect() {
        this.set(pool.waitingCount)
      },
    }),
  )
}
