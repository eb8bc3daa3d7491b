import { appendFile, mkdir, open, readdir, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { zstdCompress } from 'node:zlib'
import type { Receipt } from '@twilight/market-sources/source'
import type { Logger } from '@twilight/service/log'

export type RawArchive = AsyncDisposable & {
  /** queues and returns at once; what finds no room is dropped with a warning */
  keep(receipts: readonly Receipt[], about: About): void
  state(): { waiting: number; kept: number; dropped: number; bytesToday: number }
}

/** What was asked, and why the answer was refused if it was. */
export type About = { id: string; params: Record<string, string>; refused?: string }

export type RawArchiveOptions = {
  /** one folder per day below: `<sha256>.zst` and manifest.jsonl */
  folder: string
  /** who parsed it, for whoever reads it again years later */
  parser: { name: string; version: string }
  /** texts that must never reach the disk */
  secrets: readonly { reveal(): string }[]
  log: Logger
  /** compressed, default 512 MiB */
  maxBytesPerDay?: number
  /** bodies that wait to be written, default 500 and 64 MiB */
  maxWaiting?: number
  maxWaitingBytes?: number
}

/**
 * Keeps what an upstream said, word for word, under its SHA-256. History as it was known on a day cannot
 * be bought later.
 *
 *     zstd -dc raw/2026-11-20/<sha256>.zst | sha256sum
 */
export function openRawArchive(options: RawArchiveOptions): RawArchive {
  const { log, maxBytesPerDay = 512 * mebi, maxWaiting = 500 } = options
  const { maxWaitingBytes = 64 * mebi } = options
  const waiting: Entry[] = []
  let [waitingBytes, kept, dropped] = [0, 0, 0]
  let today: Day | undefined
  let writing: Promise<void> | undefined
  let warnedAt = -Infinity

  return {
    keep(receipts, about) {
      for (const receipt of receipts) {
        const { byteLength } = receipt.body
        if (waiting.length >= maxWaiting || waitingBytes + byteLength > maxWaitingBytes) {
          drop('the queue is full', receipt)
          continue
        }
        waiting.push({ receipt, about })
        waitingBytes += byteLength
      }
      writing ??= writeAll()
    },
    state: () => ({ waiting: waiting.length, kept, dropped, bytesToday: today?.bytes ?? 0 }),
    async [Symbol.asyncDispose]() {
      await writing
    },
  }

  /** Never rejects, and ends when the bounded queue is empty. */
  async function writeAll(): Promise<void> {
    for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
      waitingBytes -= entry.receipt.body.byteLength
      try {
        await writeOne(entry)
      } catch (error) {
        drop('it cannot be written', entry.receipt, error)
      }
    }
    writing = undefined
  }

  async function writeOne({ receipt, about }: Entry): Promise<void> {
    const body = Buffer.from(receipt.body)
    const leaked = options.secrets.some((secret) => body.includes(secret.reveal()))
    if (leaked) {
      drop('it holds a secret of ours', receipt)
      return
    }
    today = await dayOf(receipt, today)
    if (!today.known.has(receipt.sha256)) {
      const compressed = await compress(body)
      if (today.bytes + compressed.byteLength > maxBytesPerDay) {
        drop(`${maxBytesPerDay} bytes are reached for ${today.date}`, receipt)
        return
      }
      await writeWhole(join(today.folder, `${receipt.sha256}.zst`), compressed)
      today.known.add(receipt.sha256)
      today.bytes += compressed.byteLength
    }
    await appendFile(join(today.folder, 'manifest.jsonl'), `${manifestLine(receipt, about)}\n`)
    kept += 1
  }

  async function dayOf({ fetchedAt }: Receipt, current: Day | undefined): Promise<Day> {
    const date = fetchedAt.slice(0, 10)
    return current?.date === date ? current : openDay(options.folder, date)
  }

  function manifestLine(receipt: Receipt, about: About): string {
    const { source, api, sha256, fetchedAt, requestId, body } = receipt
    const { name, version } = options.parser
    const { id, params, refused } = about
    const bytes = body.byteLength
    return JSON.stringify({
      sha256,
      source,
      api,
      params,
      id,
      fetched_at: fetchedAt,
      request_id: requestId,
      bytes,
      parser: `${name}/${version}`,
      refused,
    })
  }

  function drop(why: string, { sha256, api }: Receipt, error?: unknown): void {
    dropped += 1
    // One line a minute tells as much as a thousand.
    if (performance.now() - warnedAt < 60_000) return
    warnedAt = performance.now()
    log.warn({ err: error, sha256, api, dropped }, `raw answer not archived: ${why}`)
  }
}

type Entry = { receipt: Receipt; about: About }
type Day = { date: string; folder: string; bytes: number; known: Set<string> }

const mebi = 1024 * 1024
const compress = promisify(zstdCompress)

/** What the day holds already, from before a restart. */
async function openDay(parent: string, date: string): Promise<Day> {
  const folder = join(parent, date)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const names = (await readdir(folder)).filter((name) => name.endsWith('.zst'))
  let bytes = 0
  for (const name of names) bytes += (await stat(join(folder, name))).size
  return { date, folder, bytes, known: new Set(names.map((name) => name.slice(0, -'.zst'.length))) }
}

/** Whole or not at all, also when the machine stops. */
async function writeWhole(path: string, content: Uint8Array): Promise<void> {
  const file = await open(`${path}.part`, 'w', 0o600)
  try {
    await file.writeFile(content)
    await file.datasync()
  } finally {
    await file.close()
  }
  await rename(`${path}.part`, path)
}
