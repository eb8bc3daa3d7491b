import { execFile } from 'node:child_process'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { commandOf } from './process-identity.ts'

/** Throws one sentence naming the first taken port and, where the system tells, who has it. */
export async function assertPortsFree(wanted: { name: string; port: number }[]): Promise<void> {
  for (const { name, port } of wanted) {
    if (await isFree(port)) continue
    const holder = await whoListens(port)
    throw new Error(
      `Port ${port} (for ${name}) is taken${holder ? ` by ${holder}` : ''}: ` +
        `end that, or use other ports, for example: npm start -- --ports-from ${otherBase(port)}`,
    )
  }
}

/** Also for the wildcard address: what listens there answers on loopback too. */
export async function isFree(port: number): Promise<boolean> {
  return (await canListen(port, undefined)) && (await canListen(port, '127.0.0.1'))
}

function canListen(port: number, host: string | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, ...(host ? { host } : {}) }, () => server.close(() => resolve(true)))
  })
}

function otherBase(port: number): number {
  const base = port + 100 - (port % 100)
  return base > 65_000 ? 20_000 : base
}

async function whoListens(port: number): Promise<string | undefined> {
  const pid = process.platform === 'linux' ? await linuxListener(port) : await lsofListener(port)
  if (pid === undefined) return undefined
  const command = commandOf(pid)
  return command ? `process ${pid} (${command.slice(0, 80)})` : `process ${pid}`
}

/** The listening socket's inode from the tables of TCP, then the process that holds that inode open. */
async function linuxListener(port: number): Promise<number | undefined> {
  const inodes = new Set<string>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of (await readFile(table, 'utf8').catch(() => '')).split('\n')) {
      const fields = line.trim().split(/\s+/)
      const local = fields[1]?.split(':')[1]
      if (local && fields[3] === '0A' && Number.parseInt(local, 16) === port) {
        inodes.add(`socket:[${fields[9]}]`)
      }
    }
  }
  if (inodes.size === 0) return undefined
  for (const name of await readdir('/proc')) {
    if (/^\d+$/.test(name) && (await holdsOneOf(name, inodes))) return Number(name)
  }
  return undefined
}

async function holdsOneOf(pid: string, inodes: Set<string>): Promise<boolean> {
  // A process of another user cannot be looked into: then it stays unnamed.
  const handles = await readdir(`/proc/${pid}/fd`).catch(() => [])
  for (const handle of handles) {
    const target = await readlink(`/proc/${pid}/fd/${handle}`).catch(() => '')
    if (inodes.has(target)) return true
  }
  return false
}

async function lsofListener(port: number): Promise<number | undefined> {
  const args = ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-t']
  // Without lsof, or without a match, the holder stays unnamed.
  const found = await promisify(execFile)('lsof', args, { timeout: 5000 }).catch(() => undefined)
  const pid = Number(found?.stdout.split('\n')[0])
  return pid > 0 ? pid : undefined
}
