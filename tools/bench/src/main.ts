import { fork } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { median, putUnderLoad, type Round } from './load.ts'
import { type Product, startProduct, type Usage } from './product.ts'
import { warmCodes } from './warm-codes.ts'

const help = `npm run bench -- [options]
/price from memory with everything on (key, limit, metering, log, trace), beside raw node:http with the same
bytes and a bare Hono route with the same JSON, in one run on this machine. The ratios carry over to another
machine, the figures do not.

  --seconds N      length of one round (5)
  --rounds N       rounds of each, taken in turn; the median counts (3)
  --connections N  kept connections, each a user with a key of its own (32)
  --codes N        codes to warm before memory is read (5000)
  --ports-from N   first port of the stack it starts (9700)
  --json           print the whole result as JSON`

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '32' },
    codes: { type: 'string', default: '5000' },
    'ports-from': { type: 'string', default: '9700' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false, short: 'h' },
  },
})
if (values.help) console.log(help)
else await bench()

type Target = { name: string; url: string; keys: string[]; usage: () => Promise<Usage> }
type Measured = Round & { cpuMicrosPerRequest: number; rssMb: number }

async function bench(): Promise<void> {
  const connections = Number(values.connections)
  say('Starting the stack, and a key for each connection …')
  await using product = await startProduct({
    portsFrom: Number(values['ports-from']),
    users: connections,
  })
  const warm = await warmCodes({
    url: product.url,
    keys: product.keys,
    wanted: Number(values.codes),
    say,
  })
  const rssWarmMb = toMb((await product.usage()).rssBytes)
  const rounds = await measureAll(product, connections)
  const summary = Object.fromEntries([...rounds].map(([name, list]) => [name, summarize(list)]))
  const price = summary['price']?.perSecond ?? 0
  const ratios = {
    price_to_node: ratio(price, summary['node']?.perSecond),
    price_to_hono: ratio(price, summary['hono']?.perSecond),
  }
  const result = { connections, warm_codes: warm, rss_warm_mb: rssWarmMb, ...ratios, ...summary }
  console.log(values.json ? JSON.stringify(result, undefined, 2) : describe(result, summary))
}

/** In turn, so that whatever else the machine does falls on all of them. */
async function measureAll(product: Product, connections: number): Promise<Map<string, Measured[]>> {
  const folder = await mkdtemp(join(tmpdir(), 'twilight-bench-body-'))
  const file = join(folder, 'body.json')
  const path = '/price?code=600519.SH'
  const answer = await fetch(product.url + path, {
    headers: { authorization: `Bearer ${product.keys[0]}` },
  })
  if (!answer.ok) throw new Error(`/price answers ${answer.status}: ${await answer.text()}`)
  await writeFile(file, await answer.text())
  await using node = await startBaseline('node', file)
  await using hono = await startBaseline('hono', file)
  const targets: Target[] = [
    { name: 'node', url: `${node.url}/price`, keys: [], usage: node.usage },
    { name: 'hono', url: `${hono.url}/price`, keys: [], usage: hono.usage },
    { name: 'price', url: product.url + path, keys: product.keys, usage: product.usage },
  ]
  const measured = new Map<string, Measured[]>()
  for (const target of targets) await putUnderLoad({ ...target, connections, seconds: 2 })
  for (let round = 1; round <= Number(values.rounds); round += 1) {
    for (const target of targets) {
      const before = await target.usage()
      const seen = await putUnderLoad({ ...target, connections, seconds: Number(values.seconds) })
      const after = await target.usage()
      const requests = seen.perSecond * Number(values.seconds)
      const cpuMicrosPerRequest = ((after.cpuSeconds - before.cpuSeconds) * 1e6) / requests
      say(`round ${round}, ${target.name}: ${seen.perSecond}/s`)
      measured.set(target.name, [
        ...(measured.get(target.name) ?? []),
        { ...seen, cpuMicrosPerRequest, rssMb: toMb(after.rssBytes) },
      ])
    }
  }
  await rm(folder, { recursive: true })
  return measured
}

async function startBaseline(kind: string, file: string) {
  const child = fork(join(import.meta.dirname, 'baseline.ts'), [kind, file])
  const message = () => new Promise<unknown>((resolve) => child.once('message', resolve))
  const { port } = z.object({ port: z.int() }).parse(await message())
  return {
    url: `http://127.0.0.1:${port}`,
    usage: async () => {
      const answer = message()
      child.send('usage')
      return z.object({ cpuSeconds: z.number(), rssBytes: z.number() }).parse(await answer)
    },
    [Symbol.asyncDispose]: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.disconnect()
      await ended
    },
  }
}

function summarize(rounds: Measured[]): Measured {
  const of = (key: keyof Measured) => median(rounds.map((round) => round[key]))
  return {
    perSecond: of('perSecond'),
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    failed: rounds.reduce((sum, round) => sum + round.failed, 0),
    cpuMicrosPerRequest: Math.round(of('cpuMicrosPerRequest') * 10) / 10,
    rssMb: of('rssMb'),
  }
}

function describe(
  result: { price_to_node: number; price_to_hono: number; rss_warm_mb: number; warm_codes: number },
  summary: Record<string, Measured>,
): string {
  const rows = Object.entries(summary).map(([name, row]) =>
    [name, row.perSecond, row.p50Ms, row.p99Ms, row.cpuMicrosPerRequest, row.rssMb, row.failed]
      .map((cell, column) => (column === 0 ? String(cell).padEnd(7) : String(cell).padStart(10)))
      .join(''),
  )
  return `
            req/s    p50 ms    p99 ms    cpu µs    rss MB    failed
${rows.join('\n')}

/price is ${result.price_to_node} of raw node:http and ${result.price_to_hono} of a bare Hono route.
With ${result.warm_codes} codes warm, before the load, the process had ${result.rss_warm_mb} MB.`
}

function ratio(a: number, b: number | undefined): number {
  return b ? Math.round((a / b) * 100) / 100 : 0
}

function toMb(bytes: number): number {
  return Math.round(bytes / 1024 / 1024)
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}
