import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { messageOf } from './error-facts.ts'

export const repositoryRoot = resolve(import.meta.dirname, '../../..')

/** The environment as it is, for child processes and look-ups: nothing else in this tool reads it. */
export function readEnvironment(): Environment {
  return process.env
}

/** What `npm start` was asked to do; throws one sentence when that makes no sense. */
export function readStartConfig(argv: string[], environment: Environment): StartConfig {
  const { values } = parse(argv, {
    detach: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    home: { type: 'string' },
    'ports-from': { type: 'string', default: '8700' },
    // Set by --detach for the process it leaves behind.
    supervise: { type: 'boolean', default: false },
  })
  const portsFrom = Number(values['ports-from'])
  if (!/^\d+$/.test(values['ports-from']) || portsFrom < 1024 || portsFrom > 65_000) {
    throw new Error(
      `--ports-from takes a number from 1024 to 65000, not "${values['ports-from']}".`,
    )
  }
  return {
    home: homeFolder(values.home),
    portsFrom,
    detach: values.detach,
    json: values.json,
    supervise: values.supervise,
    databaseAdminUrl: serverUrl(environment, 'DATABASE_ADMIN_URL', ['postgres:', 'postgresql:']),
    natsUrl: serverUrl(environment, 'NATS_URL', ['nats:', 'tls:']),
    environment,
  }
}

export function readStopConfig(argv: string[]): { home: string; json: boolean } {
  const { values } = parse(argv, {
    home: { type: 'string' },
    json: { type: 'boolean', default: false },
  })
  return { home: homeFolder(values.home), json: values.json }
}

export function readGuardianConfig(argv: string[]): { home: string } {
  const { values } = parse(argv, { home: { type: 'string' } })
  return { home: homeFolder(values.home) }
}

export function readLogsConfig(argv: string[]): LogsConfig {
  const { values, positionals } = parse(argv, {
    home: { type: 'string' },
    lines: { type: 'string', default: '20' },
    'no-follow': { type: 'boolean', default: false },
  })
  if (!/^\d{1,5}$/.test(values.lines)) {
    throw new Error(`--lines takes a number from 0 to 99999, not "${values.lines}".`)
  }
  return {
    home: homeFolder(values.home),
    lines: Number(values.lines),
    follow: !values['no-follow'],
    names: positionals,
  }
}

export function readTestConfig(argv: string[]): TestConfig {
  const { values, positionals } = parse(argv, {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  })
  return { quick: values.quick, json: values.json, filters: positionals }
}

export type Environment = Record<string, string | undefined>

export type StartConfig = {
  home: string
  portsFrom: number
  detach: boolean
  json: boolean
  supervise: boolean
  databaseAdminUrl: string | undefined
  natsUrl: string | undefined
  environment: Environment
}

export type LogsConfig = { home: string; lines: number; follow: boolean; names: string[] }

export type TestConfig = { quick: boolean; json: boolean; filters: string[] }

function parse<const Options extends NonNullable<Parameters<typeof parseArgs>[0]>['options']>(
  argv: string[],
  options: Options,
) {
  try {
    return parseArgs({ args: argv, options, allowPositionals: true })
  } catch (cause) {
    throw new Error(`${messageOf(cause)} --help lists the options.`, { cause })
  }
}

function homeFolder(given: string | undefined): string {
  return given === undefined ? resolve(repositoryRoot, '.twilight') : resolve(given)
}

/** Only the name of a variable is ever shown: its value may hold a password. */
function serverUrl(
  environment: Environment,
  name: string,
  protocols: string[],
): string | undefined {
  const value = environment[name]
  if (value === undefined || value === '') return undefined
  const url = URL.parse(value)
  if (!url || !protocols.includes(url.protocol) || url.hostname === '') {
    throw new Error(`${name} is not a ${protocols[0]}//host:port URL: correct it, or unset it.`)
  }
  return value
}
