import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readEnvironment } from './config.ts'
import { eventually } from './fixtures/stack-home.ts'
import { identify } from './process-identity.ts'
import { type ProgramResult, runProgram } from './run-program.ts'

it('the last line counts each check and each test, and a failure is a non-zero exit', async () => {
  const result = await run([])

  expect(result).toMatchObject({ ok: false, how: 'code 1' })
  expect(result.output).toContain('✓ fine')
  expect(result.output).toContain('✗ strict')
  expect(result.output).toContain('    what is wrong')
  // 1 check, 2 + 1 + 1 tests; 1 check, 1 test, 1 file that cannot be loaded, 1 process left behind.
  expect(lastLine(result)).toBe('5 passed, 4 failed, 1 skipped')
})

it('a file named on the command line runs alone, without the checks', async () => {
  const result = await run(['runs/fine'])

  expect(result.ok).toBe(true)
  expect(result.output).not.toContain('strict')
  expect(lastLine(result)).toBe('1 passed, 0 failed')
})

it('a process that outlives the run fails it, is named, and is ended', async () => {
  const result = await run(['leaves-a-process'])

  expect(result.ok).toBe(false)
  expect(result.output).toMatch(
    /The run left these running \(ended now\):\n +process \d+: sleep 77/,
  )
  expect(lastLine(result)).toBe('1 passed, 1 failed')
  const pid = Number(/process (\d+): sleep/.exec(result.output)?.[1])
  await eventually(() => identify(pid) === undefined)
})

it('no test at all is a failure, not a success', async () => {
  const result = await run(['runs/nowhere'])

  expect(result.ok).toBe(false)
  expect(lastLine(result)).toBe('0 passed, 1 failed')
})

it('says the same as JSON on request', async () => {
  const result = await run(['runs/fine', '--json'])
  const json = result.output.split('\n').find((line) => line.startsWith('{'))

  expect(JSON.parse(json ?? '')).toEqual({
    passed: 1,
    failed: 0,
    skipped: 0,
    steps: [{ name: 'tests', ms: expect.any(Number), passed: true }],
  })
})

function run(args: string[]): Promise<ProgramResult> {
  return runProgram({
    program: process.execPath,
    args: [join(import.meta.dirname, 'fixtures/test-fixture.ts'), ...args],
    environment: { ...readEnvironment(), NO_COLOR: '1' },
    cwd: import.meta.dirname,
    timeoutMs: 60_000,
  })
}

function lastLine(result: ProgramResult): string | undefined {
  return result.output.split('\n').at(-1)
}
