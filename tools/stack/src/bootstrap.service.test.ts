import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readEnvironment } from './config.ts'
import { eventually } from './fixtures/stack-home.ts'
import { type ProgramResult, runProgram } from './run-program.ts'

// A checkout of its own, with an npm that "installs" a pnpm that "installs" a Node, and counts.
let checkout: string

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'twilight-checkout-'))
  write('package.json', '{"packageManager":"pnpm@12.21.0"}')
  write('pnpm-lock.yaml', 'one')
  write('pnpm-workspace.yaml', '')
  write('tools/stack/src/start.ts', 'console.log("started", process.argv.slice(2).join("+"))\n')
  write('tools/stack/src/stop.ts', 'console.log("stopped")\n')
  write('tools/stack/src/test.ts', 'process.exitCode = 7\n')
  write(
    'tools/stack/src/logs.ts',
    'process.on("SIGTERM", () => process.exit(5)); setInterval(() => {}, 1000); console.log("follows")\n',
  )
  copyFileSync(
    join(import.meta.dirname, '../bootstrap.mjs'),
    join(checkout, 'tools/stack/bootstrap.mjs'),
  )
  program(
    'npm',
    'echo npm "$@" >> "$CALLS"; mkdir -p node_modules/.bin; cp "$FAKE/pnpm" node_modules/.bin/pnpm',
  )
  program(
    'pnpm',
    'echo pnpm "$@" >> "$CALLS"; sleep 0.2; mkdir -p node_modules/.bin; ln -sf "$REAL_NODE" node_modules/.bin/node',
  )
})

afterEach(() => rmSync(checkout, { recursive: true }))

it('installs what is missing, then runs the command with its arguments', async () => {
  const result = await bootstrap(['start', '--detach', '--ports-from', '9000'])

  expect(result.ok).toBe(true)
  expect(result.output).toContain('started --detach+--ports-from+9000')
  expect(result.output).toMatch(/✓ pnpm 12\.21\.0: installed in \d/)
  expect(result.output).toMatch(/✓ Packages: installed in \d/)
  expect(calls()).toEqual([
    'npm install --no-audit --no-fund --no-package-lock pnpm@12.21.0',
    'pnpm install --frozen-lockfile',
  ])
})

it('works without any network once everything is installed', async () => {
  await bootstrap(['start'])
  program('npm', 'exit 1')
  program('pnpm', 'exit 1')
  const result = await bootstrap(['start'])

  expect(result).toMatchObject({ ok: true, output: 'started' })
})

it('installs packages again when the lockfile changed, and keeps its pnpm', async () => {
  await bootstrap(['start'])
  write('pnpm-lock.yaml', 'two')
  await bootstrap(['start'])

  expect(calls().filter((call) => call.startsWith('npm'))).toHaveLength(1)
  expect(calls().filter((call) => call.startsWith('pnpm'))).toHaveLength(2)
})

it('installs once when two commands begin at the same moment', async () => {
  const results = await Promise.all([bootstrap(['start']), bootstrap(['start'])])

  expect(results.map(({ ok }) => ok)).toEqual([true, true])
  expect(calls()).toHaveLength(2)
})

it.each([
  ['of a process that is gone', '4194305 1 x'],
  ['of an earlier process with a number used again', `${process.pid} 1 x`],
])('takes over the lock %s', async (_, owner) => {
  write('.twilight/install.lock', owner)

  expect(await bootstrap(['start'])).toMatchObject({ ok: true })
})

it('says why packages could not be installed, and tries again the next time', async () => {
  program('pnpm', 'echo "no route to the registry"; exit 1')
  const result = await bootstrap(['start'])

  expect(result).toMatchObject({ ok: false, how: 'code 1' })
  expect(result.output).toContain('Packages could not be installed ("pnpm" ended with 1).')
  expect(result.output).toContain('no route to the registry')
  expect(result.output).not.toContain('started')
})

it('passes the exit code and signals on', async () => {
  expect(await bootstrap(['test'])).toMatchObject({ how: 'code 7' })

  const child = spawn(process.execPath, [join(checkout, 'tools/stack/bootstrap.mjs'), 'logs'], {
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  let output = ''
  child.stdout.on('data', (data: Buffer) => (output += data.toString()))
  await eventually(() => output.includes('follows'))
  child.kill('SIGTERM')

  expect(await exited).toEqual([5, null])
})

it('a Node that is too old gets one sentence before anything is installed', async () => {
  const pretend =
    'Object.defineProperty(process,"versions",{value:{...process.versions,node:"18.20.4"}})'
  const result = await bootstrap(['start'], ['--import', `data:text/javascript,${pretend}`])

  expect(result).toMatchObject({
    how: 'code 1',
    output: 'Node 18.20.4 is too old: install Node 20 or newer, then run this again.',
  })
  expect(calls()).toEqual([])
})

it('a command that does not exist is answered with those that do', async () => {
  const result = await bootstrap(['fly'])

  expect(result).toMatchObject({ how: 'code 1' })
  expect(result.output).toMatch(
    /^There is no command "fly".\nCommands:\n {2}npm start .*\n {2}npm run stop /,
  )
})

it.each(['start', 'stop', 'logs', 'test', 'check', 'format'])(
  '%s explains itself without installing anything',
  async (name) => {
    const result = await bootstrap([name, '--help'])

    expect(result.ok).toBe(true)
    expect(result.output).toMatch(/^npm .* -- \[options\]\n/)
    expect(calls()).toEqual([])
  },
)

it('stop does not install anything: where nothing is installed nothing runs', async () => {
  const result = await bootstrap(['stop'])

  expect(result).toMatchObject({ ok: true })
  expect(result.output).toContain('Nothing is running')
  expect(calls()).toEqual([])
})

function bootstrap(args: string[], nodeArgs: string[] = []): Promise<ProgramResult> {
  return runProgram({
    program: process.execPath,
    args: [...nodeArgs, join(checkout, 'tools/stack/bootstrap.mjs'), ...args],
    environment: environment(),
    cwd: checkout,
    timeoutMs: 20_000,
  })
}

function environment(): Record<string, string | undefined> {
  const inherited = readEnvironment()
  return {
    ...inherited,
    PATH: `${join(checkout, 'fake')}${delimiter}${inherited['PATH']}`,
    FAKE: join(checkout, 'fake'),
    CALLS: join(checkout, 'calls'),
    REAL_NODE: process.execPath,
  }
}

function calls(): string[] {
  try {
    return readFileSync(join(checkout, 'calls'), 'utf8').trimEnd().split('\n')
  } catch {
    return [] // Nothing was called.
  }
}

function program(name: string, body: string): void {
  write(`fake/${name}`, `#!/bin/sh\n${body}\n`, 0o755)
}

function write(path: string, content: string, mode = 0o644): void {
  mkdirSync(join(checkout, path, '..'), { recursive: true })
  writeFileSync(join(checkout, path), content, { mode })
}
