import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readEnvironment, repositoryRoot } from './config.ts'
import { waitForOwnerLock } from './owner-lock.ts'
import { findProgram, runProgram } from './run-program.ts'

/** What we install ourselves; anything newer on the PATH is welcome too. */
const goModule = 'github.com/nats-io/nats-server/v2@v2.15.2'
const oldestUsable = [2, 9]
const oldestCurrent = [2, 12]
const installTimeoutMs = 5 * 60_000
const repositoryToolsDir = join(repositoryRoot, '.twilight/tools')

/**
 * The nats-server to run: on the PATH, installed earlier, or installed now by whatever this
 * machine offers. Throws a message with the one command to run when it offers nothing.
 */
export async function findNatsServer(options: FindOptions = {}): Promise<string> {
  const path = options.path ?? readEnvironment()['PATH'] ?? ''
  const toolsDir = options.toolsDir ?? repositoryToolsDir
  const told = new Set<string>()
  const say = (text: string) => {
    // Looking is done several times; what was found is told once.
    if (!told.has(text)) options.say?.(text)
    told.add(text)
  }
  const search = { path, toolsDir, say, signal: options.signal }
  const known = await findKnown(search)
  if (known) return known
  await mkdir(toolsDir, { recursive: true })
  // Test files start at the same moment: one installs, the others wait and find it.
  const release = await waitForOwnerLock(join(toolsDir, 'nats.lock'), 2 * installTimeoutMs)
  try {
    return (await findKnown(search)) ?? (await install(search))
  } finally {
    release()
  }
}

export type FindOptions = {
  path?: string
  toolsDir?: string
  /** Told what is being installed, and what is worth knowing about the one found. */
  say?: (text: string) => void
  /** Gives up installing. */
  signal?: AbortSignal | undefined
}

type Search = {
  path: string
  toolsDir: string
  say: (text: string) => void
  signal: AbortSignal | undefined
}

/** On the PATH, else what was installed earlier: ours with Go, or unpacked from a system package. */
async function findKnown({ path, toolsDir, say }: Search): Promise<string | undefined> {
  const unpacked = join(toolsDir, 'debian/usr/sbin')
  const binary = findProgram('nats-server', path)
  const binaries = [binary, ...[toolsDir, unpacked].map((dir) => findProgram('nats-server', dir))]
  for (const candidate of binaries) {
    if (candidate === undefined) continue
    const version = await versionOf(candidate)
    if (version === undefined || isOlder(version, oldestUsable)) {
      say(`${candidate} is ${version?.join('.') ?? 'not a nats-server that runs'}: not used.`)
      continue
    }
    if (isOlder(version, oldestCurrent)) {
      say(
        `nats-server ${version.join('.')} is old: good enough on this machine's loopback, not on a network.`,
      )
    }
    return candidate
  }
  return undefined
}

async function install(search: Search): Promise<string> {
  const { path, say } = search
  const failures: string[] = []
  for (const way of waysToInstall(path)) {
    say(`Installing nats-server with ${way.name}.`)
    for (const { command, mayFail } of way.steps) {
      const result = await runStep(command, search)
      search.signal?.throwIfAborted()
      if (result.ok || mayFail) continue
      const lastLine = result.output.split('\n').at(-1) ?? ''
      failures.push(`${way.name}: "${command.join(' ')}" ended with ${result.how}. ${lastLine}`)
      say(`${way.name} could not install nats-server: ${lastLine}`)
      break
    }
    const found = await findKnown(search)
    if (found) return found
  }
  const tried = failures.length > 0 ? `\nWhat was tried:\n  ${failures.join('\n  ')}` : ''
  const command =
    process.platform === 'darwin' ? 'brew install nats-server' : 'sudo apt-get install nats-server'
  throw new Error(`There is no nats-server here: run "${command}", or set NATS_URL.${tried}`)
}

type Way = { name: string; steps: { command: string[]; mayFail?: boolean }[] }

function waysToInstall(path: string): Way[] {
  const has = (name: string) => findProgram(name, path) !== undefined
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  const ways: (Way | false)[] = [
    has('go') && { name: 'Go', steps: [{ command: ['go', 'install', goModule] }] },
    has('brew') && { name: 'Homebrew', steps: [{ command: ['brew', 'install', 'nats-server'] }] },
    has('apt-get') &&
      has('dpkg-deb') && {
        name: 'apt',
        steps: [
          // Where asking for a password would be needed, the package lists of the machine have to do.
          { command: [...asRoot, 'apt-get', 'update'], mayFail: true },
          // Unpacked, not installed: Debian would start it as a service, open to the network.
          { command: ['apt-get', 'download', 'nats-server'] },
          { command: ['/bin/sh', '-c', 'dpkg-deb -x nats-server_*.deb debian'] },
          { command: ['/bin/sh', '-c', 'rm -f nats-server_*.deb'] },
        ],
      },
    has('apk') && { name: 'apk', steps: [{ command: [...asRoot, 'apk', 'add', 'nats-server'] }] },
  ]
  return ways.filter((way) => way !== false)
}

function runStep(command: string[], { path, toolsDir, signal }: Search) {
  const [program = '', ...args] = command
  const environment = { ...readEnvironment(), PATH: path, GOBIN: toolsDir }
  const timeoutMs = installTimeoutMs
  return runProgram({ program, args, environment, cwd: toolsDir, timeoutMs, signal })
}

async function versionOf(binary: string): Promise<number[] | undefined> {
  const result = await runProgram({
    program: binary,
    args: ['--version'],
    environment: {},
    cwd: '/',
    timeoutMs: 10_000,
  })
  const match = result.ok ? /v(\d+)\.(\d+)\.(\d+)/.exec(result.output) : undefined
  return match?.slice(1).map(Number)
}

function isOlder(version: number[], than: number[]): boolean {
  const [major = 0, minor = 0] = version
  const [thanMajor = 0, thanMinor = 0] = than
  return major < thanMajor || (major === thanMajor && minor < thanMinor)
}
