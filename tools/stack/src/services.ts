import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from './config.ts'

/** What runs beside Postgres and NATS, and the command that prepares the database. */
export type StackTable = {
  /** A script and its arguments, run with the superuser's URL before any service starts. */
  migrate: string[]
  services: ServiceRow[]
  /** How to get the keys of stack.json; left out: it has none. */
  tokens?: TokenCommands
  /** Every role the migration knows: each gets its password in ROLE_PASSWORD_<ROLE>. */
  roles: string[]
}

/** Scripts and their arguments, run with the superuser's URL. */
export type TokenCommands = {
  /** Ends with code 0 when TWILIGHT_API_TOKEN is a key that opens something. */
  whoami: string[]
  /** Each prints JSON with a `key`. */
  issue: Record<'user' | 'admin', string[]>
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
  /** A folder of its own, kept between starts. */
  dataDir: string
  databaseUrlFor: (role: string) => string
  natsUrl: string
  /** Whether the operator has set a variable, or its _FILE: then their value stands. */
  given: (name: string) => boolean
  /** The address of another service by its name in stack.json. */
  urlOf: (key: string) => string
}

export const postgresPortOffset = 20
export const natsPortOffset = 21

const admin = join(repositoryRoot, 'tools/admin/src/main.ts')

/** An account of the sandbox, with the points of a usual subscription. */
const sandboxTushareToken = '5a4db0c5000000000000000000000000000000000000000000005000'

/** The product, in the order of what to open first. One row more is one app more. */
export const twilightServices: StackTable = {
  migrate: [admin, 'migrate'],
  tokens: {
    whoami: [admin, 'whoami'],
    issue: {
      user: [admin, 'issue-token', '--json', '--user', 'stack-user', '--plan', 'pro'],
      admin: [admin, 'issue-token', '--json', '--user', 'stack-admin', '--admin', '--rate', '600'],
    },
  },
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
      environment: ({ port, dataDir, databaseUrlFor, natsUrl, urlOf, given }) => ({
        PORT: String(port),
        DATA_DIR: dataDir,
        DATABASE_URL: databaseUrlFor('data_api'),
        NATS_URL: natsUrl,
        ...(!given('TUSHARE_TOKEN') && {
          TUSHARE_URL: `${urlOf('sandbox')}/tushare`,
          TUSHARE_TOKEN: sandboxTushareToken,
        }),
      }),
    },
    {
      name: 'provisioner',
      urls: { provisioner: '' },
      about: 'users, keys and usage, for admin keys',
      script: join(repositoryRoot, 'apps/provisioner/src/main.ts'),
      stage: 3,
      portOffset: 4,
      readyPath: '/healthz',
      livePath: '/livez',
      environment: ({ port, databaseUrlFor, natsUrl }) => ({
        PORT: String(port),
        DATABASE_URL: databaseUrlFor('provisioner'),
        NATS_URL: natsUrl,
      }),
    },
  ],
}

/** What is not built yet is left out. */
export function presentServices(table: StackTable): ServiceRow[] {
  return table.services.filter((row) => existsSync(row.script))
}
