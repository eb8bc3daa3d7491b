import { issueKey, type KeyOrder } from '@twilight/auth/issue-key'
import type { Database } from '@twilight/database/schema'
import { createTestDatabase } from '@twilight/database/test-database'
import { createLogger } from '@twilight/service/log'
import { connectBus } from '@twilight/service/nats'
import { connectPostgres } from '@twilight/service/postgres'
import { findFreePort } from '@twilight/stack/free-port'
import { startNatsServer } from '@twilight/stack/nats-server'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

/** Friday evening after everything was published. */
export const friday = '2026-11-20T18:30:00+08:00'

/** Everything that can be bought: Hong Kong and US too. */
export const wholeToken = '5a4db0c5000000000000000000000000000000000000000000010000'
const token = '5a4db0c5000000000000000000000000000000000000000000005000'
const repository = join(import.meta.dirname, '..', '..', '..')

/**
 * The real data-api as a process, with a real Postgres, NATS and the sandbox behind it. Both clocks stand at
 * a moment of the market: the sandbox pins its own, the process is started with a clock that lies.
 *
 *     const api = await startTestApi({ now: '2026-11-20T11:00:00+08:00' })
 *     await api.get('/price?code=600519.SH')
 */
export async function startTestApi(options: TestApiOptions = {}) {
  const resources = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'twilight-data-api-'))
  resources.defer(() => rm(dataDir, { recursive: true, force: true }))
  const [database, nats] = await Promise.all([
    createTestDatabase({ durable: false }),
    startNatsServer({ dataDir: join(dataDir, 'nats'), temporary: true }),
  ])
  resources.use(database)
  resources.defer(() => nats.stop())
  const log = createLogger({ service: 'test', version: '0', level: 'silent' })
  const owner = resources.use(
    connectPostgres<Database>({ url: database.url, applicationName: 'owner', log }),
  )
  const sandbox = await startSandbox(options.now ?? friday)
  resources.defer(() => end(sandbox.child))
  const port = await findFreePort()
  const url = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  let offsetMs = 0
  resources.defer(() => (child ? end(child) : Promise.resolve()))

  async function start(now: string): Promise<void> {
    offsetMs = Date.parse(now) - Date.now()
    child = spawn(process.execPath, ['--import', lyingClock(offsetMs), 'src/main.ts'], {
      cwd: join(import.meta.dirname, '..'),
      stdio: ['ignore', options.showLog ? 'inherit' : 'ignore', 'inherit'],
      env: {
        PORT: String(port),
        DATABASE_URL: database.urlFor('data_api'),
        NATS_URL: nats.url,
        DATA_DIR: join(dataDir, 'data'),
        TUSHARE_URL: `${sandbox.url}/tushare/dataapi`,
        TUSHARE_TOKEN: options.tushareToken ?? token,
        DRAIN_DELAY: '10ms',
      },
    })
    await until(async () => {
      if (child?.exitCode !== null) throw new Error('data-api ended before it was ready.')
      return (await health())?.ready === true
    }, 60_000)
  }

  async function health(): Promise<{ ready: boolean; body: Json } | undefined> {
    try {
      const response = await fetch(`${url}/healthz`)
      const body: Json = JSON.parse(await response.text())
      const { checks } = body
      const ready =
        body['ok'] === true && isOk(checks, 'instruments') && isOk(checks, 'trading_days')
      return { ready, body }
    } catch (error) {
      // Not listening yet: who waits for it has a deadline.
      if (error instanceof TypeError) return undefined
      throw error
    }
  }

  async function control(method: string, path: string, body?: unknown): Promise<Json> {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) }
    const response = await fetch(`${sandbox.url}/__sandbox/${path}`, init)
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return JSON.parse(await response.text())
  }

  async function newKey(order: Partial<KeyOrder> & { userId?: string } = {}) {
    const userId = order.userId ?? randomUUID()
    const user = { id: userId, name: `user ${userId}`, plan: 'pro' as const }
    await owner.db
      .insertInto('users')
      .values(user)
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    const issued = await issueKey(owner.db, {
      userId,
      keyClass: 'user',
      scopes: ['data:read'],
      ratePerMinute: 100_000,
      ...order,
    })
    return { userId, ...issued }
  }

  const bus = resources.use(await connectBus({ url: nats.url, service: 'provisioner', log }))
  await start(options.now ?? friday)
  const reader = await newKey()

  return {
    url,
    owner,
    /** as another app has it */
    bus,
    reader,
    newKey,
    health,
    /** what its clock shows */
    now: () => new Date(Date.now() + offsetMs),
    async get(path: string, headers: Record<string, string> = bearer(reader.key)): Promise<Got> {
      const response = await fetch(`${url}${path}`, { headers })
      return {
        status: response.status,
        headers: response.headers,
        body: JSON.parse(await response.text()),
      }
    },
    /** Makes the next calls of Tushare fail: fault({ endpoint: 'daily', kind: 'http_500' }). */
    fault: (fault: Json) => control('POST', 'faults', { upstream: 'tushare', ...fault }),
    noFaults: () => control('DELETE', 'faults'),
    /** Lets so many of a hundred calls of the source misbehave in a way of its own choosing. */
    chaos: (percent: number, seed: number) => control('POST', 'chaos', { percent, seed }),
    /** how often an interface of Tushare was called since the start */
    async calls(api: string): Promise<number> {
      const { calls } = await control('GET', 'calls')
      return Number(member(member(calls, 'tushare'), api) ?? 0)
    },
    /** how its calls ended, by interface */
    outcomes: () => control('GET', 'calls'),
    /** The sandbox itself, for what a test must know about its market. */
    async ask(api: string, params: Json, fields?: string): Promise<Json[]> {
      const response = await fetch(`${sandbox.url}/tushare`, {
        method: 'POST',
        body: JSON.stringify({ api_name: api, token: wholeToken, params, fields }),
      })
      const { data } = JSON.parse(await response.text())
      return data.items.map((item: unknown[]) =>
        Object.fromEntries(data.fields.map((field: string, index: number) => [field, item[index]])),
      )
    },
    /** Stops it and starts it again with the same files at another moment; the source may lag behind. */
    async restart(now: string, { sandboxNow = now } = {}) {
      if (child) await end(child)
      await control('POST', 'clock', { now: sandboxNow })
      // What an upstream once said of its limits is remembered there; the next test has another upstream.
      await owner.db.deleteFrom('upstream_budget').execute()
      await start(now)
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

export type TestApi = Awaited<ReturnType<typeof startTestApi>>
export type Json = Record<string, unknown>
export type Got = { status: number; headers: Headers; body: Json }
type TestApiOptions = { now?: string; tushareToken?: string; showLog?: boolean }

export function bearer(key: string): Record<string, string> {
  return { authorization: `Bearer ${key}` }
}

/** A member of a JSON object, for looking into answers. */
export function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

export async function until(condition: () => Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Not reached within ${timeoutMs} ms.`)
    await sleep(50)
  }
}

function isOk(checks: unknown, name: string): boolean {
  return member(member(checks, name), 'ok') === true
}

/** Runs before the program: its clock is ours, moved. Timers and the monotonic clock stay as they are. */
function lyingClock(offsetMs: number): string {
  const program = `
    const RealDate = Date
    globalThis.Date = class Date extends RealDate {
      constructor(...given) {
        if (given.length === 0) super(RealDate.now() + ${offsetMs})
        else super(...given)
      }
      static now() { return RealDate.now() + ${offsetMs} }
    }`
  return `data:text/javascript,${encodeURIComponent(program)}`
}

async function startSandbox(now: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [join(repository, 'tools/sandbox/src/main.ts')], {
    env: { SANDBOX_NOW: now },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: child.stdout })) {
    const { event, url } = JSON.parse(line)
    if (event === 'listening') {
      child.stdout.resume()
      return { child, url: String(url) }
    }
  }
  throw new Error('The sandbox ended before it was ready.')
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
}
