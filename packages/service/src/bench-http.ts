import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { pino } from 'pino'
import { z } from 'zod'
import { serveHttp } from './http-server.ts'
import { createHttpApp } from './http.ts'
import { createLogger } from './log.ts'
import { createMetrics } from './metrics.ts'
import { route } from './route.ts'

// What the frame costs: the same answer from raw node:http, from a bare Hono route and from the kit with
// everything on (ids, trace, headers, validation, metrics, a log line written per request).
// Run: pnpm --filter @twilight/service bench. Ratios carry over between machines, figures do not.
const claim = {
  value: 1466,
  value_text: '1466.00',
  unit: 'CNY',
  metric: 'close',
  code: '600519.SH',
  name: '贵州茅台',
  as_of: '2026-11-19',
  cite: { kind: 'tool', source: 'tushare', served_by: ['tushare'], table: 'daily' },
}
const kinds = ['node', 'hono', 'kit'] as const
const load = { rounds: 3, connections: 50, warmUpMs: 1500, measureMs: 3000 }

const [kind] = process.argv.slice(2)
if (kind === undefined) await compare()
else process.stdout.write(`${await serve(kind)}\n`)

async function compare(): Promise<void> {
  for (let round = 1; round <= load.rounds; round += 1) {
    const perSecond: Record<string, number> = {}
    for (const name of kinds) perSecond[name] = await measure(name)
    const { node = 0, hono = 0, kit = 0 } = perSecond
    process.stdout.write(
      `node ${node}/s, hono ${hono}/s, kit ${kit}/s: kit/node ${(kit / node).toFixed(2)}, kit/hono ${(kit / hono).toFixed(2)}\n`,
    )
  }
}

async function measure(name: string): Promise<number> {
  const server = spawn(process.execPath, [import.meta.filename, name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [announced] = await once(server.stdout, 'data')
  const port = Number(String(announced))
  let answered = 0
  const sockets = Array.from({ length: load.connections }, () =>
    askForEver(port, () => {
      answered += 1
    }),
  )
  await sleep(load.warmUpMs)
  answered = 0
  await sleep(load.measureMs)
  const perSecond = Math.round((answered * 1000) / load.measureMs)
  for (const socket of sockets) socket.destroy()
  server.kill('SIGKILL')
  await once(server, 'exit')
  return perSecond
}

/** One closed loop on a bare socket: the next request when the answer's last byte has come. */
function askForEver(port: number, onAnswer: () => void) {
  const request = 'GET /price?code=600519.SH HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n'
  const socket = connect(port, '127.0.0.1').setNoDelay()
  let received = ''
  socket.on('connect', () => socket.write(request))
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1')
    const head = received.indexOf('\r\n\r\n')
    const length = /content-length: (\d+)/i.exec(received)?.[1]
    if (head === -1 || received.length < head + 4 + Number(length)) return
    received = ''
    onAnswer()
    socket.write(request)
  })
  return socket
}

async function serve(name: string): Promise<number> {
  if (name === 'kit') return serveKit()
  const bare = new Hono().get('/price', (c) => c.json(claim))
  const listener = name === 'hono' ? getRequestListener(bare.fetch) : answerRaw
  const server = createServer((incoming, outgoing) => {
    void listener(incoming, outgoing)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  return address && typeof address === 'object' ? address.port : 0
}

async function answerRaw(_: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const body = JSON.stringify(claim)
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  outgoing.writeHead(200, headers).end(body)
}

async function serveKit(): Promise<number> {
  const identity = { service: 'bench', version: '1.0.0' }
  const log = createLogger({ ...identity, destination: pino.destination('/dev/null') })
  const query = z.object({ code: z.string().regex(/^\d{6}\.S[HZ]$/) })
  const price = route('GET', '/price', { summary: 'Last close', query }, (_, c) => c.json(claim))
  const app = createHttpApp({ ...identity, log, metrics: createMetrics(identity), routes: [price] })
  const { port } = await serveHttp({ app, log, port: 0 })
  return port
}
