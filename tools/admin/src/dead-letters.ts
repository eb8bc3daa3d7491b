import {
  type DeadLetter,
  dropDeadLetter,
  listDeadLetters,
  replayDeadLetter,
  replayDeadLetters,
} from '@twilight/service/dead-letters'
import { StartError } from '@twilight/service/errors'
import type { Bus } from '@twilight/service/nats'
import { type Command, defineCommand, UsageError } from './command.ts'
import type { Connections } from './connections.ts'
import { renderTable } from './render-table.ts'

const filterOptions = {
  consumer: { type: 'string', about: 'only those of this consumer' },
  stream: { type: 'string', about: 'only those of this stream' },
} as const

const list = defineCommand({
  name: 'dead-letters list',
  summary: 'Messages nobody could handle, oldest first, and why',
  options: {
    ...filterOptions,
    limit: { type: 'string', default: '50', about: 'how many at the most' },
  },
  run: async ({ options, connections }) => {
    const { limit, ...filter } = options
    const letters = await listDeadLetters(await answeringBus(connections), {
      ...given(filter),
      limit: readCount(limit),
    })
    return {
      json: letters,
      text: letters.length > 0 ? describe(letters) : 'There are no dead letters.',
    }
  },
})

const replay = defineCommand({
  name: 'dead-letters replay',
  summary: 'Give dead letters back to the consumer that failed, once it can handle them',
  arguments: '[id…]',
  options: {
    ...filterOptions,
    all: { type: 'boolean', default: false, about: 'all that the filters leave' },
  },
  run: async ({ options, positionals, connections }) => {
    const { all, ...filter } = options
    if (all === positionals.length > 0) {
      throw new UsageError('Name the ids to replay (see dead-letters list), or say --all.')
    }
    const bus = await answeringBus(connections)
    const results: ReplayResult = all
      ? { ...(await replayDeadLetters(bus, given(filter))), not_found: 0 }
      : summarize(await eachOf(positionals, (id) => replayDeadLetter(bus, id)))
    return {
      json: results,
      text: describeReplay(results),
      ok: results.lost === 0 && results.not_found === 0,
    }
  },
})

const drop = defineCommand({
  name: 'dead-letters drop',
  summary: 'Forget dead letters for good',
  arguments: '<id…>',
  run: async ({ positionals, connections }) => {
    if (positionals.length === 0)
      throw new UsageError('Name the ids to drop (see dead-letters list).')
    const bus = await answeringBus(connections)
    const results = await eachOf(positionals, async (id) =>
      (await dropDeadLetter(bus, id)) ? 'dropped' : 'not_found',
    )
    const missing = results.filter(({ outcome }) => outcome === 'not_found').map(({ id }) => id)
    return {
      json: results,
      text:
        missing.length > 0
          ? `There is no dead letter ${missing.join(', ')}.`
          : `Dropped ${results.length}.`,
      ok: missing.length === 0,
    }
  },
})

export const deadLetterCommands: Command[] = [list, replay, drop]

async function answeringBus(connections: Connections): Promise<Bus> {
  const bus = await connections.bus()
  try {
    await bus.check()
  } catch (cause) {
    throw new StartError(
      'NATS does not answer, or stores nothing: start it, or correct NATS_URL. Nothing was changed.',
      { cause },
    )
  }
  return bus
}

function describe(letters: DeadLetter[]): string {
  return renderTable(
    ['id', 'failed at', 'consumer', 'subject', 'tries', 'why', 'reason'],
    letters.map((letter) => [
      letter.id,
      letter.failedAt.slice(0, 19).replace('T', ' '),
      letter.consumer,
      letter.subject ?? '?',
      String(letter.deliveries),
      letter.errorClass,
      letter.reason.replaceAll(/\s+/g, ' ').slice(0, 80),
    ]),
  )
}

type ReplayResult = { replayed: number; lost: number; not_found: number }

function summarize(outcomes: { outcome: string }[]): ReplayResult {
  const count = (wanted: string) => outcomes.filter(({ outcome }) => outcome === wanted).length
  return {
    replayed: count('replayed'),
    lost: count('original_lost'),
    not_found: count('not_found'),
  }
}

function describeReplay({ replayed, lost, not_found }: ReplayResult): string {
  return [
    `Replayed ${replayed}.`,
    lost > 0
      ? `${lost} could not be: the stream no longer has the message. The outbox publishes events of the last 48 hours again by itself.`
      : '',
    not_found > 0 ? `${not_found} not found: replayed or dropped before.` : '',
  ]
    .filter(Boolean)
    .join(' ')
}

/** One after the other: an operator's handful, and the bus is not to be flooded. */
async function eachOf<Outcome>(
  ids: string[],
  act: (id: string) => Promise<Outcome>,
): Promise<{ id: string; outcome: Outcome }[]> {
  const results: { id: string; outcome: Outcome }[] = []
  for (const id of ids) results.push({ id, outcome: await act(id) })
  return results
}

/** Without the options nobody gave. */
function given(filter: { consumer: string | undefined; stream: string | undefined }): {
  consumer?: string
  stream?: string
} {
  return {
    ...(filter.consumer !== undefined && { consumer: filter.consumer }),
    ...(filter.stream !== undefined && { stream: filter.stream }),
  }
}

function readCount(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text))
    throw new UsageError(`--limit takes a number from 1 to 99999, not "${text}".`)
  return Number(text)
}
