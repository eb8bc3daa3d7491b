import type { z } from 'zod'

/**
 * A question one app asks another and may go unanswered. Anything that must happen is an event instead.
 *
 *     const createOrder = defineRequest({ subject: 'payments.order.create', responder: 'payments', … })
 */
export function defineRequest<Question, Answer>(
  request: RequestContract<Question, Answer>,
): RequestContract<Question, Answer> {
  return request
}

export type RequestContract<Question = unknown, Answer = unknown> = {
  subject: string
  responder: string
  callers: readonly string[]
  request: z.ZodType<Question>
  reply: z.ZodType<Answer>
  /** travels with the question as a deadline: the responder drops what is too late to matter */
  timeoutMs: number
}

/** Each responder adds its questions here together with the code that answers them. */
export const requests: readonly RequestContract[] = []
