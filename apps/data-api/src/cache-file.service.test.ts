import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'
import { createTestDatabase } from '@twilight/database/test-database'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CachedAnswer } from './cache-database.ts'
import { openCacheFile } from './cache-file.ts'
import { bar, openTestLookUp, silent, startSandbox, temporaryFolder } from './test-look-up.ts'

const answer = (text: string): CachedAnswer => ({
  shape: 's',
  text,
  fetchedAt: new Date('2026-11-20T01:02:03.456Z'),
  rawSha256: 'ab'.repeat(32),
})

const open = (path: string, more: Partial<Parameters<typeof openCacheFile>[0]> = {}) =>
  openCacheFile({ path, log: silent, retryMs: 50, ...more })

const cachePath = (folder: { path: string }) => join(folder.path, 'cache.duckdb')

async function fill(path: string, count = 200): Promise<void> {
  await using file = await open(path)
  await Promise.all(
    Array.from({ length: count }, (_, at) => file.put(`daily/${at}`, answer(`text ${at}`))),
  )
}

test('what was put is there after a restart, the newest for each id, and only with its own columns', async () => {
  await using folder = await temporaryFolder()
  {
    await using file = await open(cachePath(folder))
    await Promise.all([file.put('a', answer('1')), file.put('a', answer('2'))])
    await file.put('a', answer('3'))
    await file.put('b', answer('茅台 "\' \u0000 text'))
  }
  await using file = await open(cachePath(folder))
  expect(await file.get('a', 's')).toEqual(answer('3'))
  expect((await file.get('b', 's'))?.text).toBe('茅台 "\' \u0000 text')
  expect(await file.get('a', 'other')).toBeUndefined()
  expect(await file.get('c', 's')).toBeUndefined()
})

test('it holds so many answers and no more: the oldest go', async () => {
  await using folder = await temporaryFolder()
  await using file = await open(cachePath(folder), { maxAnswers: 1000 })
  for (let batch = 0; batch < 6; batch += 1) {
    await Promise.all(
      Array.from({ length: 1000 }, (_, at) => {
        const id = batch * 1000 + at
        return file.put(`${id}`, { ...answer('x'), fetchedAt: new Date(id * 1000) })
      }),
    )
  }
  expect(await file.get('10', 's')).toBeUndefined()
  expect(await file.get('5999', 's')).toBeDefined()
}, 60_000)

describe('a file that is not usable is set aside, and a new one begins', () => {
  test.each([
    ['text', async (path: string) => writeFile(path, 'not a database at all\n'.repeat(1000))],
    ['an SQLite file', async (path: string) => writeFile(path, sqliteHeader())],
    [
      'half a file',
      async (path: string) => {
        await fill(path)
        await truncate(path, 9000)
      },
    ],
    ['a log that belongs to another file', async (path: string) => foreignLog(path)],
    ['another DuckDB database', async (path: string) => otherDatabase(path)],
  ])('%s', async (_, damage) => {
    await using folder = await temporaryFolder()
    const path = cachePath(folder)
    await damage(path)
    await using file = await open(path)
    expect(file.state()).toMatchObject({ open: true, setAside: 1 })
    await file.put('a', answer('1'))
    expect(await file.get('a', 's')).toEqual(answer('1'))
    const names = await readdir(folder.path)
    expect(names.some((name) => /\.set-aside-\d{4}-\d{2}-\d{2}T/.test(name))).toBe(true)
  })

  test('bytes flipped anywhere: never fatal, and never another text than was put', async () => {
    await using folder = await temporaryFolder()
    await fill(cachePath(folder), 2000)
    const whole = await readFile(cachePath(folder))
    let run = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: whole.length - 1 }), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 255 }),
        async (places, flip) => {
          run += 1
          const path = join(folder.path, `run-${run}.duckdb`)
          const bytes = Buffer.from(whole)
          for (const place of places) bytes[place] = (bytes[place] ?? 0) ^ flip
          await writeFile(path, bytes)
          await using file = await open(path)
          for (const at of [0, 999, 1999]) {
            const got = await file.get(`daily/${at}`, 's')
            expect([undefined, `text ${at}`]).toContain(got?.text)
          }
          await file.put('new', answer('new'))
          await rm(path, { force: true })
        },
      ),
      { numRuns: 40 },
    )
  }, 60_000)
})

