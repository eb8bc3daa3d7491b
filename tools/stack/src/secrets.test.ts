import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { loadSecrets } from './secrets.ts'

let home: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'twilight-secrets-'))
})

afterEach(() => rmSync(home, { recursive: true }))

it('a password is made once and kept', () => {
  const first = loadSecrets(home, ['payments'])

  expect(first.roles['payments']).toMatch(/^[\w-]{32}$/)
  expect(loadSecrets(home, ['payments'])).toEqual(first)
})

it('a new role gets a password while the others keep theirs', () => {
  const first = loadSecrets(home, ['payments'])
  const second = loadSecrets(home, ['payments', 'landing'])

  expect(second.roles['payments']).toBe(first.roles['payments'])
  expect(second.roles['landing']).not.toBe(first.roles['payments'])
  expect(JSON.parse(readFileSync(join(home, 'secrets.json'), 'utf8'))).toEqual(second)
})
