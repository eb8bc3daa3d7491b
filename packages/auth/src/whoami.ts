import type { Database } from '@twilight/database/schema'
import type { Kysely } from 'kysely'
import { classOfApiKey, hashApiKey } from './api-key.ts'
import { type KeyRecord, loadKeyRecords } from './key-record.ts'

/**
 * Whose key a text is, straight from the database and whether it still opens anything or not; undefined
 * when it is nobody's. For operators: a guard uses a verifier. Needs a role that may read key hashes.
 */
export async function whoami(db: Kysely<Database>, text: string): Promise<KeyRecord | undefined> {
  const keyClass = classOfApiKey(text)
  if (keyClass === undefined) return undefined
  const hash = hashApiKey(text)
  const record = (await loadKeyRecords(db, [hash])).get(hash.toString('hex'))
  return record?.class === keyClass ? record : undefined
}
