import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import type { Receipt } from '@twilight/market-sources/source'
import { expect, test } from 'vitest'
import { openRawArchive } from './raw-archive.ts'
import { silent, temporaryFolder } from './test-look-up.ts'

const secret = { reveal: () => 'a-token-that-must-not-be-stored' }

function receipt(text: string): Receipt {
  const body = Buffer.from(text)
  const sha256 = createHash('sha256').update(body).digest('hex')
  return { source: 'tushare', api: 'daily', body, sha256, fetchedAt: '2026-11-20T10:30:00.000Z' }
}

const open = (folder: string, more: Partial<Parameters<typeof openRawArchive>[0]> = {}) =>
  openRawArchive({
    folder,
    parser: { name: 'data-api', version: '1.2.3' },
    secrets: [secret],
    log: silent,
    ...more,
  })

const about = { id: 'daily/600519.SH:20261119', params: { ts_code: '600519.SH' } }

test('a body is found under its hash, word for word, with who parsed it and what was asked', async () => {
  await using folder = await temporaryFolder()
  const given = receipt('{"code":0,"msg":"茅台"}')
  {
    await using archive = open(folder.path)
    archive.keep([given], about)
  }
  const day = join(folder.path, '2026-11-20')
  const body = zstdDecompressSync(await readFile(join(day, `${given.sha256}.zst`)))
  expect(createHash('sha256').update(body).digest('hex')).toBe(given.sha256)
  const manifest = await readFile(join(day, 'manifest.jsonl'), 'utf8')
  expect(JSON.parse(manifest)).toEqual({
    sha256: given.sha256,
    source: 'tushare',
    api: 'daily',
    params: about.params,
    id: about.id,
    fetched_at: given.fetchedAt,
    bytes: given.body.byteLength,
    parser: 'data-api/1.2.3',
  })
})

test('the same body is stored once and mentioned each time, also after a restart; a refused one says why', async () => {
  await using folder = await temporaryFolder()
  for (const refused of [undefined, 'high is below low']) {
    await using archive = open(folder.path)
    archive.keep([receipt('same')], { ...about, ...(refused !== undefined && { refused }) })
  }
  const day = join(folder.path, '2026-11-20')
  const names = await readdir(day)
  expect(names.toSorted()).toEqual([`${receipt('same').sha256}.zst`, 'manifest.jsonl'].toSorted())
  const lines = (await readFile(join(day, 'manifest.jsonl'), 'utf8')).trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line).refused)).toEqual([undefined, 'high is below low'])
})

test('a body that holds our token never reaches the disk', async () => {
  await using folder = await temporaryFolder()
  const archive = open(folder.path)
  archive.keep([receipt(`echo: ${secret.reveal()}`)], about)
  await archive[Symbol.asyncDispose]()
  expect(archive.state()).toMatchObject({ kept: 0, dropped: 1 })
  expect(await readdir(folder.path)).toEqual([])
})

test('the bounds of a day and of the queue hold, across a restart, and nobody waits for the disk', async () => {
  await using folder = await temporaryFolder()
  for (const expected of [
    { kept: 1, dropped: 1 },
    { kept: 0, dropped: 1 },
  ]) {
    const archive = open(folder.path, { maxBytesPerDay: 1500 })
    archive.keep(expected.kept ? [random(1000), random(1000)] : [random(1000)], about)
    await archive[Symbol.asyncDispose]()
    expect(archive.state()).toMatchObject(expected)
  }
  const small = open(folder.path, { maxWaiting: 5 })
  small.keep(
    Array.from({ length: 20 }, (_, at) => receipt(`body ${at}`)),
    about,
  )
  expect(small.state().dropped).toBe(15)
  await small[Symbol.asyncDispose]()
})

test('a folder that cannot be written to costs the archive and nothing else', async () => {
  const archive = open(join(import.meta.filename, 'not-a-folder'))
  archive.keep([receipt('x')], about)
  await archive[Symbol.asyncDispose]()
  expect(archive.state()).toMatchObject({ kept: 0, dropped: 1 })
})

function random(size: number): Receipt {
  return receipt(crypto.getRandomValues(Buffer.alloc(size)).toString('hex'))
}
