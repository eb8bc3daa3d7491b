import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely, Transaction } from 'kysely'
import { classifyPostgresError } from './postgres-errors.ts'

/**
 * Runs `fn` in a transaction, the whole of it again when it lost a deadlock or a serialization race.
 * Keep everything but the database out of `fn`: it may run more than once.
 */
export async function inTransaction<DB, T>(
  db: Kysely<DB>,
  fn: (trx: Transaction<DB>) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await db.transaction().execute(fn)
    } catch (error) {
      if (classifyPostgresError(error) !== 'retry' || attempt >= maxAttempts) throw error
      await sleep(Math.random() * 20 * 2 ** attempt)
    }
  }
}

const maxAttempts = 5
