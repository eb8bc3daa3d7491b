import { readFileSync } from 'node:fs'
import { redactText } from './redact.ts'
import { Secret } from './secret.ts'

export type Environment = Record<string, string | undefined>
export type FieldResult<T> = { value: T } | { problem: string }

/** One variable of the environment: how to read it, and what the manual says of it. */
export type Field<T> = {
  env: string
  about: string
  /** the values it takes, in words */
  kind: string
  /** its default, in words */
  fallback: string
  isSecret: boolean
  read: (env: Environment) => FieldResult<T>
}

export type FieldOptions<T> = {
  /** meaning, unit, danger: the manual is made of these */
  about: string
  /** without one the variable must be set */
  default?: T
}

type Bounds = { min?: number; max?: number }

export function text(
  env: string,
  options: FieldOptions<string> & { pattern?: RegExp; kind?: string },
): Field<string> {
  const { pattern, kind = 'text' } = options
  return field(env, kind, options, (value) =>
    pattern && !pattern.test(value) ? mistake(value, kind) : { value },
  )
}

export function integer(env: string, options: FieldOptions<number> & Bounds): Field<number> {
  const kind = `whole number${within(options)}`
  return field(env, kind, options, (value) => {
    const number = /^-?\d{1,15}$/.test(value) ? Number(value) : Number.NaN
    return inBounds(number, options) ? { value: number } : mistake(value, kind)
  })
}

export function boolean(env: string, options: FieldOptions<boolean>): Field<boolean> {
  const kind = 'true or false'
  return field(env, kind, options, (value) =>
    /^(?:true|false|1|0)$/.test(value)
      ? { value: value === 'true' || value === '1' }
      : mistake(value, kind),
  )
}

export function oneOf<const T extends string>(
  env: string,
  choices: readonly T[],
  options: FieldOptions<T>,
): Field<T> {
  const kind = choices.join(' | ')
  return field(env, kind, options, (value) => {
    const choice = choices.find((candidate) => candidate === value)
    return choice === undefined ? mistake(value, kind) : { value: choice }
  })
}

/** A URL without a password in it; one with a password is a `secret`. */
export function url(
  env: string,
  options: FieldOptions<string> & { protocols?: string[] },
): Field<string> {
  const { protocols = ['http:', 'https:'] } = options
  const kind = urlKind(protocols)
  return field(env, kind, options, (value) => {
    if (!isUrl(value, protocols)) return mistake(value, kind)
    return new URL(value).password === ''
      ? { value }
      : { problem: 'holds a password; a URL of this kind must not. Remove the password.' }
  })
}

const millisecondsPer: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** Milliseconds, written as 500ms, 10s, 5m, 2h or 1d. */
export function durationMs(env: string, options: FieldOptions<number> & Bounds): Field<number> {
  const kind = `duration such as 500ms, 10s, 5m${within(options, ' ms')}`
  return field(env, kind, options, (value) => {
    const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(value)
    const number = Number(match?.[1]) * (millisecondsPer[match?.[2] ?? ''] ?? Number.NaN)
    return inBounds(number, options) ? { value: number } : mistake(value, kind)
  })
}

/** Texts separated by commas. */
export function list(
  env: string,
  options: FieldOptions<string[]> & { maxItems?: number },
): Field<string[]> {
  const { maxItems = 100 } = options
  const kind = `up to ${maxItems} texts, separated by commas`
  return field(env, kind, options, (value) => {
    const items = value.split(',').map((item) => item.trim())
    const valid = items.length <= maxItems && items.every((item) => item !== '')
    return valid ? { value: items } : mistake(value, kind)
  })
}

/** A value that is never printed. `NAME_FILE` may name a file that holds it instead. */
export function secret(
  env: string,
  options: FieldOptions<string> & { minLength?: number; url?: string[] },
): Field<Secret> {
  const { minLength = 1, url: protocols } = options
  const kind = protocols ? `secret ${urlKind(protocols)}` : 'secret'
  const plain = field(env, kind, options, (value) => {
    if (value.length < minLength) return { problem: `is shorter than ${minLength} characters.` }
    if (protocols && !isUrl(value, protocols)) return { problem: `is not a ${urlKind(protocols)}.` }
    return { value }
  })
  return {
    ...plain,
    fallback: options.default === undefined ? plain.fallback : '[secret]',
    isSecret: true,
    read: (environment) => {
      const given = readSecret(environment, env)
      if ('problem' in given) return given
      const result = plain.read({ [env]: given.value })
      return 'problem' in result ? result : { value: new Secret(result.value) }
    },
  }
}

/** The same field, undefined when it is not set. */
export function optional<T>(inner: Field<T>): Field<T | undefined> {
  const names = inner.isSecret ? [inner.env, `${inner.env}_FILE`] : [inner.env]
  return {
    ...inner,
    fallback: 'not set',
    read: (env) => (names.every((name) => !env[name]) ? { value: undefined } : inner.read(env)),
  }
}

function field<T>(
  env: string,
  kind: string,
  options: FieldOptions<T>,
  parse: (value: string) => FieldResult<T>,
): Field<T> {
  const { about } = options
  return {
    env,
    about,
    kind,
    fallback: options.default === undefined ? 'must be set' : String(options.default),
    isSecret: false,
    read: (environment) => {
      // Compose files and unit files set what they do not know to the empty text.
      const value = environment[env]
      if (value) return parse(value)
      if (options.default !== undefined) return { value: options.default }
      return { problem: `is not set. Set it to: ${about} (${kind}).` }
    },
  }
}

const maxSecretBytes = 64 * 1024

function readSecret(env: Environment, name: string): FieldResult<string | undefined> {
  const path = env[`${name}_FILE`]
  if (!path) return { value: env[name] }
  if (env[name]) return { problem: `is set, and so is ${name}_FILE. Keep one of them.` }
  try {
    const content = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    if (content === '') return { problem: `the file in ${name}_FILE is empty: ${path}` }
    if (content.length > maxSecretBytes) {
      return { problem: `the file in ${name}_FILE is too large for a secret: ${path}` }
    }
    return { value: content }
  } catch (error) {
    // Told as a problem of the configuration, with all the others.
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    return { problem: `the file in ${name}_FILE cannot be read (${code}): ${path}` }
  }
}

function mistake(value: string, kind: string): { problem: string } {
  return { problem: `is ${JSON.stringify(redactText(value).slice(0, 80))}. Give a ${kind}.` }
}

function isUrl(value: string, protocols: string[]): boolean {
  return URL.canParse(value) && protocols.includes(new URL(value).protocol)
}

function urlKind(protocols: string[]): string {
  return `URL (${protocols.map((protocol) => `${protocol}//…`).join(', ')})`
}

function inBounds(number: number, { min = -Infinity, max = Infinity }: Bounds): boolean {
  return Number.isFinite(number) && number >= min && number <= max
}

function within({ min, max }: Bounds, unit = ''): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}${unit}`
  if (min !== undefined) return ` of at least ${min}${unit}`
  return max === undefined ? '' : ` of at most ${max}${unit}`
}
