import { createConnection } from 'node:net'

/** What a NATS server says first, INFO {…}; undefined when something else, or nothing, answers. */
export function askNatsInfo(host: string, port: number): Promise<NatsInfo | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port })
    let text = ''
    const done = (answer: NatsInfo | undefined) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(2000, () => done(undefined))
    socket.once('error', () => done(undefined))
    socket.once('close', () => done(undefined))
    socket.on('data', (data) => {
      text += data.toString('utf8')
      if (text.includes('\r\n') || text.length > 65_536) done(parseInfo(text))
    })
  })
}

export type NatsInfo = { version: string; jetstream: boolean }

function parseInfo(text: string): NatsInfo | undefined {
  const match = /^INFO (\{.*\})\s*\r\n/.exec(text)
  if (!match?.[1]) return undefined
  try {
    const info: { version?: unknown; jetstream?: unknown } = JSON.parse(match[1])
    return { version: String(info.version), jetstream: info.jetstream === true }
  } catch {
    // It says INFO, yet no JSON follows: not a NATS server.
    return undefined
  }
}
