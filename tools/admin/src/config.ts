import { readFileSync } from 'node:fs'
import { type Role, roles } from '@twilight/database/roles'
import { StartError } from '@twilight/service/errors'
import { readConfig } from '@twilight/service/config'
import { type Environment, type Field, optional, secret } from '@twilight/service/config-fields'
import type { Secret } from '@twilight/service/secret'
import { z } from 'zod'

/**
 * Where the CLI finds the house: the environment first (production), else the stack that
 * `npm start` runs in this checkout (`.twilight/stack.json`).
 */
export function readAdminConfig(
  environment: Environment = process.env,
  stackFile = '.twilight/stack.json',
): AdminConfig {
  const stack = readStackFile(stackFile)
  const servers = readConfig(environment, serverFields)
  const passwords = readConfig(environment, passwordFields)
  return {
    databaseAdminUrl: servers.databaseAdminUrl?.reveal() ?? stack?.postgres,
    natsUrl: servers.natsUrl?.reveal() ?? stack?.nats,
    apiToken: servers.apiToken?.reveal(),
    serviceUrls: stack?.urls ?? {},
    rolePasswords: Object.fromEntries(
      roles.flatMap((role) => {
        const password = passwords[role]
        return password ? [[role, password.reveal()]] : []
      }),
    ),
  }
}

export type AdminConfig = {
  databaseAdminUrl: string | undefined
  natsUrl: string | undefined
  /** The key that whoami asks about. */
  apiToken: string | undefined
  /** Base URL of each running service, by its name in stack.json. */
  serviceUrls: Record<string, string>
  rolePasswords: Partial<Record<Role, string>>
}

export const serverFields = {
  databaseAdminUrl: optional(
    secret('DATABASE_ADMIN_URL', {
      about: 'Postgres, as a login that may change the schema and the roles',
      url: ['postgres:', 'postgresql:'],
    }),
  ),
  natsUrl: optional(secret('NATS_URL', { about: 'the NATS server', url: ['nats:', 'tls:'] })),
  apiToken: optional(secret('TWILIGHT_API_TOKEN', { about: 'the key that whoami asks about' })),
}

export const passwordFields: Record<string, Field<Secret | undefined>> = Object.fromEntries(
  roles.map((role) => [
    role,
    optional(
      secret(`ROLE_PASSWORD_${role.toUpperCase()}`, {
        about: `password that migrate sets for the login of ${role}`,
        minLength: 12,
      }),
    ),
  ]),
)

const stackSchema = z.object({
  urls: z.record(z.string(), z.string()),
  postgres: z.string().optional(),
  nats: z.string().optional(),
})

function readStackFile(path: string): z.infer<typeof stackSchema> | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return undefined // No stack runs in this checkout: the environment has to say where things are.
  }
  try {
    return stackSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new StartError(
      `${path} is damaged: stop the stack with "npm run stop" and start it again.`,
      { cause },
    )
  }
}
