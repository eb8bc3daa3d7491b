import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { createStackHome, eventually, type StackHome } from './fixtures/stack-home.ts'
import { isFree } from './ports.ts'
import { isRunning } from './process-identity.ts'
import { readStackFile } from './stack-file.ts'

it('a supervisor killed with -9 is cleaned up after by its guardian, and the next start works', async () => {
  await using stack = await createStackHome()
  expect(await stack.start(['--detach'])).toMatchObject({ ok: true })
  process.kill(stack.record().supervisor.pid, 'SIGKILL')
  await eventually(() => stack.processes().length === 0)

  expect(await allFree(stack)).toBe(true)
  expect(readStackFile(stack.home)).toBeUndefined()
  expect(stack.log()).toMatch(/The supervisor was killed; ended after it: .*postgres/)
  expect(await stack.start(['--detach'])).toMatchObject({ ok: true })
}, 40_000)

it('a supervisor and a guardian killed with -9 together are cleaned up after by the next start', async () => {
  await using stack = await createStackHome()
  expect(await stack.start(['--detach'])).toMatchObject({ ok: true })
  const { supervisor, guardian, ...earlier } = stack.record()
  const servers = earlier.processes.filter((entry) => entry.name !== 'migrate')
  process.kill(guardian?.pid ?? 0, 'SIGKILL')
  process.kill(supervisor.pid, 'SIGKILL')
  await eventually(() => !isRunning(supervisor))
  expect(servers.every(isRunning)).toBe(true)
  const result = await stack.start(['--detach'])

  expect(result.output).toContain('The last start was killed; ended what it had left running:')
  expect(result.ok).toBe(true)
  expect(servers.some(isRunning)).toBe(false)
}, 40_000)

it('everything stops when the npm that started it is killed with -9', async () => {
  await using stack = await createStackHome()
  const launcher = stack.startInForeground([await writeNpm(stack)])
  const exited = new Promise((resolve) => launcher.once('exit', resolve))
  await eventually(() => readStackFile(stack.home)?.ready, 30_000)
  launcher.kill('SIGKILL')
  await exited
  await eventually(() => stack.processes().length === 0)

  expect(stack.log()).toContain('npm was killed: stopping everything.')
  expect(await allFree(stack)).toBe(true)
}, 40_000)

it('Ctrl-C ends a stack in the foreground cleanly, in reverse order', async () => {
  await using stack = await createStackHome()
  const launcher = stack.startInForeground()
  const exited = new Promise((resolve) => launcher.once('exit', resolve))
  await eventually(() => readStackFile(stack.home)?.ready, 30_000)
  launcher.kill('SIGINT')
  // npm and the bootstrap pass the same key press on: it must not count as a second one.
  launcher.kill('SIGINT')

  expect(await exited).toBe(0)
  expect(stack.processes()).toEqual([])
  expect(stack.log()).not.toContain('Killing')
  expect([...stack.log().matchAll(/(\w+) stops/g)].map(([, name]) => name)).toEqual([
    'data_api',
    'sandbox',
    'nats',
    'postgres',
  ])
}, 40_000)

it('Ctrl-C while it starts stops what had started', async () => {
  await using stack = await createStackHome()
  const launcher = stack.startInForeground()
  const exited = new Promise((resolve) => launcher.once('exit', resolve))
  await eventually(() => stack.pidOf('postgres') > 0)
  launcher.kill('SIGINT')

  expect(await exited).toBe(1)
  expect(stack.processes()).toEqual([])
  expect(await stack.start(['--detach'])).toMatchObject({ ok: true })
}, 40_000)

async function allFree(stack: StackHome): Promise<boolean> {
  return (await Promise.all(stack.ports.map(isFree))).every(Boolean)
}

/** A program called npm that runs its arguments as a child, as npm does. */
async function writeNpm(stack: StackHome): Promise<string> {
  const path = join(dirname(stack.home), 'bin', 'npm')
  await mkdir(dirname(path))
  await writeFile(path, '#!/bin/sh\n"$@"\nexit 0\n', { mode: 0o755 })
  return path
}
