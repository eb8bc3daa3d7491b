import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { authorization, createPriceApp } from './fixtures/price-app.ts'

test('whatever is asked, no 5xx, problems as problems, and always a request id', async () => {
  const { app } = createPriceApp()
  const known = fc.constantFrom(
    '/price/600519.SH',
    '/orders',
    '/webhook',
    '/livez',
    '/healthz',
    '/trace',
    '/openapi.json',
  )
  const wild = fc.string({ unit: 'binary', maxLength: 60 })
  const piece = fc.oneof(
    wild.map((text) => encodeURIComponent(text.toWellFormed())),
    fc.constantFrom('..', '%00', '%ff', '%', '__proto__', '//', '\\'),
  )
  const path = fc.oneof(
    known,
    fc.array(piece, { maxLength: 5 }).map((pieces) => `/${pieces.join('/')}`),
  )
  const query = fc
    .array(fc.tuple(piece, piece), { maxLength: 4 })
    .map((pairs) => pairs.map(([k, v]) => `${k}=${v}`).join('&'))
  const headerText = fc.string({ maxLength: 40 })
  const headers = fc.record(
    {
      authorization: fc.oneof(headerText, fc.constant(authorization)),
      'content-type': fc.oneof(headerText, fc.constant('application/json')),
      'content-length': headerText,
      'x-request-id': headerText,
      traceparent: headerText,
      tracestate: headerText,
      cookie: headerText,
    },
    { requiredKeys: [] },
  )
  const method = fc.constantFrom(
    'GET',
    'HEAD',
    'POST',
    'PUT',
    'DELETE',
    'OPTIONS',
    'PATCH',
    'PROPFIND',
  )
  const body = fc.oneof(wild, fc.json(), fc.constant('{"sku":"x"}'))

  await fc.assert(
    fc.asyncProperty(
      path,
      query,
      headers,
      method,
      body,
      async (target, search, given, verb, content) => {
        const hasBody = verb !== 'GET' && verb !== 'HEAD'
        const request = new Request(`http://localhost${target}?${search}`, {
          method: verb,
          headers: given,
          ...(hasBody && { body: content.toWellFormed() }),
        })
        const answer = await app.fetch(request)
        const failed = answer.status >= 400
        const text = await answer.text()
        expect(answer.status).toBeLessThan(500)
        expect(answer.headers.get('x-request-id')).toMatch(/^[\w.=-]{8,64}$/)
        expect(answer.headers.get('content-type') === 'application/problem+json').toBe(failed)
        const problem: { status?: number } = failed && verb !== 'HEAD' ? JSON.parse(text) : {}
        expect(problem.status ?? answer.status).toBe(answer.status)
      },
    ),
    { numRuns: 4000 },
  )
})
