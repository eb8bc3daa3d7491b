import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomically } from './write-file-atomically.ts'

/** Made once per home folder: passwords of the app roles, which the migration sets, and the keys of stack.json. */
export type StackSecrets = { roles: Record<string, string>; tokens?: Record<string, string> }

/** Reads them, and makes the passwords that are missing. Throws one sentence when the file is broken. */
export function loadSecrets(home: string, roles: string[]): StackSecrets {
  const file = join(home, 'secrets.json')
  const known = existsSync(file) ? parseSecrets(file) : { roles: {} }
  const missing = roles.filter((role) => known.roles[role] === undefined)
  if (missing.length === 0) return known
  const made = missing.map((role) => [role, randomBytes(24).toString('base64url')])
  const secrets = { ...known, roles: { ...known.roles, ...Object.fromEntries(made) } }
  saveSecrets(home, secrets)
  return secrets
}

export function saveSecrets(home: string, secrets: StackSecrets): void {
  writeFileAtomically(join(home, 'secrets.json'), `${JSON.stringify(secrets, undefined, 2)}\n`)
}

function parseSecrets(file: string): StackSecrets {
  const broken = `${file} cannot be understood: delete it, and new passwords are made at the next start.`
  try {
    const { roles, tokens }: Record<string, unknown> = JSON.parse(readFileSync(file, 'utf8'))
    if (isTextRecord(roles) && tokens === undefined) return { roles }
    if (isTextRecord(roles) && isTextRecord(tokens)) return { roles, tokens }
  } catch (cause) {
    throw new Error(broken, { cause })
  }
  throw new Error(broken)
}

function isTextRecord(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null) return false
  return Object.values(value).every((entry) => typeof entry === 'string')
}