describe('without a usable file everything works but is forgotten', () => {
  test('a file that another process holds is left alone and used once it is free', async () => {
    await using folder = await temporaryFolder()
    const path = cachePath(folder)
    await fill(path)
    const holder = spawn(process.execPath, ['--input-type=module', '-e', holdFile], {
      cwd: import.meta.dirname,
      env: { PATH: process.env['PATH'], HELD_FILE: path },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(holder.stdout, 'data')
    await using file = await open(path)
    expect(file.state()).toMatchObject({
      open: false,
      setAside: 0,
      trouble: { reason: expect.stringMatching(/lock/i) },
    })
    await file.put('a', answer('1'))
    expect(await file.get('daily/1', 's')).toBeUndefined()
    holder.kill('SIGKILL')
    await once(holder, 'close')
    await expect.poll(() => file.get('daily/1', 's')).toEqual(answer('text 1'))
    expect(file.state()).not.toHaveProperty('trouble')
  })

  test('a place that cannot be written to: reads find nothing, writes are given up, the state says so', async () => {
    await using folder = await temporaryFolder()
    await writeFile(join(folder.path, 'file'), '')
    await using file = await open(join(folder.path, 'file', 'cache.duckdb'))
    await file.put('a', answer('1'))
    expect(await file.get('a', 's')).toBeUndefined()
    expect(file.state()).toMatchObject({ open: false, trouble: { reason: expect.any(String) } })
  })

  test('no room on the disk: what is there is still read, nothing rejects, the state says so', async () => {
    await using folder = await temporaryFolder()
    const path = cachePath(folder)
    await fill(path)
    // A limit on the size of files stands for a full disk: the same write fails, for this process alone.
    const child = spawn(
      '/bin/sh',
      [
        '-c',
        `trap '' XFSZ; ulimit -f 1200; exec "$0" "$1" "$2"`,
        process.execPath,
        fixture('fill-the-disk.ts'),
        path,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] } },
    )
    const lines: string[] = []
    for await (const line of createInterface({ input: child.stdout })) lines.push(line)
    const seen = JSON.parse(lines.at(-1) ?? '{}')
    expect(seen).toMatchObject({ read: 'text 1', trouble: true })
    await using file = await open(path)
    expect((await file.get('daily/1', 's'))?.text).toBe('text 1')
  })
})

test('killed again and again under load, it loses no answer that was given, and the next start asks nobody', async () => {
  await using resources = new AsyncDisposableStack()
  const folder = resources.use(await temporaryFolder())
  const sandbox = resources.use(await startSandbox())
  const database = resources.use(await createTestDatabase({ durable: false }))
  const where = {
    dataDir: folder.path,
    sandboxUrl: sandbox.url,
    databaseUrl: database.urlFor('data_api'),
  }
  const answered = new Set<string>()
  for (let kill = 0; kill < 12; kill += 1) {
    const child = spawn(
      process.execPath,
      [
        fixture('look-up-until-killed.ts'),
        where.dataDir,
        where.sandboxUrl,
        where.databaseUrl,
        String(answered.size),
      ],
      { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] } },
    )
    const closed = once(child, 'close')
    const lines = createInterface({ input: child.stdout })
    lines.on('line', (code) => answered.add(code))
    await once(lines, 'line')
    await sleep(Math.random() * 120)
    child.kill('SIGKILL')
    await closed
    await sandbox.reset()
  }
  expect(answered.size).toBeGreaterThan(12)
  // With the source switched off an answer can only come from the file.
  const house = resources.use(await openTestLookUp({ ...where, tushareEnabled: false }))
  for (const code of answered) {
    expect(await house.lookUp(bar(code, '2026-11-19'))).toMatchObject({
      from: 'cache',
      rows: [{ ts_code: code }],
    })
  }
  expect((await sandbox.calls()).total).toBe(0)
  const names = await readdir(folder.path)
  expect(names.filter((name) => name.includes('set-aside'))).toEqual([])
}, 120_000)

function fixture(name: 'fill-the-disk.ts' | 'look-up-until-killed.ts'): string {
  return fileURLToPath(
    name === 'fill-the-disk.ts'
      ? new URL('./fixtures/fill-the-disk.ts', import.meta.url)
      : new URL('./fixtures/look-up-until-killed.ts', import.meta.url),
  )
}

function sqliteHeader(): Buffer {
  const page = Buffer.alloc(4096)
  page.write('SQLite format 3\u0000')
  return page
}

async function otherDatabase(path: string): Promise<void> {
  const instance = await DuckDBInstance.create(path)
  const connection = await instance.connect()
  await connection.run('create table somebody_elses as select 42 as number')
  connection.closeSync()
  instance.closeSync()
}

/** A log whose database is another one: what a crash between two renames leaves behind. */
async function foreignLog(path: string): Promise<void> {
  const other = `${path}.other`
  const instance = await DuckDBInstance.create(other, { checkpoint_threshold: '1GB' })
  const connection = await instance.connect()
  await connection.run('create table somebody_elses (number int)')
  await connection.run('checkpoint')
  await connection.run('insert into somebody_elses select * from range(1000)')
  await fill(path)
  await copyFile(`${other}.wal`, `${path}.wal`)
  connection.closeSync()
  instance.closeSync()
}

const holdFile = `
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const instance = await DuckDBInstance.create(process.env.HELD_FILE)
  process.stdout.write('held')
  setInterval(() => instance, 1000)`
