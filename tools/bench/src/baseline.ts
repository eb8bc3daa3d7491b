import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'

// What the product is measured against: the same bytes from raw node:http ("node") and the same JSON from
// a bare Hono route ("hono"). Arguments: the kind, and a file with the body. Says its port as a message.
const [kind, file = ''] = process.argv.slice(2)
const body = readFileSync(file, 'utf8')
const claim: unknown = JSON.parse(body)

const server = createServer(kind === 'hono' ? honoListener() : answerRaw)
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address) process.send?.({ port: address.port })
})
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({ cpuSeconds: (user + system) / 1e6, rssBytes: process.memoryUsage.rss() })
})
process.on('disconnect', () => {
  server.close()
  server.closeAllConnections()
})

function answerRaw(_: IncomingMessage, outgoing: ServerResponse): void {
  outgoing.writeHead(200, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  })
  outgoing.end(body)
}

function honoListener(): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  const listener = getRequestListener(new Hono().get('/price', (c) => c.json(claim)).fetch)
  return (incoming, outgoing) => void listener(incoming, outgoing)
}
