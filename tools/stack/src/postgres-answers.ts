import { createConnection } from 'node:net'

const startupMessage = startup('user\0twilight\0database\0postgres\0\0')

/**
 * Whether a Postgres takes sessions: asked with a start-up message, because while it recovers it
 * already answers everything simpler. Being asked for a password, or refused for one, is a yes.
 */
export function postgresAnswers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port })
    const done = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(2000, () => done(false))
    socket.once('error', () => done(false))
    socket.once('connect', () => socket.write(startupMessage))
    socket.once('data', (data) => done(isYes(data.toString('latin1'))))
    socket.once('close', () => done(false))
  })
}

function isYes(answer: string): boolean {
  const cannotConnectNow = '57P03'
  return answer.startsWith('R') || (answer.startsWith('E') && !answer.includes(cannotConnectNow))
}

function startup(parameters: string): Buffer {
  const head = Buffer.alloc(8)
  head.writeInt32BE(8 + parameters.length, 0)
  head.writeInt32BE(3 << 16, 4)
  return Buffer.concat([head, Buffer.from(parameters)])
}
