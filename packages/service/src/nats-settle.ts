import { setTimeout as sleep } from 'node:timers/promises'
import type { JsMsg } from '@nats-io/jetstream'
import { UnreadableEventError } from '@twilight/contracts/envelope'
import type { ConsumerContract } from '@twilight/contracts/streams'
import { type DeadLetterClass, recordDeadLetter } from './dead-letters-record.ts'
import type { BusCore } from './nats.ts'
import { classifyPostgresError } from './postgres-errors.ts'

/** Thrown by a handler: no further try will help, so make it a dead letter now. */
export class PermanentError extends Error {
  override readonly name = 'PermanentError'
}

/** What a message comes to. */
export type Verdict =
  | { outcome: 'done' }
  /** the database is away: nothing is wrong with the message, so this is no try */
  | { outcome: 'outage'; error: unknown }
  | { outcome: 'again'; error: unknown; delayMs: number }
  | { outcome: 'dead'; error: unknown; errorClass: DeadLetterClass }

/** What to do with a message whose handler threw. */
export function judge(error: unknown, consumer: ConsumerContract, deliveries: number): Verdict {
  if (error instanceof UnreadableEventError)
    return { outcome: 'dead', error, errorClass: 'unreadable' }
  if (error instanceof PermanentError) return { outcome: 'dead', error, errorClass: 'permanent' }
  if (isOutage(error)) return { outcome: 'outage', error }
  const backoffMs = consumer.backoffMs[deliveries - 1]
  if (backoffMs === undefined) return { outcome: 'dead', error, errorClass: 'exhausted' }
  return { outcome: 'again', error, delayMs: Math.round(backoffMs * (0.75 + Math.random() / 2)) }
}

/**
 * Tells the server. A dead letter is stored before its original is given up; if that fails the message
 * is handed back, and after its last delivery the server's own advisory still lists it.
 */
export async function settle(
  core: BusCore,
  consumer: ConsumerContract,
  message: JsMsg,
  verdict: Verdict,
): Promise<void> {
  switch (verdict.outcome) {
    case 'done':
      // Confirmed: a lost ack would be a second delivery.
      await message.ackAck()
      return
    case 'again':
      message.nak(verdict.delayMs)
      return
    case 'outage':
      message.nak()
      return
    case 'dead':
      for (let attempt = 1; ; attempt += 1) {
        try {
          const letter = {
            message,
            consumer: consumer.name,
            errorClass: verdict.errorClass,
            error: verdict.error,
          }
          await recordDeadLetter(core.connection.current(), letter)
          break
        } catch (error) {
          if (attempt === 3) {
            message.nak(5000)
            throw error
          }
          await sleep(500 * attempt)
        }
      }
      // Without a reason: servers before 2.10.4 would not understand one.
      message.term()
  }
}

function isOutage(error: unknown): boolean {
  for (
    let cause = error, depth = 0;
    cause instanceof Error && depth < 5;
    cause = cause.cause, depth += 1
  ) {
    if (classifyPostgresError(cause) === 'unavailable') return true
  }
  return false
}
