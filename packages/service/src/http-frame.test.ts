import { describe, expect, test } from 'vitest'
import { authorization, createPriceApp, identity } from './fixtures/price-app.ts'
import type { HealthCheck } from './health.ts'

describe('one line per request', () => {
  test('tells method, route, status, time, ids and what the handler added', async () => {
    const { app, lines } = createPriceApp()
    await app.request('/price/600519.SH', { headers: { authorization } })
    expect(lines).toEqual([
      {
        level: 'info',
        ts: expect.any(String),
        ...identity,
        trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
        span_id: expect.stringMatching(/^[0-9a-f]{16}$/),
        method: 'GET',
        route: '/price/:code',
        status: 200,
        dur_ms: expect.any(Number),
        request_id: expect.any(String),
        key_id: 'k1',
        msg: 'request',
      },
    ])
  })

  test('tells what the client was not told', async () => {
    const { app, lines } = createPriceApp()
    await app.request('/price/999999.SH', { headers: { authorization } })
    await app.request('/broken')
    await app.request('/nothing/td_abcdefgh')
    await app.request('/livez')
    expect(lines).toMatchObject([
      { code: 'unknown_code', err: { message: 'not in table instruments' } },
      {
        level: 'error',
        err: { message: 'secret table layout', stack: expect.stringContaining('price-app.ts') },
      },
      { route: 'unmatched', path: '/nothing/[secret]' },
    ])
    expect(lines).toHaveLength(3)
  })
})

describe('metrics', () => {
  test('count by route pattern, never by path, and unknown methods together', async () => {
    const { app } = createPriceApp()
    await app.request('/price/600519.SH', { headers: { authorization } })
    await app.request('/price/000001.SZ')
    await app.request('/wild/path/1')
    await app.request('/wild/path/2', { method: 'PROPFIND' })
    const answer = await app.request('/metrics')
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0.0.4/)
    const text = await answer.text()
    const count = 'twilight_http_server_request_duration_seconds_count'
    for (const labels of [
      'method="GET",route="/price/:code",status="200"',
      'method="GET",route="/price/:code",status="401"',
      'method="GET",route="unmatched",status="404"',
      'method="_OTHER",route="unmatched",status="404"',
    ]) {
      expect(text).toContain(`${count}{service="data-api",${labels}} 1\n`)
    }
    expect(text).not.toMatch(/wild|600519/)
  })

  test('show the running requests, the event loop, memory, CPU and what was built, all named twilight_', async () => {
    const text = await (await createPriceApp().app.request('/metrics')).text()
    for (const name of [
      'twilight_http_server_active_requests',
      'twilight_nodejs_eventloop_utilization_ratio',
      'twilight_nodejs_eventloop_lag_p99_seconds',
      'twilight_process_resident_memory_bytes',
      'twilight_process_cpu_seconds_total',
      'twilight_build_info',
    ]) {
      expect(text).toContain(`\n${name}{`)
    }
    const foreign = text
      .split('\n')
      .filter((line) => line && !/^(?:# (?:HELP|TYPE) )?twilight_/.test(line))
    expect(foreign).toEqual([])
  })
})

describe('the frame', () => {
  test('/healthz is 503 and names what is down; /livez does not care', async () => {
    const down: HealthCheck = {
      name: 'postgres',
      check: () => Promise.reject(new Error('at 10.0.0.1')),
    }
    const { app } = createPriceApp([down])
    const health = await app.request('/healthz')
    expect(health.status).toBe(503)
    expect(await health.json()).toEqual({
      ok: false,
      version: '1.2.3',
      checks: { postgres: { ok: false, error: 'failed' } },
    })
    const live = await app.request('/livez')
    expect([live.status, await live.text()]).toEqual([200, '{"ok":true}'])
  })

  test('/openapi.json tells every route from the schemas that check it', async () => {
    const answer = await createPriceApp().app.request('/openapi.json')
    const document: {
      openapi: string
      paths: Record<string, Record<string, object>>
    } = JSON.parse(await answer.text())
    expect(document).toMatchObject({
      openapi: '3.1.2',
      info: { title: 'data-api', version: '1.2.3' },
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
        schemas: { Claim: { type: 'object' }, Problem: { type: 'object' } },
      },
    })
    expect(document.paths['/price/{code}']?.['get']).toMatchObject({
      operationId: 'getPriceCode',
      security: [{ bearer: [] }],
      parameters: [
        {
          name: 'code',
          in: 'path',
          required: true,
          schema: { type: 'string', pattern: '^\\d{6}\\.S[HZ]$' },
        },
        { name: 'date', in: 'query', required: false },
      ],
      responses: {
        200: {
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Claim' } } },
        },
        401: { content: { 'application/problem+json': {} } },
        404: { description: expect.stringContaining('unknown_code') },
      },
    })
    expect(document.paths['/orders']?.['post']).toHaveProperty('requestBody')
    expect(JSON.stringify(document)).not.toContain('$defs')
  })

  test('/problems explains every code that a type points to', async () => {
    expect(await (await createPriceApp().app.request('/problems')).text()).toContain(
      '404 unknown_code: 未知代码 / Unknown code',
    )
  })
})
