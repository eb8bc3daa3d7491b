import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Database } from '@twilight/database/schema'
import {
  adjFactorTable,
  dailyBasicTable,
  type AdjFactorRow,
  type DailyBasicRow,
} from '@twilight/market-sources/tushare-rows'
import { dailyTable, type DailyRow } from '@twilight/market-sources/tushare-bars'
import { createLogger } from '@twilight/service/log'
import { createMetrics } from '@twilight/service/metrics'
import { connectPostgres } from '@twilight/service/postgres'
import { z } from 'zod'
import type { Question } from './look-up.ts'
import { openLookUp, type OpenLookUpOptions } from './open-look-up.ts'
import { askTable } from './upstream-questions.ts'

/** A sandbox as a process of its own; its clock runs unless `now` pins it. */
export async function startSandbox(now?: string) {
  const main = join(import.meta.dirname, '../../../tools/sandbox/src/main.ts')
  const child = spawn(process.execPath, [main], {
    env: now === undefined ? {} : { SANDBOX_NOW: now },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let url = ''
  for await (const line of createInterface({ input: child.stdout })) {
    const started = startLine.safeParse(JSON.parse(line))
    if (started.data?.event !== 'listening') continue
    ;({ url } = started.data)
    break
  }
  child.stdout.resume()
  const control = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) }
    const response = await fetch(`${url}/__sandbox/${path}`, init)
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return response.json()
  }
  return {
    url,
    reset: () => control('POST', 'reset', {}),
    break: (kind: string, more: object = {}) =>
      control('POST', 'faults', { upstream: 'tushare', kind, ...more }),
    repair: () => control('DELETE', 'faults'),
    calls: async () => callsAnswer.parse(await control('GET', 'calls')),
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'close')
      child.kill('SIGTERM')
      await exited
    },
  }
}

export type TestSandbox = Awaited<ReturnType<typeof startSandbox>>

const startLine = z.object({ event: z.string(), url: z.string() })
const callsAnswer = z.object({
  total: z.number(),
  calls: z.record(z.string(), z.record(z.string(), z.number())),
  outcomes: z.record(z.string(), z.unknown()),
})

export const testToken = '5a4db0c5000000000000000000000000000000000000000000005000'
export const silent = createLogger({ service: 'data-api', version: '0', level: 'silent' })

/** All of the look-up over a sandbox and a database, in a folder that outlives it when it is given. */
export async function openTestLookUp(
  options: Pick<OpenLookUpOptions, 'dataDir'> &
    Partial<OpenLookUpOptions> & { sandboxUrl: string; databaseUrl: string },
) {
  await using resources = new AsyncDisposableStack()
  const postgres = resources.use(
    connectPostgres<Database>({
      url: options.databaseUrl,
      applicationName: 'data-api',
      log: silent,
    }),
  )
  const metrics = createMetrics({ service: 'data-api', version: '0' })
  const opened = resources.use(
    await openLookUp({
      tushareUrl: `${options.sandboxUrl}/tushare/dataapi`,
      tushareToken: { reveal: () => testToken },
      tushareEnabled: true,
      version: '0.0.0',
      db: postgres.db,
      log: silent,
      metrics,
      ...options,
    }),
  )
  const all = resources.move()
  return {
    lookUp: opened.lookUp,
    scrape: () => metrics.registry.metrics(),
    check: async (name: string) =>
      opened.checks.find((check) => check.name === name)?.check(AbortSignal.timeout(400)),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

export async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), 'twilight-look-up-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

type FreshUntil = Question<unknown>['freshUntil']

/** The bar of one code on one day. */
export function bar(
  code: string,
  date: string,
  freshUntil: FreshUntil = forever,
): Question<DailyRow> {
  return askTable(dailyTable, { codes: [code], date }, { key: `${code}:${date}`, freshUntil })
}

/** The same code in another table, whose budget is another. */
export function ratios(code: string, date: string): Question<DailyBasicRow> {
  const key = `${code}:${date}`
  return askTable(dailyBasicTable, { codes: [code], date }, { key, freshUntil: forever })
}

export function factor(code: string, date: string): Question<AdjFactorRow> {
  const key = `${code}:${date}`
  return askTable(adjFactorTable, { codes: [code], date }, { key, freshUntil: forever })
}

export const forever: FreshUntil = () => 'forever'
/** To be asked again at once. */
export const never: FreshUntil = (_, now) => new Date(now.getTime() - 1)
