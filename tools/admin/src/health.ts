import { StartError } from '@twilight/service/errors'
import { z } from 'zod'
import { defineCommand } from './command.ts'
import { renderTable } from './render-table.ts'

const timeoutMs = 5000

export const healthCommand = defineCommand({
  name: 'health',
  summary: 'Ask every service how it is; exit code 1 when one is not well',
  arguments: '[url…]',
  run: async ({ positionals, connections }) => {
    const services = servicesToAsk(positionals, connections.config.serviceUrls)
    const answers = await Promise.all(services.map(([name, url]) => askService(name, url)))
    return {
      ok: answers.every((answer) => answer.ok),
      json: answers,
      text: renderTable(
        ['service', 'state', 'version', 'what'],
        answers.map((answer) => [
          answer.service,
          answer.ok ? 'ok' : 'NOT WELL',
          answer.version ?? '',
          answer.problem ?? describeChecks(answer.checks),
        ]),
      ),
    }
  },
})

type Answer = {
  service: string
  url: string
  ok: boolean
  version?: string | undefined
  checks?: Record<string, { ok: boolean }> | undefined
  problem?: string
}

const healthSchema = z.object({
  ok: z.boolean(),
  version: z.string().optional(),
  checks: z.record(z.string(), z.looseObject({ ok: z.boolean() })).optional(),
})

/** The urls given, else those of the stack; the ones that are pages of another service answer no /healthz. */
function servicesToAsk(given: string[], known: Record<string, string>): [string, string][] {
  const urls: [string, string][] =
    given.length > 0 ? given.map((url) => [url, url]) : Object.entries(known)
  if (urls.length === 0) {
    throw new StartError(
      'Nothing runs here: run "npm start", or name the services to ask, as in "health https://api.example.com".',
    )
  }
  return urls.filter(([, url]) => new URL(url).pathname === '/')
}

async function askService(service: string, url: string): Promise<Answer> {
  try {
    const response = await fetch(new URL('/healthz', url), {
      signal: AbortSignal.timeout(timeoutMs),
      redirect: 'error',
    })
    const { ok, version, checks } = healthSchema.parse(await response.json())
    return { service, url, ok: ok && response.ok, version, checks }
  } catch (error) {
    return { service, url, ok: false, problem: whyNoAnswer(error) }
  }
}

function whyNoAnswer(error: unknown): string {
  if (error instanceof z.ZodError || error instanceof SyntaxError)
    return 'answers, but not as a service of ours'
  if (error instanceof Error && error.name === 'TimeoutError')
    return `no answer within ${timeoutMs / 1000} s`
  return 'nobody answers'
}

function describeChecks(checks: Answer['checks']): string {
  return Object.entries(checks ?? {})
    .map(([name, check]) => `${name} ${check.ok ? 'ok' : 'DOWN'}`)
    .join(', ')
}
