import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { findNatsServer } from './nats-binary.ts'

// Machines are played by folders of small scripts: what is on the PATH is all a machine is to this.
let machine: string
let path: string
let toolsDir: string
let said: string[]

beforeEach(async () => {
  machine = mkdtempSync(join(tmpdir(), 'twilight-machine-'))
  path = join(machine, 'bin')
  toolsDir = join(machine, 'tools')
  said = []
  await mkdir(path)
})

afterEach(() => rmSync(machine, { recursive: true }))

it('takes the one on the PATH, without a word when it is current', async () => {
  await script('nats-server', 'echo "nats-server: v2.12.0"')

  expect(await find()).toBe(join(path, 'nats-server'))
  expect(said).toEqual([])
})

it('says a word about an old one, and uses it', async () => {
  await script('nats-server', 'echo "nats-server: v2.9.10"')

  expect(await find()).toBe(join(path, 'nats-server'))
  expect(said).toEqual([
    "nats-server 2.9.10 is old: good enough on this machine's loopback, not on a network.",
  ])
})

it('installs with Go when the one on the PATH is too old or does not run', async () => {
  await script('nats-server', 'echo "nats-server: v2.2.0"')
  await script('go', installs('$GOBIN/nats-server'))

  expect(await find()).toBe(join(toolsDir, 'nats-server'))
  expect(said).toEqual([
    `${join(path, 'nats-server')} is 2.2.0: not used.`,
    'Installing nats-server with Go.',
  ])
})

it('finds the next time what it installed', async () => {
  await script('go', installs('$GOBIN/nats-server'))
  await find()
  await script('go', 'exit 1')

  expect(await find()).toBe(join(toolsDir, 'nats-server'))
})

it('goes on to the next way when one fails, with the reason said', async () => {
  await script('go', 'echo "no route to the module proxy" >&2; exit 1')
  await script('brew', installs(join(path, 'nats-server')))

  expect(await find()).toBe(join(path, 'nats-server'))
  expect(said).toContain('Go could not install nats-server: no route to the module proxy')
})

it('unpacks the package of the system, and starts no service', async () => {
  await script('sudo', 'exit 1')
  await script('apt-get', 'test "$1" = update && exit 1; > nats-server_2.9.10_amd64.deb')
  await script('dpkg-deb', `mkdir -p "$3/usr/sbin"; ${installs('$3/usr/sbin/nats-server')}`)

  expect(await find()).toBe(join(toolsDir, 'debian/usr/sbin/nats-server'))
})

it('names the one command to run, and what was tried, when nothing works', async () => {
  await script('go', 'echo "no route to the module proxy" >&2; exit 1')

  await expect(find()).rejects.toThrow(
    /^There is no nats-server here: run ".* install nats-server", or set NATS_URL\.\nWhat was tried:\n {2}Go: "go install .*" ended with code 1\. no route to the module proxy$/,
  )
})

it('gives up installing when it is told to', async () => {
  await script('go', 'sleep 20')
  const signal = AbortSignal.timeout(200)

  await expect(findNatsServer({ path, toolsDir, signal })).rejects.toThrow('timeout')
})

it('installs once when several ask at the same moment', async () => {
  const counter = join(machine, 'count')
  await script('go', `echo x >> ${counter}; sleep 0.2; ${installs('$GOBIN/nats-server')}`)
  const found = await Promise.all([find(), find(), find()])

  expect(new Set(found)).toEqual(new Set([join(toolsDir, 'nats-server')]))
  expect(readFileSync(counter, 'utf8')).toBe('x\n')
})

function find(): Promise<string> {
  return findNatsServer({ path, toolsDir, say: (text) => said.push(text) })
}

async function script(name: string, body: string): Promise<void> {
  const text = `#!/bin/sh\nPATH=/usr/bin:/bin\n${body}\n`
  await writeFile(join(path, name), text, { mode: 0o755 })
}

/** A script that leaves a current server behind. */
function installs(target: string): string {
  return `printf '#!/bin/sh\\necho "nats-server: v2.15.2"\\n' > "${target}"; chmod +x "${target}"`
}
