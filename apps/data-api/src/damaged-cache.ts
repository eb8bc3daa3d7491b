import { readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Renames the file and its log to `<path>.set-aside-<date>` and keeps the three newest; returns the new name. */
export async function setFileAside(path: string): Promise<string> {
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-')
  const name = `${path}${mark}${stamp}`
  // The log first: beside a new main file an old one is fatal, the other way round it is only lost.
  for (const [from, to] of [
    [`${path}.wal`, `${name}.wal`],
    [path, name],
  ] as const) {
    await rename(from, to).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    })
  }
  await removeOldest(path)
  return name
}

async function removeOldest(path: string): Promise<void> {
  const folder = dirname(path)
  const found = await readdir(folder)
  const kept = found.filter((name) => name.startsWith(`${basename(path)}${mark}`)).toSorted()
  // Two files each: what is damaged again and again must not fill the disk.
  for (const name of kept.slice(0, -6)) await rm(join(folder, name), { force: true })
}

const mark = '.set-aside-'

/** The place is the reason and not the file: held by another process, no room, no right. */
export function isPlace(error: unknown): boolean {
  return placeWords.test(text(error))
}

/** The content of the file cannot be trusted. */
export function isDamage(error: unknown): boolean {
  return damageWords.test(text(error))
}

/** The open instance serves no more, whatever the reason. */
export function isBroken(error: unknown): boolean {
  return isDamage(error) || brokenWords.test(text(error))
}

export function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').slice(0, 200)
}

function text(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return `${code} ${error.message}`
}

const placeWords =
  /could not set lock|conflicting lock|permission denied|no space left|disk quota|read-only file system|file too large|too many open files|is a directory|not a directory|ENOTDIR|EACCES|EPERM|EROFS|ENOSPC|EEXIST|EFBIG/i
const damageWords =
  /corrupt|checksum|could not read enough bytes|INTERNAL Error|serialization error|replaying WAL|not a valid DuckDB/i
const brokenWords = /FATAL|invalidated|connection (?:was|has been) closed/i
