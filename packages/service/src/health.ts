import { redactFields } from './redact.ts'

export type HealthCheck = {
  name: string
  /** default true: when it fails the service is not healthy; false only reports */
  required?: boolean
  /** resolves with details worth showing (`ok: false` among them: down, and this is why), rejects when down; stops when the signal aborts */
  check: (signal: AbortSignal) => Promise<Record<string, unknown> | void>
}

export type HealthReport = {
  ok: boolean
  version: string
  checks: Record<string, { ok: boolean; [detail: string]: unknown }>
}

export type HealthOptions = {
  version: string
  checks: HealthCheck[]
  /** how long one check may take; default 400 */
  timeoutMs?: number
  /** how long an answer is used again, so that probes cannot load what they probe; default 1000 */
  cacheMs?: number
}

/**
 * Runs all checks side by side, each within its own time, and says which are down and nothing about
 * where they live.
 *
 *     const health = createHealth({ version: '1.2.0', checks: [{ name: 'postgres', check: ping }] })
 *     await health() // { ok: true, version: '1.2.0', checks: { postgres: { ok: true } } }
 */
export function createHealth({
  version,
  checks,
  timeoutMs = 400,
  cacheMs = 1000,
}: HealthOptions): () => Promise<HealthReport> {
  const probes = checks.map((check) => ({ check, probe: boundedProbe(check, timeoutMs) }))
  let report: Promise<HealthReport> | undefined
  let readAt = -Infinity

  return async () => {
    if (report && performance.now() - readAt < cacheMs) return report
    readAt = performance.now()
    report = readAll()
    return report
  }

  async function readAll(): Promise<HealthReport> {
    const answers = await Promise.all(probes.map(({ probe }) => probe()))
    const entries = probes.map(({ check }, index) => [check.name, answers[index]])
    const ok = probes.every(({ check }, index) => check.required === false || answers[index]?.ok)
    return { ok, version, checks: Object.fromEntries(entries) }
  }
}

type Answer = { ok: boolean; [detail: string]: unknown }

// A check that hangs beyond its time is not started a second time before it ends.
function boundedProbe({ check }: HealthCheck, timeoutMs: number): () => Promise<Answer> {
  let running: Promise<Answer> | undefined
  return async () => {
    const signal = AbortSignal.timeout(timeoutMs)
    running ??= runCheck(check, signal).finally(() => {
      running = undefined
    })
    const timedOut = Promise.withResolvers<Answer>()
    const giveUp = () => {
      timedOut.resolve({ ok: false, error: `no answer within ${timeoutMs} ms` })
    }
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      return await Promise.race([running, timedOut.promise])
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }
}

async function runCheck(check: HealthCheck['check'], signal: AbortSignal): Promise<Answer> {
  const started = performance.now()
  try {
    const details = await check(signal)
    const tookMs = Math.round(performance.now() - started)
    return { ...redactFields(details ?? {}), ok: details?.['ok'] !== false, took_ms: tookMs }
  } catch (error) {
    // The message may name hosts and users; its code never does.
    return { ok: false, error: errorCode(error) }
  }
}

function errorCode(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^[A-Z0-9_]{3,40}$/.test(code) ? code : 'failed'
}
