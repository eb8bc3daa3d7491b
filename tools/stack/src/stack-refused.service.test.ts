import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createStackHome, type StackHome } from './fixtures/stack-home.ts'

let stack: StackHome

beforeEach(async () => {
  stack = await createStackHome()
})

afterEach(async () => {
  await stack[Symbol.asyncDispose]()
})

it('a taken port is named with who has it, and nothing is started', async () => {
  await using server = createServer()
  const port = stack.portsFrom + 20
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const result = await stack.start(['--detach'])

  expect(result).toMatchObject({ ok: false, how: 'code 1' })
  expect(oneLine(result.output)).toMatch(
    new RegExp(
      `^Port ${port} \\(for Postgres\\) is taken by process ${process.pid} \\(.+\\): end that`,
    ),
  )
  expectNothingStarted()
})

it('a data folder that cannot be written is named', async () => {
  await writeFile(stack.home, 'a file where a folder should be')
  const result = await stack.start()

  expect(result).toMatchObject({ ok: false, how: 'code 1' })
  expect(oneLine(result.output)).toBe(
    `Cannot write to the data folder ${stack.home} (ENOTDIR): make it writable, or name another with --home.`,
  )
  expect(stack.processes()).toEqual([])
})

it.each([
  [['--ports-from', 'many'], '--ports-from takes a number from 1024 to 65000, not "many".'],
  [['--ports-from', '80'], '--ports-from takes a number from 1024 to 65000, not "80".'],
  [['--fast'], "Unknown option '--fast'"],
])('the options %j are refused with what is wrong', async (args, sentence) => {
  const result = await stack.start(args)

  expect(result).toMatchObject({ ok: false, how: 'code 1' })
  expect(oneLine(result.output)).toContain(sentence)
  expect(existsSync(stack.home)).toBe(false)
})

it('a broken file of passwords is named, and left as it is', async () => {
  await mkdir(stack.home)
  await writeFile(join(stack.home, 'secrets.json'), '{"roles": ')
  const result = await stack.start(['--detach'])

  expect(result).toMatchObject({ ok: false, how: 'code 1' })
  expect(oneLine(result.output)).toMatch(/secrets\.json cannot be understood: delete it/)
  expectNothingStarted()
})

it.each([
  ['DATABASE_ADMIN_URL', 'mysql://x:password-in-it@h', 'is not a postgres://host:port URL'],
  ['NATS_URL', 'localhost', 'is not a nats://host:port URL'],
  [
    'DATABASE_ADMIN_URL',
    'postgres://x:password-in-it@127.0.0.1:9/x',
    'No Postgres answers at 127.0.0.1:9',
  ],
  ['NATS_URL', 'nats://127.0.0.1:9', 'No NATS server answers at 127.0.0.1:9'],
])('%s=%s is refused before anything starts, and not repeated', async (name, value, sentence) => {
  const result = await stack.start(['--detach'], { [name]: value })

  expect(result).toMatchObject({ ok: false, how: 'code 1' })
  expect(oneLine(result.output)).toContain(sentence)
  expect(result.output).not.toContain('password-in-it')
  expectNothingStarted()
})

it('says as JSON, on request, why it did not start', async () => {
  const result = await stack.start(['--detach', '--json'], { NATS_URL: 'nats://127.0.0.1:9' })

  expect(result.output).toContain('{"ready":false,"error":"No NATS server answers at 127.0.0.1:9')
})

it('a service that ends while starting is named with the end of its log, and the rest is stopped', async () => {
  const result = await stack.start(['--detach'], { FIXTURE_BROKEN: 'data_api' })

  expect(result).toMatchObject({ ok: false, how: 'code 1' })
  expect(result.output).toContain('data_api ended (code 1) while starting. The end of ')
  expect(result.output).toContain('are fine, but this fixture is broken')
  expect(stack.processes()).toEqual([])
  expect(existsSync(join(stack.home, 'run.json'))).toBe(false)
})

it('a migration that fails ends the start with what it said', async () => {
  const result = await stack.start(['--detach'], { FIXTURE_BROKEN: 'migrate' })

  expect(result).toMatchObject({ ok: false, how: 'code 1' })
  expect(result.output).toContain('The migration failed (code 1):')
  expect(result.output).toContain('this migration is broken')
  expect(stack.processes()).toEqual([])
})

it('stop says that nothing runs when nothing runs', async () => {
  expect(await stack.stop()).toEqual({ stopped: false, processes: [], ms: 0 })
})

function oneLine(output: string): string {
  expect(output.split('\n')).toHaveLength(1)
  return output
}

function expectNothingStarted(): void {
  expect(stack.processes()).toEqual([])
  for (const name of ['run.json', 'run.lock', 'stack.json', 'postgres', 'nats']) {
    expect(existsSync(join(stack.home, name))).toBe(false)
  }
}
