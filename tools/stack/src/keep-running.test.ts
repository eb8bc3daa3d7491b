import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { keepRunning, type Running } from './keep-running.ts'

const backoff = { firstDelayMs: 2, longestDelayMs: 8, steadyAfterMs: 60_000, mostInARow: 6 }
const signal = new AbortController().signal

it('a first start that fails is thrown, and not tried again', async () => {
  let starts = 0
  const start = () => {
    starts += 1
    return Promise.reject(new Error('no such folder'))
  }

  await expect(keepRunning({ name: 'app', start, say: () => {}, signal, backoff })).rejects.toThrow(
    'no such folder',
  )
  expect(starts).toBe(1)
})

it('what cannot be started again is tried later and later, a bounded number of times', async () => {
  const said: string[] = []
  const app = controlled()
  const gaveUp = Promise.withResolvers<void>()
  const kept = await keepRunning({
    name: 'app',
    start: ({ first }) =>
      first ? Promise.resolve(app.running) : Promise.reject(new Error('still broken')),
    say: (text) => {
      said.push(text)
      if (text.includes('not started again')) gaveUp.resolve()
    },
    signal,
    backoff,
  })
  app.end('code 1')
  await gaveUp.promise
  await kept.stop()

  expect(said).toEqual([
    'app ended (code 1): starting it again in 0.002 s.',
    'app ended (still broken): starting it again in 0.004 s.',
    'app ended (still broken): starting it again in 0.008 s.',
    'app ended (still broken): starting it again in 0.008 s.',
    'app ended (still broken): starting it again in 0.008 s.',
    'app ended (still broken): starting it again in 0.008 s.',
    'app ended 6 times in a row: not started again. See its log.',
  ])
})

it('what ran steadily begins anew with the shortest delay', async () => {
  const said: string[] = []
  const apps = [controlled(), controlled(), controlled()]
  let starts = 0
  const kept = await keepRunning({
    name: 'app',
    start: () => Promise.resolve(apps[starts++]?.running ?? controlled().running),
    say: (text) => said.push(text),
    signal,
    backoff: { ...backoff, steadyAfterMs: 20 },
  })
  for (const app of apps.slice(0, 2)) {
    await sleep(30)
    app.end('code 1')
  }
  await expect.poll(() => starts).toBe(3)
  await kept.stop()

  expect(said.filter((text) => text.includes('in 0.002 s'))).toHaveLength(2)
})

it('a stop ends what runs, and nothing is started after it', async () => {
  const app = controlled()
  let starts = 0
  const start = () => {
    starts += 1
    return Promise.resolve(app.running)
  }
  const kept = await keepRunning({ name: 'app', start, say: () => {}, signal, backoff })
  await kept.stop()
  await sleep(20)

  expect(starts).toBe(1)
})

it('a stop between two starts does not wait for the next one', async () => {
  const app = controlled()
  const said: string[] = []
  const kept = await keepRunning({
    name: 'app',
    start: () => Promise.resolve(app.running),
    say: (text) => said.push(text),
    signal,
    backoff: { ...backoff, firstDelayMs: 60_000, longestDelayMs: 60_000 },
  })
  app.end('code 1')
  await expect.poll(() => said).toHaveLength(1)
  await kept.stop()

  expect(said).toHaveLength(1)
})

/** Something that runs until it is told to end. */
function controlled(): { running: Running; end: (how: string) => void } {
  const { promise, resolve } = Promise.withResolvers<string>()
  const stop = () => {
    resolve('stopped')
    return Promise.resolve()
  }
  return { running: { exited: promise, stop }, end: resolve }
}
