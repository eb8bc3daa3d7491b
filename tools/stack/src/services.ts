import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from './config.ts'

/** What runs beside Postgres and NATS, and the command that prepares the database. */
export type StackTable = {
  /** A script and its arguments, run with the superuser's URL before any service starts. */
  migrate: string[]
  services: ServiceRow[]
  /** Every role the migration knows: each gets its password in ROLE_PASSWORD_<ROLE>. */
  roles: string[]
}

export type ServiceRow = {
  name: string
  /** What stack.json calls its URLs, and the path of each. */
  urls: Record<string, string>
  about: string
  script: string
  /** Higher stages start when all lower ones are ready; within a stage all start at once. */
  stage: number
  /** Added to the first port. */
  portOffset: number
  /** Answers 200 once everything it needs is there. */
  readyPath: string
  /** Answers 200 as soon as the process serves, whatever else is down. */
  livePath: string
  environment: (facts: ServiceFacts) => Record<string, string>
}

export type ServiceFacts = {
  port: number
  databaseUrlFor: (role: string) => string
  natsUrl: string
  /** The address of another service by its name in stack.json. */
  urlOf: (key: string) => string
}

export const postgresPortOffset = 20
export const natsPortOffset = 21

/** The product, in the order of what to open first. One row more is one app more. */
export const twilightServices: StackTable = {
  migrate: [join(repositoryRoot, 'tools/admin/src/main.ts'), 'migrate'],
  roles: [
    'data_api',
    'search_proxy',
    'payments',
    'provisioner',
    'bot_gateway',
    'llm_relay',
    'landing',
    'ingest',
  ],
  services: [
    {
      name: 'sandbox',
      urls: { sandbox: '' },
      about: 'the third parties, simulated: what they were asked, and how to make them fail',
      script: join(repositoryRoot, 'tools/sandbox/src/main.ts'),
      stage: 2,
      portOffset: 10,
      readyPath: '/',
      livePath: '/',
      environment: ({ port }) => ({ PORT: String(port) }),
    },
    {
      name: 'data-api',
      urls: { data_api: '' },
      about: 'cited market data over HTTP',
      script: join(repositoryRoot, 'apps/data-api/src/main.ts'),
      stage: 3,
      portOffset: 1,
      readyPath: '/healthz',
      livePath: '/livez',
      environment: ({ port, databaseUrlFor, natsUrl }) => ({
        PORT: String(port),
        DATABASE_URL: databaseUrlFor('data_api'),
        NATS_URL: natsUrl,
      }),
    },
  ],
}

/** What is not built yet is left out. */
export function presentServices(table: StackTable): ServiceRow[] {
  return table.services.filter((row) => existsSync(row.script))
}
