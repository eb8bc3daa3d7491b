import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Problem, invalidInput, toProblemBody, toProblemResponse } from './errors.ts'
import type { ProblemBody } from './errors.ts'
import { problemCodes } from './problem-codes.ts'
import type { ProblemCode } from './problem-codes.ts'
import { runInTrace, startTrace } from './trace.ts'

const context = { requestId: 'req-1' }
const isCode = (name: string): name is ProblemCode => name in problemCodes
const codes = Object.keys(problemCodes).filter(isCode)

const challenge = (code: ProblemCode) =>
  toProblemResponse(new Problem(code), context).headers.get('www-authenticate')

describe('the answer to an error', () => {
  test.each(codes)(
    '%s has its status, a code, a title in both languages and a place in the docs',
    async (code) => {
      const answer = toProblemResponse(new Problem(code, { detail: 'Because.' }), context)
      expect(answer.headers.get('content-type')).toBe('application/problem+json')
      const { status, en, zh } = problemCodes[code]
      expect(answer.status).toBe(status)
      expect(await answer.json()).toEqual({
        type: `/problems#${code}`,
        title: en,
        title_zh: zh,
        status,
        code,
        detail: 'Because.',
        request_id: 'req-1',
      })
    },
  )

  test('an unknown error is internal and tells nothing of itself', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 6, unit: 'grapheme-ascii' }), (canary) => {
        const secret = `canary-${canary}`
        for (const thrown of [
          new Error(secret),
          secret,
          { secret },
          new Error('x', { cause: new Error(secret) }),
        ]) {
          const answer = toProblemBody(thrown, context)
          expect(answer).toMatchObject({ status: 500, code: 'internal' })
          expect(JSON.stringify(answer)).not.toContain('canary-')
        }
      }),
    )
  })

  test('the internal text and the cause stay inside, the extensions go out', async () => {
    const problem = new Problem('plan_required', {
      detail: 'This needs Pro.',
      detailZh: '需要专业版。',
      internal: 'user 42 on plan free',
      cause: new Error('select * from users'),
      extensions: { current_plan: 'free', status: 200 },
    })
    const text = await toProblemResponse(problem, context).text()
    expect(JSON.parse(text)).toMatchObject({
      status: 403,
      current_plan: 'free',
      detail_zh: '需要专业版。',
    })
    expect(text).not.toMatch(/42|select/)
    expect(problem.message).toBe('user 42 on plan free')
    expect(problem.cause).toBeInstanceOf(Error)
  })

  test('a 401 always carries its challenge, with an error only when a key was given', () => {
    expect(challenge('missing_credentials')).toBe('Bearer realm="twilight"')
    expect(challenge('invalid_token')).toBe('Bearer realm="twilight", error="invalid_token"')
    expect(challenge('key_revoked')).toBe('Bearer realm="twilight", error="invalid_token"')
    expect(challenge('forbidden')).toBeNull()
  })

  test('Retry-After is whole seconds, rounded up', () => {
    const answer = toProblemResponse(
      new Problem('rate_limited', { retryAfterSeconds: 16.2 }),
      context,
    )
    expect(answer.headers.get('retry-after')).toBe('17')
  })

  test('inside a trace it names the trace', () => {
    const trace = startTrace()
    const body = runInTrace(trace, () => toProblemBody(new Problem('conflict'), context))
    expect(body.trace_id).toBe(trace.traceId)
  })
})

describe('invalid input', () => {
  const schema = z.strictObject({
    code: z.string().regex(/^\d{6}\.S[HZ]$/),
    tags: z.array(z.object({ 'a/b~c': z.number() })),
  })
  const faults = (value: unknown, place: 'query' | 'body'): ProblemBody => {
    const { error } = schema.safeParse(value)
    if (!error) throw new Error('expected invalid input')
    return toProblemBody(invalidInput(error, place), context)
  }

  test('names every field of a body by its pointer, unknown ones too', () => {
    const body = faults({ code: 'x', tags: [{ 'a/b~c': 'no' }], odd: 1 }, 'body')
    expect(body).toMatchObject({ status: 400, code: 'invalid_parameter' })
    expect(body.errors?.map(({ pointer }) => pointer)).toEqual([
      '#/code',
      '#/tags/0/a~1b~0c',
      '#/odd',
    ])
  })

  test('names parameters of a query, and at most twenty', () => {
    expect(faults({ tags: [] }, 'query').errors).toMatchObject([{ parameter: 'code', in: 'query' }])
    const many = faults({ code: 'x', tags: Array.from({ length: 500 }, () => ({})) }, 'body')
    expect(many.errors).toHaveLength(20)
    expect(many.detail?.length).toBeLessThanOrEqual(300)
  })
})
