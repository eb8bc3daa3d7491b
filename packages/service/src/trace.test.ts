import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  childTrace,
  continueTrace,
  currentTrace,
  formatTraceparent,
  parseTraceparent,
  parseTracestate,
  runInTrace,
  startTrace,
} from './trace.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const spanId = '00f067aa0ba902b7'
const good = `00-${traceId}-${spanId}-01`

describe('traceparent', () => {
  test('a well-formed one is read and written back unchanged', () => {
    const context = parseTraceparent(good)
    expect(context).toEqual({ traceId, spanId, flags: 1 })
    expect(context && formatTraceparent(context)).toBe(good)
    expect(parseTraceparent(` ${good}\t`)).toEqual(context)
  })

  test.each([
    ['two headers, joined', `${good}, ${good}`],
    ['two headers of a later version', `01-${traceId}-${spanId}-01-x, ${good}`],
    ['upper case', good.toUpperCase()],
    ['version ff', good.replace('00-', 'ff-')],
    ['a suffix on version 00', `${good}-what`],
    ['a zero trace id', `00-${'0'.repeat(32)}-${spanId}-01`],
    ['a zero span id', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['a short trace id', `00-${traceId.slice(1)}-${spanId}-01`],
    ['an odd flag', `00-${traceId}-${spanId}-1`],
    ['a later version with junk behind it', `01-${traceId}-${spanId}-01x`],
    ['nothing', ''],
  ])('%s is ignored', (_, text) => {
    expect(parseTraceparent(text)).toBeUndefined()
  })

  test('a later version is read as version 00, with or without more fields', () => {
    const context = { traceId, spanId, flags: 1 }
    expect(parseTraceparent(`cc-${traceId}-${spanId}-ff`)).toEqual(context)
    expect(parseTraceparent(`cc-${traceId}-${spanId}-01-what-the-future-brings`)).toEqual(context)
  })

  test('flags we do not know are not passed on', () => {
    expect(parseTraceparent(`00-${traceId}-${spanId}-ff`)?.flags).toBe(3)
  })

  test('any text is read or ignored, never thrown at', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(() => [parseTraceparent(text), parseTracestate(text)]).not.toThrow()
      }),
    )
  })

  test('every trace we start is well-formed, and its children stay in it with a span of their own', () => {
    for (let n = 0; n < 1000; n += 1) {
      const parent = startTrace()
      expect(parseTraceparent(formatTraceparent(parent))).toEqual(parent)
      const child = childTrace(parent)
      expect(child.traceId).toBe(parent.traceId)
      expect(child.spanId).not.toBe(parent.spanId)
      expect(parseTraceparent(formatTraceparent(child))).toEqual(child)
    }
  })
})

describe('tracestate', () => {
  test('is passed on in order, with its odd spaces removed', () => {
    expect(parseTracestate('rojo=00f067,, congo@sys=t61rc ')).toBe('rojo=00f067,congo@sys=t61rc')
  })

  test.each([
    ['a key without a value', 'rojo'],
    ['an upper-case key', 'Rojo=1'],
    ['the same key twice', 'a=1,a=2'],
    ['33 members', Array.from({ length: 33 }, (_, n) => `k${n}=1`).join(',')],
    ['more than 512 characters', `a=${'x'.repeat(520)}`],
    ['a control character', 'a=\u0007'],
  ])('with %s is dropped whole', (_, text) => {
    expect(parseTracestate(text)).toBeUndefined()
  })

  test('never travels without the traceparent it belongs to', () => {
    expect(continueTrace('junk', 'rojo=1')).not.toHaveProperty('state')
    expect(continueTrace(good, 'rojo=1')).toMatchObject({ traceId, state: 'rojo=1' })
  })
})

test('the current trace follows the work across awaits and does not leak into other work', async () => {
  const [one, two] = [startTrace(), startTrace()]
  const seen = await Promise.all(
    [one, two].map((context) =>
      runInTrace(context, async () => {
        await new Promise((resolve) => setImmediate(resolve))
        return currentTrace()
      }),
    ),
  )
  expect(seen).toEqual([one, two])
  expect(currentTrace()).toBeUndefined()
})
