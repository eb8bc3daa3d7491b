import { describe, expect, test } from 'vitest'
import { authorization, createPriceApp } from './fixtures/price-app.ts'
import { route } from './route.ts'

const json = (body: string, headers: Record<string, string> = {}) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body,
})

describe('a route', () => {
  test('answers what its schema promises', async () => {
    const answer = await createPriceApp().app.request('/price/600519.SH?date=2026-11-19', {
      headers: { authorization },
    })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ code: '600519.SH', value: 1466 })
  })

  const refusals: [what: string, path: string, init: RequestInit, status: number, code: string][] =
    [
      ['no key', '/price/600519.SH', {}, 401, 'missing_credentials'],
      [
        'a wrong key',
        '/price/600519.SH',
        { headers: { authorization: 'Bearer td_wrong' } },
        401,
        'invalid_token',
      ],
      ['an unknown code', '/price/999999.SH', { headers: { authorization } }, 404, 'unknown_code'],
      [
        'a code that cannot be',
        '/price/..%2f..%2fetc',
        { headers: { authorization } },
        400,
        'invalid_parameter',
      ],
      [
        'a misspelt parameter',
        '/price/600519.SH?dat=1',
        { headers: { authorization } },
        400,
        'invalid_parameter',
      ],
      [
        'a parameter given twice',
        '/price/600519.SH?date=2026-11-19&date=2026-11-18',
        { headers: { authorization } },
        400,
        'invalid_parameter',
      ],
      [
        '__proto__ as a parameter',
        '/price/600519.SH?__proto__=1&constructor=2',
        { headers: { authorization } },
        400,
        'invalid_parameter',
      ],
      [
        'broken percent-encoding',
        '/price/%ff',
        { headers: { authorization } },
        400,
        'malformed_request',
      ],
      ['a path nobody serves', '/nothing', {}, 404, 'not_found'],
      ['another method', '/orders', { method: 'DELETE' }, 405, 'method_not_allowed'],
      [
        'no media type',
        '/orders',
        { method: 'POST', body: new Uint8Array([1]) },
        415,
        'unsupported_media_type',
      ],
      [
        'a form',
        '/orders',
        { method: 'POST', body: new URLSearchParams({ sku: 'x' }) },
        415,
        'unsupported_media_type',
      ],
      ['an empty body', '/orders', json(''), 400, 'malformed_json'],
      ['half a body', '/orders', json('{"sku":'), 400, 'malformed_json'],
      ['a body of another shape', '/orders', json('{"sku":1}'), 400, 'invalid_parameter'],
      [
        'a body of 8 KiB and one byte',
        '/orders',
        json(`"${'x'.repeat(8191)}"`),
        413,
        'payload_too_large',
      ],
      ['an error nobody expected', '/broken', {}, 500, 'internal'],
      ['a thrown text', '/odd', {}, 500, 'internal'],
    ]

  test.each(refusals)('answers %s with a problem', async (_, path, init, status, code) => {
    const { app, lines } = createPriceApp()
    const answer = await app.request(path, init)
    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    const body: Record<string, unknown> = JSON.parse(await answer.text())
    expect(body).toMatchObject({ status, code, type: `/problems#${code}` })
    expect(body['request_id']).toBe(answer.headers.get('x-request-id'))
    expect(answer.headers.get('traceparent')).toContain(String(body['trace_id']))
    expect(answer.headers.get('www-authenticate') !== null).toBe(status === 401)
    expect(JSON.stringify(body)).not.toMatch(/secret|instruments|just a text/)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({
      msg: 'request',
      status,
      level: status === 500 ? 'error' : 'info',
    })
  })

  test('names the field that is wrong', async () => {
    const answer = await createPriceApp().app.request('/orders', json('{"sku":1}'))
    expect(await answer.json()).toMatchObject({ errors: [{ pointer: '#/sku' }] })
  })

  test('keeps a prototype out of a body', async () => {
    const answer = await createPriceApp().app.request(
      '/orders',
      json('{"sku":"x","__proto__":{"admin":true}}'),
    )
    expect(await answer.json()).toEqual({ sku: 'x' })
    expect({}).not.toHaveProperty('admin')
  })

  test('may raise its body limit', async () => {
    const { app } = createPriceApp()
    const send = (size: number) =>
      app.request('/webhook', { method: 'POST', body: Buffer.alloc(size) })
    expect(await (await send(64 * 1024)).json()).toEqual({ bytes: 64 * 1024 })
    expect((await send(64 * 1024 + 1)).status).toBe(413)
  })

  test('with path parameters and no schema for them is refused when it is made', () => {
    expect(() => route('GET', '/file/:name', { summary: 'x' }, (_, c) => c.text(''))).toThrow(
      /params schema/,
    )
  })

  test('HEAD answers like GET without a body, OPTIONS and 405 name the methods', async () => {
    const { app } = createPriceApp()
    const head = await app.request('/livez', { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    const options = await app.request('/price/600519.SH', { method: 'OPTIONS' })
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS'])
    const refused = await app.request('/orders', { method: 'PUT' })
    expect(refused.headers.get('allow')).toBe('OPTIONS, POST')
  })
})

describe('every answer', () => {
  test('carries the security headers and a request id; a harmless one from outside is kept', async () => {
    const { app } = createPriceApp()
    for (const path of ['/livez', '/nothing', '/broken', '/price/x']) {
      const { headers } = await app.request(path, { headers: { 'x-request-id': 'edge-12345678' } })
      expect(headers.get('x-request-id')).toBe('edge-12345678')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    }
    for (const wild of ['short', 'x'.repeat(65), 'a b c d e f', '<script>1</script>']) {
      const { headers } = await app.request('/livez', { headers: { 'x-request-id': wild } })
      expect(headers.get('x-request-id')).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      )
    }
  })

  test('belongs to the trace of the caller', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
    const traceparent = `00-${traceId}-00f067aa0ba902b7-01`
    const answer = await createPriceApp().app.request('/trace', {
      headers: { traceparent, tracestate: 'rojo=1' },
    })
    const trace: { traceId: string; spanId: string; state: string } = JSON.parse(
      await answer.text(),
    )
    expect(trace).toMatchObject({ traceId, state: 'rojo=1' })
    expect(answer.headers.get('traceparent')).toBe(`00-${traceId}-${trace.spanId}-01`)
  })
})
