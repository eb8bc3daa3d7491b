import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../../..')
const stackFile = z.object({
  urls: z.object({ data_api: z.string() }),
  postgres: z.string(),
  nats: z.string(),
})

/** The whole product in a folder of its own, with keys for as many users as there are connections. */
export async function startProduct(options: {
  portsFrom: number
  users: number
}): Promise<Product> {
  const home = await mkdtemp(join(tmpdir(), 'twilight-bench-'))
  const stack = async (...words: string[]) => {
    const { stdout } = await run(
      process.execPath,
      [join(root, 'tools/stack/bootstrap.mjs'), ...words, '--home', home, '--json'],
      { timeout: 300_000 },
    )
    return stdout
  }
  const { urls, postgres, nats } = stackFile.parse(
    JSON.parse(await stack('start', '--detach', '--ports-from', String(options.portsFrom))),
  )
  const keys: string[] = []
  for (let user = 0; user < options.users; user += 1) {
    keys.push(await issueKey(`bench-${user}`, { DATABASE_ADMIN_URL: postgres, NATS_URL: nats }))
  }
  return {
    url: urls.data_api,
    keys,
    usage: () => readUsage(urls.data_api),
    [Symbol.asyncDispose]: async () => {
      await stack('stop')
      await rm(home, { recursive: true, force: true })
    },
  }
}

export type Product = AsyncDisposable & {
  url: string
  keys: string[]
  usage: () => Promise<Usage>
}

export type Usage = { cpuSeconds: number; rssBytes: number }

async function issueKey(user: string, environment: Record<string, string>): Promise<string> {
  const words = ['issue-token', '--json', '--user', user, '--plan', 'pro', '--rate', '60000']
  const { stdout } = await run(
    process.execPath,
    [join(root, 'tools/admin/src/main.ts'), ...words],
    { env: environment, timeout: 60_000 },
  )
  return z.object({ key: z.string() }).parse(JSON.parse(stdout)).key
}

/** From the service's own metrics: what an operator would see. */
async function readUsage(url: string): Promise<Usage> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const read = (name: string) => {
    const value = new RegExp(`^${name}(?:\\{[^}]*\\})? ([0-9.e+]+)$`, 'm').exec(text)?.[1]
    if (value === undefined) throw new Error(`/metrics has no ${name}.`)
    return Number(value)
  }
  return {
    cpuSeconds: read('twilight_process_cpu_seconds_total'),
    rssBytes: read('twilight_process_resident_memory_bytes'),
  }
}
