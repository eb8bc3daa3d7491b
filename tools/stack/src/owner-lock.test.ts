import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { takeOwnerLock, waitForOwnerLock } from './owner-lock.ts'
import { identify } from './process-identity.ts'

let folder: string
let file: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twilight-lock-'))
  file = join(folder, 'some.lock')
})

afterEach(() => rmSync(folder, { recursive: true }))

it('a lock is held by one, and names it', () => {
  const first = takeOwnerLock(file)

  expect(first).toHaveProperty('release')
  expect(takeOwnerLock(file)).toEqual({ owner: identify(process.pid) })
})

it('a released lock is free and leaves nothing behind', async () => {
  const release = await waitForOwnerLock(file, 1000)
  release()

  expect(readdirSync(folder)).toEqual([])
  expect(takeOwnerLock(file)).toHaveProperty('release')
})

it.each([
  ['of a process that is gone', JSON.stringify({ pid: 2 ** 22 + 1, started: 'x:1' })],
  [
    'of an earlier process with a number used again',
    JSON.stringify({ pid: process.pid, started: 'x:1' }),
  ],
  ['cut short by a full disk', '{"pid":'],
  ['that is empty', ''],
])('a lock %s is taken over', (_, content) => {
  writeFileSync(file, content)

  expect(takeOwnerLock(file)).toHaveProperty('release')
  expect(readdirSync(folder)).toEqual(['some.lock'])
})

it('waiting for a lock ends with a reason', async () => {
  takeOwnerLock(file)

  await expect(waitForOwnerLock(file, 150)).rejects.toThrow(`${file} is held by another process`)
})
