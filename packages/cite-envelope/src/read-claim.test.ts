import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { claimSchema } from './claim.ts'
import { readCite, readClaim } from './read-claim.ts'
import { sampleClaim, sampleResult } from './test-claims.ts'

function readable(input: unknown) {
  const read = readClaim(input)
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return read
}

describe('both forms of served_by', () => {
  it('a list of upstreams', () => {
    const { claim, assumed } = readable(sampleClaim({ servedBy: ['tushare', 'tdx'] }))
    expect(claim.cite).toMatchObject({ source: 'tushare', upstreams: ['tushare', 'tdx'] })
    expect(assumed).toEqual([])
  })

  it('the name of the service, for web search', () => {
    const read = readCite(sampleResult().cite)
    expect(read).toMatchObject({
      ok: true,
      assumed: [],
      cite: {
        source: 'dashscope_web_search',
        upstreams: ['dashscope_web_search'],
        service: 'twilight-drive-backend',
      },
    })
  })
})

describe('older forms', () => {
  it.each([
    [
      'no service',
      older({}, ['service']),
      { service: 'twilight-drive-backend' },
      ['/cite/service'],
    ],
    ['no source', older({}, ['source']), { source: 'tushare' }, ['/cite/source']],
    [
      'the service as a text and a source',
      older({ served_by: 'twilight-drive-backend' }, ['service']),
      { upstreams: ['tushare'], source: 'tushare' },
      ['/cite/served_by', '/cite/service'],
    ],
    [
      'the service as a text and sources',
      older({ served_by: 'twilight-drive-backend', sources: ['tushare', 'tdx'] }, ['source']),
      { upstreams: ['tushare', 'tdx'], source: 'tushare' },
      ['/cite/served_by', '/cite/source'],
    ],
    [
      'the upstream and its table as a text',
      older({ served_by: 'yahoo:chart' }, ['source', 'table', 'service']),
      { upstreams: ['yahoo'], source: 'yahoo', table: 'chart' },
      ['/cite/served_by', '/cite/source', '/cite/table', '/cite/service'],
    ],
  ])('%s', (_what, input, cite, assumed) => {
    const read = readable(input)
    expect(read.claim.cite).toMatchObject(cite)
    expect(read.assumed).toEqual(assumed)
  })

  it('no value_text: the shortest text of the number', () => {
    const { value_text: _text, ...claim } = sampleClaim({ figure: '1850.20' })
    expect(readable(claim)).toMatchObject({
      claim: { value: 1850.2, value_text: '1850.2' },
      assumed: ['/value_text'],
    })
  })

  it('a cross_check beside the cite instead of in it', () => {
    const cross_check = { tushare_close: 1466, tdx_close: 1466, diff_pct: 0, agreement: true }
    const read = readable({ ...sampleClaim(), cross_check })
    expect(read.claim.cite.cross_check).toEqual(cross_check)
    expect(read.assumed).toEqual(['/cite/cross_check'])
  })
})

function older(cite: Record<string, unknown>, without: string[] = []) {
  const claim = sampleClaim()
  const kept = Object.entries({ ...claim.cite, ...cite }).filter(([key]) => !without.includes(key))
  return { ...claim, cite: Object.fromEntries(kept) }
}

describe('what it cannot read', () => {
  const claim = sampleClaim()
  it.each([
    ['null', null, [{ code: 'not_an_object', pointer: '' }]],
    ['a list', [claim], [{ code: 'not_an_object', pointer: '' }]],
    ['a text', 'close 1466', [{ code: 'not_an_object', pointer: '' }]],
    ['no cite', { ...claim, cite: undefined }, [{ code: 'missing', pointer: '/cite' }]],
    ['no unit', { ...claim, unit: undefined }, [{ code: 'missing', pointer: '/unit' }]],
    ['another unit', { ...claim, unit: 'RMB' }, [{ code: 'invalid', pointer: '/unit' }]],
    [
      'a date where a number belongs',
      { ...claim, value_text: '2026-11-19' },
      [{ code: 'invalid', pointer: '/value_text' }],
    ],
    [
      'no upstream at all',
      { ...claim, cite: { ...claim.cite, served_by: undefined, source: undefined } },
      [
        { code: 'missing', pointer: '/cite/source' },
        { code: 'missing', pointer: '/cite/served_by' },
      ],
    ],
    [
      'a nameless upstream',
      { ...claim, cite: { ...claim.cite, served_by: ['tushare', ''] } },
      [{ code: 'invalid', pointer: '/cite/served_by/1' }],
    ],
  ])('%s is a typed problem at its place', (_what, input, problems) => {
    expect(readClaim(input)).toEqual({ ok: false, problems })
  })

  it('random JSON and anything else never makes it throw', () => {
    const isTotal = fc.property(fc.oneof(fc.jsonValue(), fc.anything()), (input) => {
      readCite(input)
      readClaim({ ...claim, cite: input })
      return !readClaim(input).ok
    })
    expect(() => fc.assert(isTotal, { numRuns: 2000 })).not.toThrow()
  })

  it('a claim with one field replaced by anything is read or refused, never half read', () => {
    const places = fc.constantFrom(...Object.keys(claim), ...Object.keys(claim.cite))
    const isWhole = fc.property(places, fc.anything(), (field, value) => {
      const changed = Object.hasOwn(claim, field)
        ? { ...claim, [field]: value }
        : { ...claim, cite: { ...claim.cite, [field]: value } }
      const read = readClaim(changed)
      if (!read.ok) return read.problems.length > 0
      const { upstreams, table = 'daily', ...cite } = read.claim.cite
      const rewritten = { ...read.claim, cite: { ...cite, table, served_by: upstreams } }
      return claimSchema.safeParse(rewritten).success
    })
    expect(() => fc.assert(isWhole, { numRuns: 2000 })).not.toThrow()
  })
})

it('drops unknown fields and changes nothing else', () => {
  const claim = sampleClaim({ period: '20251231', adjust: 'none', knownAt: '20260401' })
  const { claim: read } = readable({ ...claim, extra: 1, cite: { ...claim.cite, extra: 2 } })
  const { served_by, ...cite } = claim.cite
  expect(read).toEqual({ ...claim, cite: { ...cite, upstreams: served_by } })
})

it('a __proto__ or constructor in JSON reaches nothing', () => {
  const text = JSON.stringify(sampleClaim())
    .replace('{', '{"__proto__":{"stale":true,"unit":"USD"},"constructor":{"prototype":{"a":1}},')
    .replace('"cite":{', '"cite":{"__proto__":{"source":"forged"},')
  const { claim } = readable(JSON.parse(text))
  expect(claim.stale).toBeUndefined()
  expect(claim).toMatchObject({ unit: 'CNY', cite: { source: 'tushare' } })
  expect(Reflect.get({}, 'a')).toBeUndefined()
  const inherited: unknown = JSON.parse('{"__proto__":' + JSON.stringify(sampleClaim()) + '}')
  expect(readClaim(inherited).ok).toBe(false)
})
