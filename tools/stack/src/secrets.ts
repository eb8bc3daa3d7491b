import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomically } from './write-file-atomically.ts'

/** Passwords of the app roles, made once per home folder; the migration sets them in Postgres. */
export type StackSecrets = { roles: Record<string, string> }

/** Reads the passwords, and makes those that are missing. Throws one sentence when the file is broken. */
export function loadSecrets(home: string, roles: string[]): StackSecrets {
  const file = join(home, 'secrets.json')
  const known = existsSync(file) ? parseSecrets(file) : { roles: {} }
  const missing = roles.filter((role) => known.roles[role] === undefined)
  if (missing.length === 0) return known
  const made = missing.map((role) => [role, randomBytes(24).toString('base64url')])
  const secrets = { roles: { ...known.roles, ...Object.fromEntries(made) } }
  writeFileAtomically(file, `${JSON.stringify(secrets, undefined, 2)}\n`)
  return secrets
}

function parseSecrets(file: string): StackSecrets {
  const broken = `${file} cannot be understood: delete it, and new passwords are made at the next start.`
  try {
    const { roles }: { roles?: unknown } = JSON.parse(readFileSync(file, 'utf8'))
    if (isTextRecord(roles)) return { roles }
  } catch (cause) {
    throw new Error(broken, { cause })
  }
  throw new Error(broken)
}

function isTextRecord(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null) return false
  return Object.values(value).every((entry) => typeof entry === 'string')
}
