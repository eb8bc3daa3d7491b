import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The server version we install ourselves; anything newer on the PATH is welcome too. */
const goVersion = 'v2.15.2'
const toolsDir = join(import.meta.dirname, '../../../.twilight/tools')

/** The nats-server to run: on the PATH, installed earlier, or installed now by whatever this machine offers. */
export async function findNatsServer(): Promise<string> {
  const known = findOnPath('nats-server') ?? installedEarlier()
  if (known) return known
  await mkdir(toolsDir, { recursive: true })
  if (findOnPath('go')) {
    await run('go', ['install', `github.com/nats-io/nats-server/v2@${goVersion}`], {
      env: { ...process.env, GOBIN: toolsDir },
    })
    const installed = installedEarlier()
    if (installed) return installed
  }
  throw new Error('No nats-server found.')
}

function installedEarlier(): string | undefined {
  const path = join(toolsDir, 'nats-server')
  return existsSync(path) ? path : undefined
}

function findOnPath(name: string): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      continue
    }
  }
  return undefined
}
