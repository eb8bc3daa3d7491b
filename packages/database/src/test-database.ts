import { startPostgresServer, type PostgresServer } from '@twilight/stack/postgres-server'
import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { migrate } from './migrate.ts'
import { openDatabase } from './open-database.ts'
import { type Role, roles } from './roles.ts'

/**
 * A Postgres server of its own for one test file, migrated, with a login per app.
 *
 *     await using database = await createTestDatabase()
 *     const payments = connectPostgres({ url: database.urlFor('payments'), … })
 *     database.postgres.signal('SIGKILL')
 *     await database.restart() // same port, same data
 */
export async function createTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  // Straight below the temp folder: where root starts Postgres as another user, that user can get there.
  const dataDir = join(tmpdir(), `twilight-test-${randomBytes(6).toString('hex')}`)
  let postgres = await start({ dataDir }, 3)
  // Works for every role: nothing outside the test can reach the server anyway.
  const password = randomBytes(16).toString('hex')
  const rolePasswords = Object.fromEntries(roles.map((role) => [role, password]))
  const dispose = async () => {
    await postgres.stop()
    await rm(postgres.dataDir, { recursive: true, force: true })
  }
  try {
    if (options.durable === false) await turnOffDurability(postgres.url)
    await migrate({ url: postgres.url, rolePasswords })
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    url: postgres.url,
    urlFor: (role) => {
      const url = new URL(postgres.url)
      url.username = role
      url.password = password
      return url.href
    },
    get postgres() {
      return postgres
    },
    restart: async () => {
      await postgres.stop()
      postgres = await start({ dataDir, port: postgres.port }, 20)
    },
    [Symbol.asyncDispose]: dispose,
  }
}

export type TestDatabaseOptions = {
  /**
   * Default true, as in production: what was committed survives a killed server and a lost machine.
   * false spares the disk (fsync off) for tests that never stop the server.
   */
  durable?: boolean
}

export type TestDatabase = {
  /** Of the superuser; it stays the same over a restart. */
  url: string
  urlFor: (role: Role) => string
  /** The server now running: stop() it, or signal() it to freeze or kill it. */
  readonly postgres: PostgresServer
  /** Stops the server if it runs and starts it again on the same port with its data. */
  restart: () => Promise<void>
  [Symbol.asyncDispose]: () => Promise<void>
}

async function turnOffDurability(url: string): Promise<void> {
  await using session = openDatabase({ connectionString: url })
  for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes']) {
    await sql`alter system set ${sql.id(setting)} = off`.execute(session.db)
  }
  await sql`select pg_reload_conf()`.execute(session.db)
}

/**
 * More than one try: the free port may be taken a moment later, and after a kill the old server's
 * children hold its memory for a while.
 */
async function start(
  options: { dataDir: string; port?: number },
  maxTries: number,
): Promise<PostgresServer> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await startPostgresServer(options)
    } catch (error) {
      if (tries === maxTries) throw error
      await sleep(100)
    }
  }
}
