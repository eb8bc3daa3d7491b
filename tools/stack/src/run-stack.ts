import { appendFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { type Environment, repositoryRoot, type StartConfig } from './config.ts'
import { keepRunning, type Running } from './keep-running.ts'
import { keepLogsSmall, logFile } from './log-files.ts'
import { startNatsServer } from './nats-server.ts'
import { startPostgresServer } from './postgres-server.ts'
import { checkBeforeStart, type Preparation } from './preflight.ts'
import { type OpenRunRecord, openRunRecord, removeRunFiles } from './run-record.ts'
import { runProgram } from './run-program.ts'
import { natsPortOffset, postgresPortOffset, type ServiceRow, type StackTable } from './services.ts'
import { inStep, type Report } from './stack-event.ts'
import { type StackFile, writeStackFile } from './stack-file.ts'
import { startGuardian } from './start-guardian.ts'
import { startService } from './start-service.ts'
import { stackTokens } from './stack-tokens.ts'

const migrateTimeoutMs = 120_000

/**
 * Starts everything in order and keeps it running until it is disposed of. When a step fails, or
 * the signal comes before all is ready, what had started is stopped again and the reason thrown.
 */
export async function runStack(options: StackOptions): Promise<RunningStack> {
  const { config, report } = options
  const say = (text: string) => report({ kind: 'say', text })
  const preparation = await inStep(report, 'checks', () => checkBeforeStart({ ...options, say }))
  // Disposed of in reverse: the run files go when nothing runs, the guardian after them.
  await using started = new AsyncDisposableStack()
  started.defer(preparation.release)
  started.use(keepLogsSmall(config.home))
  const record = openRunRecord(config.home, preparation.ports)
  const guardian = await startGuardian({ home: config.home, record, say, signal: options.signal })
  started.defer(guardian.stop)
  started.defer(() => removeRunFiles(config.home))
  const stack = await startAll({ ...options, ...preparation, say, record, started })
  options.signal.throwIfAborted()
  writeStackFile(config.home, stack)
  const everything = started.move()
  return { stack, stop: () => everything.disposeAsync() }
}

export type StackOptions = {
  config: StartConfig
  table: StackTable
  report: Report
  signal: AbortSignal
}

export type RunningStack = { stack: StackFile; stop: () => Promise<void> }

type Run = StackOptions &
  Preparation & {
    say: (text: string) => void
    record: OpenRunRecord
    started: AsyncDisposableStack
  }

async function startAll(run: Run): Promise<StackFile> {
  const { config } = run
  const postgres = config.databaseAdminUrl ?? (await startPostgres(run))
  const nats = config.natsUrl ?? (await startNats(run))
  const stack: StackFile = {
    ready: false,
    pid: process.pid,
    node: process.versions.node,
    urls: urlsOf(run),
    tokens: {},
    postgres,
    nats,
    logs: logsPath(config.home),
  }
  writeStackFile(config.home, stack)
  await inStep(run.report, 'migrations', () => migrate(run, stack))
  const { tokens } = run.table
  if (tokens) {
    stack.tokens = await inStep(run.report, 'keys', () =>
      stackTokens({ ...run, commands: tokens, stack }),
    )
  }
  const stages = [...new Set(run.services.map((row) => row.stage))].toSorted((a, b) => a - b)
  for (const stage of stages) {
    await startStage(
      run,
      run.services.filter((row) => row.stage === stage),
      stack,
    )
  }
  return { ...stack, ready: true }
}

function startPostgres(run: Run): Promise<string> {
  const { config, record } = run
  let url = ''
  const start = async (signal: AbortSignal): Promise<Running> => {
    const server = await startPostgresServer({
      dataDir: join(config.home, 'postgres'),
      port: config.portsFrom + postgresPortOffset,
      logFile: logFile(config.home, 'postgres'),
      signal,
      onSpawn: (pid) =>
        record.setProcess({ name: 'postgres', pid, stage: 0, stopSignal: 'SIGINT' }),
    })
    url = server.url
    return server
  }
  return inStep(run.report, 'Postgres', async () => {
    run.started.defer(await keep(run, 'postgres', ({ signal }) => start(signal)))
    return url
  })
}

function startNats(run: Run): Promise<string> {
  const { config, record } = run
  let url = ''
  const start = async (signal: AbortSignal): Promise<Running> => {
    const server = await startNatsServer({
      dataDir: join(config.home, 'nats'),
      port: config.portsFrom + natsPortOffset,
      logFile: logFile(config.home, 'nats'),
      ...(run.natsBinary ? { binary: run.natsBinary } : {}),
      signal,
      onSpawn: (pid) => record.setProcess({ name: 'nats', pid, stage: 1, stopSignal: 'SIGTERM' }),
    })
    url = server.url
    return server
  }
  return inStep(run.report, 'NATS', async () => {
    run.started.defer(await keep(run, 'nats', ({ signal }) => start(signal)))
    return url
  })
}

async function migrate(run: Run, stack: StackFile): Promise<void> {
  const { config, record, table, secrets } = run
  const passwords = Object.entries(secrets.roles).map(([role, password]) => [
    `ROLE_PASSWORD_${role.toUpperCase()}`,
    password,
  ])
  const result = await runProgram({
    program: process.execPath,
    args: table.migrate,
    environment: {
      ...config.environment,
      ...Object.fromEntries(passwords),
      DATABASE_ADMIN_URL: stack.postgres,
      NATS_URL: stack.nats,
    },
    cwd: repositoryRoot,
    timeoutMs: migrateTimeoutMs,
    signal: run.signal,
    onSpawn: (pid) => record.setProcess({ name: 'migrate', pid, stage: 2, stopSignal: 'SIGTERM' }),
  })
  await appendFile(logFile(config.home, 'migrate'), `${result.output}\n`)
  run.signal.throwIfAborted()
  if (result.ok) return
  throw new Error(`The migration failed (${result.how}):\n${result.output.slice(-3000)}`)
}

/** All of a stage at once; when one fails the others are stopped before its reason is thrown. */
async function startStage(run: Run, rows: ServiceRow[], stack: StackFile): Promise<void> {
  const failed = new AbortController()
  const signal = AbortSignal.any([run.signal, failed.signal])
  const reasons: unknown[] = []
  const stops: (() => Promise<void>)[] = []
  run.started.defer(async () => {
    await Promise.all(stops.map((stop) => stop()))
  })
  await Promise.all(
    rows.map(async (row) => {
      try {
        const start = () => startRow({ ...run, signal }, row, stack)
        stops.push(await inStep(run.report, row.name, start))
      } catch (error) {
        reasons.push(error)
        failed.abort(error)
      }
    }),
  )
  if (reasons.length > 0) throw reasons[0]
}

function startRow(run: Run, row: ServiceRow, stack: StackFile): Promise<() => Promise<void>> {
  const { config, record, secrets } = run
  const port = config.portsFrom + row.portOffset
  const { DATABASE_ADMIN_URL: _, ...inherited } = config.environment
  const environment: Environment = {
    ...inherited,
    ...row.environment({
      port,
      dataDir: join(config.home, row.name),
      natsUrl: stack.nats,
      given: (name) => Boolean(config.environment[name] || config.environment[`${name}_FILE`]),
      databaseUrlFor: (role) => urlForRole(stack.postgres, role, secrets.roles[role]),
      urlOf: (key) => known(stack.urls[key], `a service that serves ${key}`),
    }),
  }
  return keep(run, row.name, ({ first, signal }) =>
    startService({
      name: row.name,
      home: config.home,
      script: row.script,
      environment,
      // Started again while a server is down, it must live, not be ready.
      url: `http://127.0.0.1:${port}${first ? row.readyPath : row.livePath}`,
      signal,
      onSpawn: (pid) =>
        record.setProcess({ name: row.name, pid, stage: row.stage, stopSignal: 'SIGTERM' }),
    }),
  )
}

async function keep(
  run: Run,
  name: string,
  start: (attempt: { first: boolean; signal: AbortSignal }) => Promise<Running>,
): Promise<() => Promise<void>> {
  const kept = await keepRunning({ name, start, say: run.say, signal: run.signal })
  return () => inStep(run.report, `${name} stops`, kept.stop)
}

function urlsOf({ services, config }: Run): Record<string, string> {
  return Object.fromEntries(
    services.flatMap((row) =>
      Object.entries(row.urls).map(([key, path]) => [
        key,
        `http://127.0.0.1:${config.portsFrom + row.portOffset}${path}`,
      ]),
    ),
  )
}

/** As one would type it in the checkout. */
function logsPath(home: string): string {
  const path = relative(repositoryRoot, join(home, 'logs'))
  return path.startsWith('..') ? join(home, 'logs') : path
}

function urlForRole(adminUrl: string, role: string, password: string | undefined): string {
  const url = new URL(adminUrl)
  url.username = role
  url.password = known(password, `a password of ${role}`)
  return url.toString()
}

function known(value: string | undefined, what: string): string {
  if (value === undefined) throw new Error(`The table of services asks for ${what}: there is none.`)
  return value
}
