import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import * as fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import {
  boolean,
  durationMs,
  integer,
  list,
  oneOf,
  optional,
  secret,
  text,
  url,
} from './config-fields.ts'
import { ConfigError, describeConfig, readConfig } from './config.ts'

const folder = mkdtempSync(join(tmpdir(), 'config-'))
afterAll(() => rmSync(folder, { recursive: true }))

const fields = {
  name: text('NAME', { about: 'who it is', pattern: /^[a-z]+$/, kind: 'lower-case word' }),
  port: integer('PORT', { about: 'where to listen', default: 8080, min: 0, max: 65_535 }),
  verbose: boolean('VERBOSE', { about: 'say more', default: false }),
  level: oneOf('LOG_LEVEL', ['info', 'debug'], { about: 'how much to log', default: 'info' }),
  upstream: url('UPSTREAM', { about: 'where Tushare answers', default: 'http://localhost/' }),
  timeoutMs: durationMs('TIMEOUT', { about: 'per call', default: 5000, min: 1, max: 60_000 }),
  hosts: list('HOSTS', { about: 'allowed hosts', default: [] }),
  proxy: optional(url('PROXY', { about: 'outgoing proxy' })),
  databaseUrl: secret('DATABASE_URL', { about: 'Postgres', url: ['postgres:'] }),
}

const enough = { NAME: 'echo', DATABASE_URL: 'postgres://app:hunter2@db/x' }

function problemsOf(env: Record<string, string>): string[] {
  try {
    readConfig(env, fields)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('a configuration', () => {
  test('is typed values, with defaults for what is not set or empty', () => {
    const config = readConfig(
      { ...enough, PORT: '', TIMEOUT: '2s', HOSTS: 'a, b', VERBOSE: '1' },
      fields,
    )
    expect({ ...config, databaseUrl: config.databaseUrl.reveal() }).toEqual({
      name: 'echo',
      port: 8080,
      verbose: true,
      level: 'info',
      upstream: 'http://localhost/',
      timeoutMs: 2000,
      hosts: ['a', 'b'],
      proxy: undefined,
      databaseUrl: enough.DATABASE_URL,
    })
  })

  test('tells all its problems at once, one line each, with what to do', () => {
    const problems = problemsOf({
      NAME: 'Echo 1',
      PORT: '70000',
      VERBOSE: 'yes',
      LOG_LEVEL: 'loud',
      UPSTREAM: 'localhost',
      TIMEOUT: '5',
      HOSTS: 'a,,b',
      PROXY: 'ftp://x',
    })
    expect(problems.map((line) => line.split(':')[0])).toEqual([
      'NAME',
      'PORT',
      'VERBOSE',
      'LOG_LEVEL',
      'UPSTREAM',
      'TIMEOUT',
      'HOSTS',
      'PROXY',
      'DATABASE_URL',
    ])
    expect(problems[1]).toBe('PORT: is "70000". Give a whole number from 0 to 65535.')
    expect(problems[8]).toMatch(/^DATABASE_URL: is not set\. Set it to: Postgres/)
    expect(new ConfigError(problems).message.split('\n')).toHaveLength(10)
  })

  test('whatever is set, reading it gives values or a ConfigError with one line per problem', () => {
    const names = Object.values(fields).map(({ env }) => env)
    const environment = fc.dictionary(fc.constantFrom(...names), fc.string({ unit: 'binary' }))
    fc.assert(
      fc.property(environment, (env) => {
        for (const line of problemsOf(env)) expect(line).not.toMatch(/[\n\r\u2028]/)
      }),
    )
  })

  test('describes itself without the value of any secret', () => {
    const table = describeConfig({
      ...fields,
      key: secret('API_KEY', { about: 'the key of the model', default: 'hunter2hunter2' }),
    })
    expect(table).toMatch(/^DATABASE_URL\[_FILE\] +secret URL .*must be set +Postgres$/m)
    expect(table).toMatch(/^PORT +whole number from 0 to 65535 +8080 +where to listen$/m)
    expect(table).toMatch(/^API_KEY\[_FILE\] +secret +\[secret\]/m)
    expect(table).not.toContain('hunter2')
  })
})

describe('a secret', () => {
  const secretFields = { key: secret('API_KEY', { about: 'a key', minLength: 8 }) }
  const read = (env: Record<string, string>) => readConfig(env, secretFields).key.reveal()

  test('is never printed, however one tries', () => {
    const { databaseUrl } = readConfig(enough, fields)
    const printed = [
      String(databaseUrl),
      JSON.stringify({ databaseUrl }),
      inspect({ databaseUrl }, { showHidden: true, depth: 9 }),
    ]
    expect(printed.join(' ')).not.toContain('hunter2')
    expect(databaseUrl.reveal()).toContain('hunter2')
  })

  test('is not in the problem it causes, nor is a password in a URL that must have none', () => {
    const problems = [
      ...problemsOf({ NAME: 'echo', DATABASE_URL: 'mysql://app:hunter2@db' }),
      ...problemsOf({ ...enough, UPSTREAM: 'http://u:hunter2@x' }),
      ...problemsOf({ ...enough, UPSTREAM: 'hptt://u:hunter2@x' }),
    ]
    expect(problems).toHaveLength(3)
    expect(problems.join()).not.toContain('hunter2')
  })

  test('may come from a file, without its last line break', () => {
    const path = join(folder, 'key')
    writeFileSync(path, ' from a file \r\n')
    expect(read({ API_KEY_FILE: path })).toBe(' from a file ')
  })

  test.each([
    ['a missing file', { API_KEY_FILE: join(folder, 'nothing') }, /cannot be read \(ENOENT\)/],
    ['a folder', { API_KEY_FILE: folder }, /cannot be read \(EISDIR\)/],
    [
      'both ways at once',
      { API_KEY: 'geheimgeheim', API_KEY_FILE: join(folder, 'key') },
      /Keep one of them/,
    ],
    ['a value too short', { API_KEY: 'geheim' }, /shorter than 8/],
    ['neither way', {}, /is not set/],
  ])('from %s is a clear problem', (_, env, message) => {
    expect(() => read(env)).toThrow(message)
    expect(() => read(env)).not.toThrow(/geheim/)
  })

  test('from an empty file is a clear problem', () => {
    const path = join(folder, 'empty')
    writeFileSync(path, '\n')
    expect(() => read({ API_KEY_FILE: path })).toThrow(/is empty/)
  })
})
