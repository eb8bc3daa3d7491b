import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { cutFullLogs, tailOf } from './log-files.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twilight-logs-'))
})

afterEach(() => rmSync(folder, { recursive: true }))

it('a full log is cut and its content kept once beside it; a small one is left alone', async () => {
  const [full, small] = [join(folder, 'full.log'), join(folder, 'small.log')]
  appendFileSync(full, 'x'.repeat(101))
  appendFileSync(small, 'y'.repeat(100))
  await cutFullLogs(folder, 100)

  expect(statSync(full).size).toBe(0)
  expect(readFileSync(`${full}.1`, 'utf8')).toHaveLength(101)
  expect(statSync(small).size).toBe(100)
})

it('a tail is what was written since a given size', () => {
  const file = join(folder, 'app.log')
  appendFileSync(file, 'old 1\nold 2\n')
  const from = statSync(file).size
  appendFileSync(file, 'new 1\nnew 2\nnew 3\n')

  expect(tailOf(file, 2)).toEqual(['new 2', 'new 3'])
  expect(tailOf(file, 9, from)).toEqual(['new 1', 'new 2', 'new 3'])
  expect(tailOf(file, 9, statSync(file).size)).toEqual([])
  expect(tailOf(join(folder, 'none.log'), 9)).toEqual([])
})
