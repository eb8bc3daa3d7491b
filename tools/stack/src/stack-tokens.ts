import type { StartConfig } from './config.ts'
import { repositoryRoot } from './config.ts'
import type { OpenRunRecord } from './run-record.ts'
import { type ProgramResult, runProgram } from './run-program.ts'
import { saveSecrets, type StackSecrets } from './secrets.ts'
import type { TokenCommands } from './services.ts'
import type { StackFile } from './stack-file.ts'

/**
 * The keys of stack.json: those of the last start while they open something, else new ones (the first
 * start, another database, a revoked key). They are kept beside the passwords.
 */
export async function stackTokens(options: TokenOptions): Promise<StackFile['tokens']> {
  const { config, commands, secrets } = options
  const [user, admin] = await Promise.all([
    keyOf('user', commands.issue.user, options),
    keyOf('admin', commands.issue.admin, options),
  ])
  options.signal.throwIfAborted()
  const tokens = { user, admin }
  if (user !== secrets.tokens?.['user'] || admin !== secrets.tokens['admin']) {
    saveSecrets(config.home, { ...secrets, tokens })
  }
  return tokens
}

export type TokenOptions = {
  config: StartConfig
  commands: TokenCommands
  secrets: StackSecrets
  stack: StackFile
  record: OpenRunRecord
  signal: AbortSignal
}

const timeoutMs = 60_000

async function keyOf(
  name: 'user' | 'admin',
  issue: string[],
  options: TokenOptions,
): Promise<string> {
  const known = options.secrets.tokens?.[name]
  if (known !== undefined && (await run(name, options.commands.whoami, known, options)).ok) {
    return known
  }
  const { ok, how, output } = await run(name, issue, undefined, options)
  const key = ok ? readKey(output) : undefined
  if (key !== undefined) return key
  options.signal.throwIfAborted()
  // What it printed may hold a key, unless it failed.
  const why = ok ? 'it printed no key' : `${how}\n${output.slice(-2000)}`
  throw new Error(`No ${name} key could be issued: ${why}`)
}

function run(
  name: string,
  args: string[],
  key: string | undefined,
  { config, stack, record, signal }: TokenOptions,
): Promise<ProgramResult> {
  return runProgram({
    program: process.execPath,
    args,
    environment: {
      ...config.environment,
      DATABASE_ADMIN_URL: stack.postgres,
      NATS_URL: stack.nats,
      TWILIGHT_API_TOKEN: key,
    },
    cwd: repositoryRoot,
    timeoutMs,
    signal,
    onSpawn: (pid) =>
      record.setProcess({ name: `${name} key`, pid, stage: 2, stopSignal: 'SIGTERM' }),
  })
}

function readKey(output: string): string | undefined {
  try {
    const { key }: { key?: unknown } = JSON.parse(output)
    return typeof key === 'string' ? key : undefined
  } catch {
    return undefined // Told as "it printed no key": the text itself may hold one.
  }
}
