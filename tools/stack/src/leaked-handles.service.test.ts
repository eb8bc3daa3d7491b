import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { readEnvironment, repositoryRoot } from './config.ts'
import { type ProgramResult, runProgram } from './run-program.ts'

let result: ProgramResult
let files: { name: string; status: string; message: string }[]

// The real runner with the set-up file of the workspace, over files outside its usual pattern.
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'twilight-leaks-'))
  const output = join(folder, 'report.json')
  result = await runProgram({
    program: join(repositoryRoot, 'node_modules/.bin/vitest'),
    args: ['run', '--config', 'tools/stack/src/fixtures/leaks/vitest.config.ts'].concat([
      '--reporter=json',
      `--outputFile.json=${output}`,
    ]),
    environment: { ...readEnvironment(), NO_COLOR: '1' },
    cwd: repositoryRoot,
    timeoutMs: 50_000,
  })
  files = JSON.parse(readFileSync(output, 'utf8')).testResults
  rmSync(folder, { recursive: true })
})

it.each([
  ['timer', '1 × Timeout (running timer)'],
  ['server', '1 × TCPServerWrap (listening server)'],
  ['socket', '1 × UDPWrap (open UDP socket)'],
  ['child', '1 × ProcessWrap (running child process)'],
  ['top-level', '1 × TCPServerWrap (listening server)'],
])('a file that leaves a %s open fails, and says what it is', (name, leak) => {
  expect(result.ok).toBe(false)
  expect(reportOf(name)).toMatchObject({
    status: 'failed',
    message: expect.stringContaining(`This file left open: ${leak}. Stop what it starts`),
  })
})

it('a file that stops what it started passes', () => {
  expect(reportOf('tidy')).toMatchObject({ status: 'passed' })
})

function reportOf(name: string): { status: string; message: string } | undefined {
  return files.find((file) => file.name.endsWith(`/${name}.fixture.ts`))
}
