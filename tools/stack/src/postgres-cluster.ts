import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { appendFile, chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { childExit } from './child-exit.ts'
import type { Place } from './postgres-place.ts'

const user = 'twilight'

/** For a machine that does much else beside: small, and still safe (fsync stays on). */
const settings = `
shared_buffers = 64MB
max_connections = 100
max_wal_size = 256MB
wal_compression = on
timezone = 'UTC'
log_timezone = 'UTC'
`

/** Makes the data folder on the first start; after that the password lies in it. */
export async function initialiseCluster(
  place: Place,
  onSpawn?: (pid: number) => void,
): Promise<{ user: string; password: string }> {
  const passwordFile = join(place.dataDir, 'superuser-password')
  if (existsSync(passwordFile)) return { user, password: await readFile(passwordFile, 'utf8') }
  if (existsSync(join(place.dataDir, 'PG_VERSION'))) {
    throw new Error(`${passwordFile} is missing: put it back, or move ${place.dataDir} away.`)
  }
  // Made aside and renamed when whole: a first start that was cut short leaves only a draft.
  const draft = { ...place, dataDir: `${place.dataDir}.draft` }
  const handOver = `${draft.dataDir}.password`
  await rm(draft.dataDir, { recursive: true, force: true })
  await mkdir(draft.dataDir, { mode: 0o700 })
  const password = randomBytes(24).toString('base64url')
  try {
    await writeFile(handOver, password, { mode: 0o600 })
    if (place.owner) {
      await chown(draft.dataDir, place.owner.uid, place.owner.gid)
      await chown(handOver, place.owner.uid, place.owner.gid)
    }
    await initdb(draft, handOver, onSpawn)
  } finally {
    await rm(handOver, { force: true })
  }
  await appendFile(join(draft.dataDir, 'postgresql.conf'), settings)
  const options = { mode: 0o600, flush: true }
  await writeFile(join(draft.dataDir, 'superuser-password'), password, options)
  await rename(draft.dataDir, place.dataDir)
  return { user, password }
}

async function initdb(
  place: Place,
  passwordFile: string,
  onSpawn: ((pid: number) => void) | undefined,
): Promise<void> {
  const child = spawn(
    join(place.binDir, 'initdb'),
    ['-D', place.dataDir, '-U', user, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`].concat([
      '-E',
      'UTF8',
      '--locale=C',
      '-k',
    ]),
    {
      cwd: place.dataDir,
      env: { PATH: '/usr/bin:/bin', LC_MESSAGES: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      ...place.owner,
    },
  )
  let said = ''
  const collect = (data: Buffer) => (said = (said + data.toString('utf8')).slice(-4000))
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  if (child.pid !== undefined) onSpawn?.(child.pid)
  const how = await childExit(child)
  if (how !== 'code 0')
    throw new Error(`Postgres could not make its data folder (${how}):\n${said}`)
}
