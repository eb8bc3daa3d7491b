import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  BIGINT,
  DuckDBInstance,
  LIST,
  VARCHAR,
  listValue,
  type DuckDBConnection,
} from '@duckdb/node-api'

/** One answer in the file: which columns it has, the cells as JSON on one line, where they came from. */
export type CachedAnswer = { shape: string; text: string; fetchedAt: Date; rawSha256: string }

/** Every call may reject; the caller sees to it that one read and one write at most run at a time. */
export type CacheDatabase = {
  read(id: string): Promise<CachedAnswer | undefined>
  /** on disk when it resolves, in one statement: one by one in a transaction each row takes a block of memory */
  write(answers: ReadonlyMap<string, CachedAnswer>): Promise<void>
  /** deletes the answers fetched longest ago until a tenth of the room is free */
  prune(maxAnswers: number): Promise<void>
  close(): void
}

/**
 * Opens or creates the DuckDB file. One process alone may hold it. Rejects when the file is damaged or is
 * somebody else's, when it is held elsewhere, and when the place cannot be written to.
 */
export async function openCacheDatabase(path: string): Promise<CacheDatabase> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  using resources = new DisposableStack()
  const instance = resources.adopt(await DuckDBInstance.create(path, settings), (it) =>
    it.closeSync(),
  )
  // Two connections: a reader never waits for the disk that a commit waits for. Closed before the
  // instance, or they would keep the file locked.
  const connect = async () => resources.adopt(await instance.connect(), (it) => it.closeSync())
  const [reader, writer] = [await connect(), await connect()]
  await refuseForeignTables(writer)
  await writer.run(createTable)
  const select = resources.adopt(
    await reader.prepare(
      // One column: each takes room for two thousand rows in every result, which only the collector frees.
      `select concat_ws(chr(10), shape, fetched_at, raw_sha256, answer) from cached_answers where id = $1`,
    ),
    (it) => it.destroySync(),
  )
  const upsert = resources.adopt(
    await writer.prepare(
      `insert into cached_answers (id, shape, answer, fetched_at, raw_sha256)
       select unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::bigint[]), unnest($5::text[])
       on conflict (id) do update set shape = excluded.shape, answer = excluded.answer,
         fetched_at = excluded.fetched_at, raw_sha256 = excluded.raw_sha256`,
    ),
    (it) => it.destroySync(),
  )
  // From here on it is the caller's to close.
  const open = resources.move()
  return {
    async read(id) {
      select.bindVarchar(1, id)
      const [row] = (await select.runAndReadAll()).getRows()
      // The answer is JSON on one line, and what stands before it holds no line break either.
      const [shape, fetchedAt, rawSha256, text] = row ? String(row[0]).split('\n') : []
      if (shape === undefined || rawSha256 === undefined || text === undefined) return undefined
      return { shape, text, fetchedAt: new Date(Number(fetchedAt)), rawSha256 }
    },
    async write(answers) {
      const entries = [...answers]
      for (let from = 0; from < entries.length; from += mostAtOnce) {
        const some = entries.slice(from, from + mostAtOnce)
        const texts = (pick: (entry: [string, CachedAnswer]) => string) => listValue(some.map(pick))
        upsert.bindList(
          1,
          texts(([id]) => id),
          LIST(VARCHAR),
        )
        upsert.bindList(
          2,
          texts(([, { shape }]) => shape),
          LIST(VARCHAR),
        )
        upsert.bindList(
          3,
          texts(([, { text }]) => text),
          LIST(VARCHAR),
        )
        const times = some.map(([, { fetchedAt }]) => BigInt(fetchedAt.getTime()))
        upsert.bindList(4, listValue(times), LIST(BIGINT))
        upsert.bindList(
          5,
          texts(([, { rawSha256 }]) => rawSha256),
          LIST(VARCHAR),
        )
        await upsert.run()
      }
    },
    async prune(maxAnswers) {
      const counted = await writer.runAndReadAll('select count(*) from cached_answers')
      const count = Number(counted.getRows()[0]?.[0] ?? 0)
      if (count <= maxAnswers) return
      const surplus = count - Math.floor(maxAnswers * 0.9)
      await writer.run(
        `delete from cached_answers where id in
             (select id from cached_answers order by fetched_at limit ${surplus})`,
      )
    },
    close: () => open.dispose(),
  }
}

async function refuseForeignTables(connection: DuckDBConnection): Promise<void> {
  const found = await connection.runAndReadAll(
    "select table_name from duckdb_tables() where table_name <> 'cached_answers' limit 1",
  )
  const [name] = found.getRows()[0] ?? []
  if (name !== undefined)
    throw new Error(`It is another database: it has the table ${String(name)}.`)
}

const mostAtOnce = 500

// Small on purpose: DuckDB would take every core and four fifths of the memory.
const settings = {
  threads: '1',
  memory_limit: '64MB',
  checkpoint_threshold: '8MB',
  enable_external_access: 'false',
  lock_configuration: 'true',
}

const createTable = `create table if not exists cached_answers (
  id text primary key, shape text not null, answer text not null, fetched_at bigint not null, raw_sha256 text not null
)`
