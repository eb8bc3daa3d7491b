import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { spawnService } from './fixtures/spawned-service.ts'

const echoService = new URL('./fixtures/echo-service.ts', import.meta.url)
const quick = { DRAIN_DELAY: '10ms' }

describe.concurrent('the life of a process', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} disposes in reverse order, empties the event loop and exits with 0`, async () => {
      await using service = spawnService(echoService, quick)
      await service.line('listening')
      service.kill(signal)
      expect(await service.exited).toBe(0)
      expect(service.lines.map(({ msg }) => msg)).toEqual([
        'listening',
        'stopping',
        'last resource disposed',
        'draining',
        'first resource disposed',
        'stopped',
      ])
      expect(service.stderr()).toBe('')
    })
  }

  test('a second signal ends the process at once with 1', async () => {
    await using service = spawnService(echoService, { DRAIN_DELAY: '30s' })
    await service.line('listening')
    service.kill('SIGTERM')
    await service.line('draining')
    service.kill('SIGINT')
    expect(await service.exited).toBe(1)
    expect((await service.line('ending now'))['reason']).toBe('second signal (SIGINT)')
  })

  for (const behaviour of ['hang', 'leak']) {
    test(`a stop that does not end (${behaviour}) is ended by the deadline with 1`, async () => {
      await using service = spawnService(echoService, { ...quick, BEHAVIOUR: behaviour })
      await service.line('listening')
      service.kill('SIGTERM')
      expect(await service.exited).toBe(1)
      expect((await service.line('ending now'))['reason']).toBe('not stopped within 6000 ms')
    })
  }

  for (const behaviour of ['crash', 'reject']) {
    test(`an error nobody caught (${behaviour}) is logged, then the process exits with 1`, async () => {
      await using service = spawnService(echoService, { BEHAVIOUR: behaviour })
      expect(await service.exited).toBe(1)
      const line = await service.line('nobody caught this error')
      expect(line).toMatchObject({
        level: 'fatal',
        err: { stack: expect.stringContaining('echo-service.ts') },
      })
    })
  }

  test('what only a new process mends stops it in order, with code 1', async () => {
    await using service = spawnService(echoService, { ...quick, BEHAVIOUR: 'broken' })
    expect(await service.exited).toBe(1)
    const messages = service.lines.map(({ msg }) => msg)
    expect(messages).toContain('broken for good')
    expect(messages.slice(-3)).toEqual(['draining', 'first resource disposed', 'stopped'])
  })

  test('a start that fails disposes what it had started, says why without the password, and exits with 1', async () => {
    await using service = spawnService(echoService, { ...quick, BEHAVIOUR: 'fail' })
    expect(await service.exited).toBe(1)
    expect(service.stderr()).toBe(
      'Not started. the database at postgres://[secret]@db is unreachable\n',
    )
    await service.line('first resource disposed')
    expect(JSON.stringify(service.lines)).not.toContain('hunter2')
  })

  test('a broken configuration is one message with every problem, before anything is started', async () => {
    await using service = spawnService(echoService, {
      PORT: 'http',
      BEHAVIOUR: 'odd',
      API_KEY: 'geheim',
    })
    expect(await service.exited).toBe(1)
    const message = service.stderr()
    expect(message).toMatch(/^Not started\. The configuration has 3 problems:\n/)
    for (const name of ['PORT', 'BEHAVIOUR', 'API_KEY'])
      expect(message).toContain(`\n  ${name}: is `)
    expect(message).not.toContain('geheim')
    expect(service.lines.map(({ msg }) => msg)).not.toContain('listening')
  })

  test('a taken port is one clear sentence and exit code 1', async () => {
    const squatter = createServer().listen(0, '127.0.0.1')
    await once(squatter, 'listening')
    const address = squatter.address()
    const port = address && typeof address === 'object' ? address.port : 0
    await using service = spawnService(echoService, { PORT: String(port) })
    expect(await service.exited).toBe(1)
    expect(service.stderr()).toBe(
      `Not started. Port ${port} on 127.0.0.1 is taken: stop what listens there or choose another port.\n`,
    )
    squatter.close()
    await once(squatter, 'close')
  })
})
