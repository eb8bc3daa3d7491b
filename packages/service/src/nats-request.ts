import { type Msg, RequestError, type Subscription, TimeoutError } from '@nats-io/transport-node'
import type { RequestContract } from '@twilight/contracts/requests'
import { invalidInput, Problem, type ProblemBody, toProblemBody } from './errors.ts'
import type { BusCore } from './nats.ts'
import { incomingTrace, outgoingHeaders } from './nats-headers.ts'
import { currentTrace, runInTrace } from './trace.ts'

/**
 * Asks and waits for the answer, no longer than the contract says. Never throws for what the network
 * or the other side did:
 *
 *     const answer = await bus.request(createOrder, { plan: 'pro' })
 *     if (!answer.ok) return answer.error === 'problem' ? answer.problem : retryLater()
 */
export async function ask<Question, Answer>(
  core: BusCore,
  contract: RequestContract<Question, Answer>,
  question: Question,
  options: { timeoutMs?: number } = {},
): Promise<Reply<Answer>> {
  const startedAt = performance.now()
  const body = JSON.stringify(contract.request.parse(question))
  const timeoutMs = options.timeoutMs ?? contract.timeoutMs
  const reply = await exchange(core, contract, body, timeoutMs)
  core.meter.count(contract.subject, 'request', reply.ok ? 'ok' : reply.error, startedAt)
  return reply
}

export type Reply<Answer> =
  | { ok: true; data: Answer }
  /** nobody answers this question now · too late · no bus · an answer we cannot read */
  | { ok: false; error: 'no_responder' | 'timeout' | 'disconnected' | 'invalid_reply' }
  /** the responder's own refusal, as HTTP would have told it */
  | {
      ok: false
      error: 'problem'
      problem: Pick<ProblemBody, 'code' | 'status' | 'title'> & Partial<ProblemBody>
    }

/**
 * Answers a question, together with the other copies of this app. What comes too late, too fast or in the
 * wrong shape is refused without troubling the handler.
 */
export function answer<Question, Answer>(
  core: BusCore,
  contract: RequestContract<Question, Answer>,
  handler: (question: Question, context: { signal: AbortSignal }) => Promise<Answer>,
  options: { concurrency?: number } = {},
): AsyncDisposable {
  const running = new Set<Promise<void>>()
  const finish = (work: Promise<void>) => void work.finally(() => running.delete(work))
  const stopping = new AbortController()
  let subscription: Subscription | undefined

  const handle = async (message: Msg): Promise<void> => {
    const startedAt = performance.now()
    const deadline = Number(message.headers?.get(deadlineHeader) || Date.now() + contract.timeoutMs)
    // Whoever asked has stopped waiting.
    if (!(deadline > Date.now()))
      return core.meter.count(contract.subject, 'reply', 'expired', startedAt)
    const tooLate = AbortSignal.timeout(deadline - Date.now())
    const signal = AbortSignal.any([stopping.signal, tooLate])
    let outcome = 'ok'
    try {
      const result = await handler(readQuestion(contract, message), { signal })
      const reply = JSON.stringify(contract.reply.parse(result))
      // An answer at the deadline would reach some who ask and not others.
      if (tooLate.aborted) outcome = 'expired'
      else message.respond(reply, { headers: outgoingHeaders() })
    } catch (error) {
      outcome = refuse(message, error)
      const level = outcome === 'internal' ? 'error' : 'info'
      core.log[level]({ err: error, subject: contract.subject, code: outcome }, 'request refused')
    }
    core.meter.count(contract.subject, 'reply', outcome, startedAt)
    core.log.info(
      { subject: contract.subject, outcome, dur_ms: performance.now() - startedAt },
      'request',
    )
  }

  core.connection.onceConnected(({ nc }) => {
    if (stopping.signal.aborted) return
    subscription = nc.subscribe(contract.subject, {
      queue: contract.responder,
      callback: (error, message) => {
        if (error)
          return core.log.error(
            { err: error, subject: contract.subject },
            'not allowed to answer this',
          )
        if (running.size >= (options.concurrency ?? 32)) {
          core.meter.count(contract.subject, 'reply', 'overloaded')
          refuse(message, new Problem('service_unavailable', { retryAfterSeconds: 1 }))
          return
        }
        const work = runInTrace(incomingTrace(message.headers), () => handle(message))
        running.add(work)
        finish(work)
      },
    })
  })

  return {
    [Symbol.asyncDispose]: async () => {
      subscription?.unsubscribe()
      // Each ends by its own deadline at the latest; the signal asks them to hurry.
      stopping.abort()
      await Promise.all(running)
    },
  }
}

const deadlineHeader = 'Td-Deadline'
const codeHeader = 'Nats-Service-Error-Code'
const textHeader = 'Nats-Service-Error'

async function exchange<Question, Answer>(
  core: BusCore,
  contract: RequestContract<Question, Answer>,
  body: string,
  timeoutMs: number,
): Promise<Reply<Answer>> {
  let message: Msg
  try {
    message = await core.connection.current().nc.request(contract.subject, body, {
      timeout: timeoutMs,
      headers: outgoingHeaders({ [deadlineHeader]: String(Date.now() + timeoutMs) }),
    })
  } catch (error) {
    if (error instanceof RequestError && error.isNoResponders())
      return { ok: false, error: 'no_responder' }
    if (error instanceof TimeoutError) return { ok: false, error: 'timeout' }
    core.log.warn({ err: error, subject: contract.subject }, 'request not sent')
    return { ok: false, error: 'disconnected' }
  }
  const content = readJson(message.data)
  if (message.headers?.get(codeHeader))
    return { ok: false, error: 'problem', problem: readProblem(message, content) }
  const parsed = contract.reply.safeParse(content)
  if (parsed.success) return { ok: true, data: parsed.data }
  core.log.error(
    { err: parsed.error, subject: contract.subject },
    'the reply does not fit its contract',
  )
  return { ok: false, error: 'invalid_reply' }
}

function readQuestion<Question>(contract: RequestContract<Question>, message: Msg): Question {
  const parsed = contract.request.safeParse(readJson(message.data))
  if (parsed.success) return parsed.data
  throw invalidInput(parsed.error, 'body')
}

/** The problem as HTTP would tell it, and in headers for the tools that know the micro convention. */
function refuse(message: Msg, error: unknown): string {
  const body = toProblemBody(error, { requestId: currentTrace()?.traceId ?? 'none' })
  message.respond(JSON.stringify(body), {
    headers: outgoingHeaders({ [codeHeader]: String(body.status), [textHeader]: body.code }),
  })
  return body.code
}

function readProblem(
  message: Msg,
  content: unknown,
): Extract<Reply<never>, { error: 'problem' }>['problem'] {
  const body = isProblemBody(content) ? content : undefined
  return body ?? { code: 'internal', status: 500, title: message.headers?.get(textHeader) ?? '' }
}

function isProblemBody(content: unknown): content is ProblemBody {
  return (
    typeof content === 'object' &&
    content !== null &&
    'code' in content &&
    'status' in content &&
    'title' in content
  )
}

function readJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data))
  } catch {
    // The schema then says what is wrong with it.
    return undefined
  }
}
