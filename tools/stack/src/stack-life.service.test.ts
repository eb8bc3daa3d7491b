import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createStackHome, eventually, type StackHome } from './fixtures/stack-home.ts'
import { followLogs } from './follow-logs.ts'
import { httpStatus } from './http-status.ts'
import { isFree } from './ports.ts'
import { readStackFile, type StackFile } from './stack-file.ts'

// One life of a stack from its first start to its second, told in order: each test stands on the one before.
describe('a stack', () => {
  let stack: StackHome
  let facts: StackFile

  beforeAll(async () => {
    stack = await createStackHome()
  })

  afterAll(async () => {
    await stack[Symbol.asyncDispose]()
  })

  it('is ready when --detach returns, and prints the table of URLs', async () => {
    const result = await stack.start(['--detach'])

    expect(result.output).toContain('Twilight Drive is ready after')
    expect(result.output).toContain(`Open first: http://127.0.0.1:${stack.portsFrom + 10}`)
    expect(result.ok).toBe(true)
    facts = factsOf(stack)
    for (const port of [stack.portsFrom + 1, stack.portsFrom + 10]) {
      expect(await httpStatus(`http://127.0.0.1:${port}/healthz`, 2000)).toBe(200)
    }
  })

  it('describes itself in stack.json, which only its owner may read', () => {
    const written = readStackFile(stack.home)

    expect(written).toEqual({
      ready: true,
      pid: stack.record().supervisor.pid,
      node: process.versions.node,
      urls: {
        sandbox: `http://127.0.0.1:${stack.portsFrom + 10}`,
        data_api: `http://127.0.0.1:${stack.portsFrom + 1}`,
      },
      tokens: {},
      postgres: expect.stringMatching(
        new RegExp(`^postgres://twilight:.+@127.0.0.1:${stack.portsFrom + 20}/postgres$`),
      ),
      nats: `nats://127.0.0.1:${stack.portsFrom + 21}`,
      logs: join(stack.home, 'logs'),
    })
    expect(statSync(join(stack.home, 'stack.json')).mode & 0o777).toBe(0o600)
    expect(statSync(join(stack.home, 'secrets.json')).mode & 0o777).toBe(0o600)
  })

  it('gives its services no superuser', async () => {
    const response = await fetch(`${facts.urls['data_api']}/facts`)

    expect(await response.json()).toMatchObject({ hasAdminUrl: false })
  })

  it('refuses a second start in one sentence that says where it runs and how to stop it', async () => {
    const result = await stack.start(['--detach'])

    expect(result.ok).toBe(false)
    expect(result.output).toMatch(
      /^The stack is already running at http:\/\/127.0.0.1:\d+ \(process \d+\): stop it with "npm run stop".*$/,
    )
    expect(await httpStatus(`${facts.urls['data_api']}/livez`, 2000)).toBe(200)
  })

  it('starts a service again that died, says so, and waits longer when it dies again', async () => {
    const first = stack.pidOf('data_api')
    process.kill(first, 'SIGKILL')
    await eventually(() => stack.log().includes('data_api runs again.'))
    const second = stack.pidOf('data_api')
    process.kill(second, 'SIGKILL')
    await eventually(() => stack.log().split('data_api runs again.').length === 3)

    expect(stack.log()).toContain('data_api ended (signal SIGKILL): starting it again in 0.25 s.')
    expect(stack.log()).toContain('data_api ended (signal SIGKILL): starting it again in 0.5 s.')
    expect(new Set([first, second, stack.pidOf('data_api')]).size).toBe(3)
    expect(await httpStatus(`${facts.urls['data_api']}/healthz`, 2000)).toBe(200)
  })

  it('brings back a killed Postgres with its rows', async () => {
    await query(facts.postgres, 'create table kept (note text)')
    await query(facts.postgres, "insert into kept values ('written before the kill')")
    process.kill(stack.pidOf('postgres'), 'SIGKILL')
    await eventually(() => stack.log().includes('postgres runs again.'))

    expect(await query(facts.postgres, 'select note from kept')).toEqual([
      { note: 'written before the kill' },
    ])
  })

  it('brings back a killed NATS server with its stream', async () => {
    await publishToStream(facts.nats)
    process.kill(stack.pidOf('nats'), 'SIGKILL')
    await eventually(() => stack.log().includes('nats runs again.'))

    expect(await countMessages(facts.nats)).toBe(1)
  })

  it('shows the logs of one service or of all, and names those there are', async () => {
    const lines: string[] = []
    const show = (names: string[]) =>
      followLogs({
        home: stack.home,
        names,
        lines: 5,
        follow: false,
        write: (line) => lines.push(line),
        signal: AbortSignal.timeout(5000),
      })
    await show(['sandbox'])
    await show([])

    expect(lines[0]).toBe(`sandbox listens on ${stack.portsFrom + 10}`)
    expect(lines).toContainEqual(expect.stringMatching(/^data_api +\| data_api listens on/))
    await expect(show(['nobody'])).rejects.toThrow(
      'There is no log "nobody". There are: data_api, migrate, nats, postgres, sandbox, stack.',
    )
  })

  it('uses the servers it is given instead of starting its own', async () => {
    await using other = await createStackHome()
    const result = await other.start(['--detach'], {
      DATABASE_ADMIN_URL: facts.postgres,
      NATS_URL: facts.nats,
    })

    expect(result.ok).toBe(true)
    expect(factsOf(other)).toMatchObject({ postgres: facts.postgres, nats: facts.nats })
    expect((await other.stop()).processes.toSorted()).toEqual(['data_api', 'sandbox'])
    expect(await query(facts.postgres, 'select note from kept')).toHaveLength(1)
  })

  it('leaves no process and no open port when it is stopped', async () => {
    const result = await stack.stop()

    expect(result.processes.toSorted()).toEqual(['data_api', 'nats', 'postgres', 'sandbox'])
    expect(stack.processes()).toEqual([])
    expect(await Promise.all(stack.ports.map(isFree))).toEqual(stack.ports.map(() => true))
    expect(existsSync(join(stack.home, 'stack.json'))).toBe(false)
  })

  it('finds its rows and messages at the second start', async () => {
    const result = await stack.start(['--detach', '--json'])
    const again: StackFile = JSON.parse(result.output.split('\n').at(-1) ?? '')

    expect(again.ready).toBe(true)
    expect(await query(again.postgres, 'select note from kept')).toHaveLength(1)
    expect(await countMessages(again.nats)).toBe(1)
  })
})

function factsOf(stack: StackHome): StackFile {
  const facts = readStackFile(stack.home)
  if (!facts) throw new Error('There is no stack.json.')
  return facts
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query(sql)
    return rows
  } finally {
    await client.end()
  }
}

async function publishToStream(url: string): Promise<void> {
  const connection = await connect({ servers: url })
  try {
    const manager = await jetstreamManager(connection)
    await manager.streams.add({ name: 'KEPT', subjects: ['kept.>'] })
    await jetstream(connection).publish('kept.note', 'written before the kill')
  } finally {
    await connection.close()
  }
}

async function countMessages(url: string): Promise<number> {
  const connection = await connect({ servers: url })
  try {
    const manager = await jetstreamManager(connection)
    return (await manager.streams.info('KEPT')).state.messages
  } finally {
    await connection.close()
  }
}
