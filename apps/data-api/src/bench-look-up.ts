import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Database } from '@twilight/database/schema'
import { dailyTable } from '@twilight/market-sources/tushare-bars'
import { createLogger } from '@twilight/service/log'
import { createMetrics } from '@twilight/service/metrics'
import { connectPostgres } from '@twilight/service/postgres'
import { openCacheFile } from './cache-file.ts'
import { encodeTable } from './cached-table.ts'
import { shapeOf } from './look-up.ts'
import { openLookUp } from './open-look-up.ts'
import { askTable } from './upstream-questions.ts'

// What one answer costs out of the file and out of memory, and what 5,000 of them weigh. No network:
// the source is switched off and everything is in the file. Prints one line of JSON.
const answers = 5000
const hits = 1_000_000
const date = '2026-11-19'

const log = createLogger({ service: 'bench', version: '0', level: 'silent' })
const questions = Array.from({ length: answers }, (_, at) => {
  const code = `${600_000 + at}.SH`
  return askTable(dailyTable, { codes: [code], date }, { key: code, freshUntil: () => 'forever' })
})

// The file is filled by a process of its own, so that its memory is not counted as that of reading.
const [, program = '', folderToFill] = process.argv
if (folderToFill === undefined) await measure()
else process.stdout.write(String(await fill(folderToFill)))

async function measure(): Promise<void> {
  await using resources = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'twilight-bench-'))
  resources.defer(() => rm(dataDir, { recursive: true, force: true }))
  const filled = await promisify(execFile)(process.execPath, [program, dataDir])
  // Nothing connects: the source is off, so no budget is asked for.
  const postgres = resources.use(
    connectPostgres<Database>({
      url: 'postgres://nobody@127.0.0.1:1/none',
      applicationName: 'bench',
      log,
    }),
  )
  const market = resources.use(
    await openLookUp({
      dataDir,
      tushareUrl: 'http://127.0.0.1:1',
      tushareEnabled: false,
      version: '0.0.0',
      db: postgres.db,
      log,
      metrics: createMetrics({ service: 'bench', version: '0' }),
    }),
  )
  const rssBefore = process.memoryUsage().rss
  const fileUs = await time(answers, (at) => market.lookUp(questionAt(at)))
  const { rss, heapUsed } = process.memoryUsage()
  const memoryUs = await time(hits, (at) => market.lookUp(questionAt(at % answers)))
  const result = {
    answers,
    memory_hit_us: round(memoryUs),
    file_hit_us: round(fileUs),
    durable_write_ms: round(Number(filled.stdout)),
    rss_cold_mib: mib(rssBefore),
    rss_warm_mib: mib(rss),
    heap_warm_mib: mib(heapUsed),
    rss_after_hits_mib: mib(process.memoryUsage().rss),
  }
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

/** Fills the file as look-ups would have; how long one durable write takes, alone. */
async function fill(dataDir: string): Promise<number> {
  await using file = await openCacheFile({ path: join(dataDir, 'cache.duckdb'), log })
  const put = (at: number) => {
    const question = questionAt(at)
    const origin = { fetchedAt: new Date(), rawSha256: '0'.repeat(64), shape: shapeOf(question) }
    return file.put(`daily/${question.key}`, { ...origin, text: textOf(question.key) })
  }
  await Promise.all(questions.map((_, at) => put(at)))
  return (await time(200, put)) / 1000
}

function questionAt(at: number) {
  const question = questions[at]
  if (!question) throw new Error(`There is no question ${at}.`)
  return question
}

function textOf(code: string): string {
  const row = {
    ts_code: code,
    trade_date: date.replaceAll('-', ''),
    open: '1460.00',
    high: '1470.00',
    low: '1455.00',
    close: '1466.00',
    pre_close: '1460.00',
    change: '6.00',
    pct_chg: '0.4110',
    vol: '20000.00',
    amount: '2930000.000',
  }
  return encodeTable({ fields: Object.keys(row), rows: [row] })
}

/** Microseconds for one, one after the other. */
async function time(turns: number, work: (at: number) => Promise<unknown>): Promise<number> {
  const began = performance.now()
  for (let at = 0; at < turns; at += 1) await work(at)
  return ((performance.now() - began) * 1000) / turns
}

function mib(bytes: number): number {
  return Math.round(bytes / 1024 / 1024)
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
