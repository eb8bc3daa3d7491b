import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Problem } from './errors.ts'
import { createLogger } from './log.ts'
import { Secret } from './secret.ts'
import { runInTrace, startTrace } from './trace.ts'

function recordingLogger() {
  const written: string[] = []
  const log = createLogger({
    service: 'data-api',
    version: '1.2.3',
    level: 'trace',
    destination: { write: (line: string) => void written.push(line) },
  })
  const lines = (): Record<string, unknown>[] => written.map((line) => JSON.parse(line))
  return { log, written, lines }
}

const deceiving =
  // oxlint-disable-next-line eslint/no-control-regex -- control characters are what is looked for
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/

const canary = 'CANARYc4n4ryCANARY'

describe('no secret is ever written', () => {
  const places: Record<string, Record<string, unknown>> = {
    authorization: { authorization: canary },
    'headers of any case': {
      headers: { Authorization: canary, Cookie: canary, 'Set-Cookie': [canary] },
    },
    'x-api-key': { 'X-Api-Key': canary },
    password: { db: { password: canary, DB_PASSWORD: canary } },
    'names that end in token or secret': { refreshToken: canary, client_secret: canary },
    'a token under any name': { note: `td_${canary}`, other: `tda_${canary}` },
    'a bearer header in a text': { note: `sent Authorization: Bearer ${canary}` },
    'the password of a URL': { url: `postgres://app:${canary}@db/x` },
    'a password with a slash in a URL': { url: `postgres://app:a/${canary}@db/x` },
    'the token of a NATS URL': { url: `nats://${canary}@localhost:4222` },
    'a URL object': { url: new URL(`https://u:${canary}@host/`) },
    'a query': { path: `/x?token=${canary}&api_key=${canary}` },
    'JSON in a text': { body: JSON.stringify({ password: canary, nested: { token: canary } }) },
    'a payment QR': { code_url: canary, note: `weixin://wxpay/bizpayurl?pr=${canary}` },
    'an openid': { openid: canary, payer: `o${canary.padEnd(27, 'x')}` },
    'a Secret': { key: new Secret(canary) },
    'a deep object': { a: { b: { c: { password: canary } } } },
    'an array': { list: [{ token: canary }, `Bearer ${canary}`] },
    'an object that turns itself into JSON': { odd: { toJSON: () => ({ secret: canary }) } },
    'an error': { err: new Error(`connect postgres://app:${canary}@db failed`) },
    'the cause of an error': { err: new Error('no', { cause: new Error(`td_${canary}`) }) },
    'a field of an error': {
      err: Object.assign(new Error('no'), { config: { authorization: canary } }),
    },
    'a key of an object': { [`td_${canary}`]: 1 },
    bytes: { body: Buffer.from(canary) },
  }

  test.each(Object.entries(places))('%s', (_, fields) => {
    const { log, written } = recordingLogger()
    log.info(fields, 'event')
    log.error(new Error(`Bearer ${canary}`))
    log.warn(`see postgres://app:${canary}@db`)
    log.warn('%s and %o', `td_${canary}`, fields)
    log.child(fields).info('from a child')
    log.child({}).child(fields).info({ deeper: fields }, 'from a grandchild')
    expect(written).toHaveLength(6)
    expect(written.join('')).not.toContain(canary)
  })

  test('what is not secret stays readable', () => {
    const { log, lines } = recordingLogger()
    log.info(
      { key_id: 'k1', prompt_tokens: 12, path: '/price?code=600519.SH', ratio: '3:1' },
      'served',
    )
    expect(lines()[0]).toMatchObject({
      key_id: 'k1',
      prompt_tokens: 12,
      path: '/price?code=600519.SH',
      ratio: '3:1',
      msg: 'served',
    })
  })
})

describe('a line', () => {
  test('names the service, its version, the level in words and the time', () => {
    const { log, lines } = recordingLogger()
    log.info('hello')
    expect(lines()[0]).toEqual({
      level: 'info',
      ts: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      service: 'data-api',
      version: '1.2.3',
      msg: 'hello',
    })
  })

  test('written inside a trace carries its ids', () => {
    const { log, lines } = recordingLogger()
    const trace = startTrace()
    runInTrace(trace, () => log.info('inside'))
    expect(lines()[0]).toMatchObject({ trace_id: trace.traceId, span_id: trace.spanId })
  })

  test('tells an error with its stack, its code and its whole chain of causes', () => {
    const { log, lines } = recordingLogger()
    const root = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
    log.error({
      err: new Problem('source_unavailable', { cause: new Error('query', { cause: root }) }),
    })
    expect(lines()[0]).toMatchObject({
      err: {
        type: 'Problem',
        code: 'source_unavailable',
        stack: expect.stringContaining('log.test.ts'),
        cause: { message: 'query', cause: { message: 'refused', code: 'ECONNREFUSED' } },
      },
    })
  })

  test('is bounded, whatever is logged', () => {
    const { log, written, lines } = recordingLogger()
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    log.info({
      text: 'x'.repeat(1_000_000),
      wide: Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`k${n}`, 'y'.repeat(5000)])),
      circular,
    })
    expect(written[0]?.length).toBeLessThan(40_000)
    expect(String(lines()[0]?.['text']).length).toBeLessThan(2200)
  })

  test('is one line of valid JSON without characters that deceive a terminal, for any value', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.anything(), (text, value) => {
        const { log, written } = recordingLogger()
        log.info({ text, value }, text)
        expect(written).toHaveLength(1)
        expect(written[0]).toMatch(/^[^\n]*\n$/)
        expect(written[0]).not.toMatch(deceiving)
        expect(() => JSON.parse(written[0] ?? '')).not.toThrow()
      }),
      { numRuns: 2000 },
    )
  })
})
