import { describeInstrument, knownIndices } from './instrument.ts'
import type { Bilingual, Instrument } from './instrument.ts'
import { exchangeOf, meaningOn } from './mainland-ranges.ts'
import type { Exchange } from './mainland-ranges.ts'

export type CodeReading =
  | {
      ok: true
      instrument: Instrument
      /** false: the text leaves the market open (`600519`, `AAPL`) and this is the usual reading */
      explicit: boolean
      /** how the text was understood, when it is not the canonical code itself */
      note?: Bilingual
      /** what else the same number is */
      alternatives?: Instrument[]
    }
  | {
      ok: false
      /** `no_such_code`: well formed, but no market issues such a number; `unknown_form`: not a code at all, perhaps a name */
      reason: 'unknown_form' | 'no_such_code' | 'ambiguous' | 'not_covered'
      message: Bilingual
      candidates?: Instrument[]
    }

export type CodeOptions = {
  /** bse_mapping: old Beijing code to new one, `838163.BJ` -> `920163.BJ` */
  beijingCodes?: ReadonlyMap<string, string>
}

/**
 * Reads any form people and other systems write a code in. It knows the numbering rules, not which
 * codes exist: look the result up. Never throws, whatever it is given.
 *
 *     parseInstrumentCode('sh600519') // { ok: true, instrument: { code: '600519.SH', kind: 'stock' }, … }
 *     parseInstrumentCode('700') // { ok: false, reason: 'ambiguous', candidates: [00700.HK, 000700.SZ] }
 */
export function parseInstrumentCode(input: unknown, options: CodeOptions = {}): CodeReading {
  if (typeof input !== 'string' || input.length > maxLength) return unknownForm()
  const text = normalize(input)
  if (text === '' || text.length > maxLength) return unknownForm()
  const reading = readForms(text, options)
  if (!reading.ok || reading.note !== undefined || input === reading.instrument.code) return reading
  const { zh, en } = describeInstrument(reading.instrument)
  return { ...reading, note: { zh: `按${zh} 理解`, en: `Read as ${en}` } }
}

// The longest real form, NASDAQ:GOOGL, has 12; names come here too before they are looked up.
const maxLength = 40

function normalize(input: string): string {
  // Zero-width characters come along when a code is copied from a chat.
  return input
    .replaceAll(/[\u200b-\u200d\u2060\ufeff]/g, '')
    .normalize('NFKC')
    .trim()
    .toUpperCase()
}

function readForms(text: string, options: CodeOptions): CodeReading {
  const index = knownIndices.find(({ names }) => names.includes(text))
  if (index) return accept({ code: index.code, kind: 'index' }, true)

  const mainland = readMainlandForm(text)
  if (mainland) return readNumber(mainland.exchange, mainland.digits, options)
  const other = /^(\d{6}|[89H]\d{5})\.(SI|CSI)$/.exec(text)
  if (other) return accept({ code: text, kind: 'index' }, true)
  const secid = /^0\.(\d{6})$/.exec(text)?.[1]
  // East Money files Beijing under the same market number as Shenzhen.
  if (secid) return readNumber(meaningOn('SZ', secid) === undefined ? 'BJ' : 'SZ', secid, options)

  const hongKong =
    /^(\d{1,5})\.HK$/.exec(text) ?? /^(?:HK[.:]?|HKEX:|116\.|港股[ :]?)(\d{1,5})$/.exec(text)
  if (hongKong?.[1]) return readHongKong(hongKong[1], true)
  const us =
    /^([A-Z]{1,6}(?:[./-][A-Z])?)\.US$/.exec(text) ??
    /^(?:(?:NASDAQ|NYSE|AMEX|NYSEAMERICAN|US)[:.]|10[567]\.|美股[ :]?)([A-Z]{1,6}(?:[./_-][A-Z])?)$/.exec(
      text,
    )
  if (us?.[1]) return readUs(us[1], true)

  if (/^\d{6}$/.test(text)) return readBareNumber(text, options)
  if (/^\d{5}$/.test(text)) return readHongKong(text, false)
  if (/^\d{1,4}$/.test(text)) return askWhichMarket(text)
  // A class letter shows that it is no pinyin: BRK.B.
  if (/^[A-Z]{1,5}[./-][A-Z]$/.test(text)) return readUs(text, true)
  if (/^[A-Z]{1,6}$/.test(text)) return readUs(text, false)
  return unknownForm()
}

function readMainlandForm(text: string): { exchange: Exchange; digits: string } | undefined {
  const suffixed = /^(\d{6})\.(SH|SS|XSHG|SZ|XSHE|BJ|SSE|SZSE|BSE)$/.exec(text)
  if (suffixed?.[1] && suffixed[2])
    return { exchange: exchangeNames[suffixed[2]] ?? 'SH', digits: suffixed[1] }
  const prefixed = /^(SHSE|SZSE|SSE|BSE|SH|SZ|BJ)[.:]?(\d{6})$/.exec(text)
  if (prefixed?.[1] && prefixed[2])
    return { exchange: exchangeNames[prefixed[1]] ?? 'SH', digits: prefixed[2] }
  const secid = /^1\.(\d{6})$/.exec(text)?.[1]
  return secid === undefined ? undefined : { exchange: 'SH', digits: secid }
}

const exchangeNames: Record<string, Exchange> = {
  SH: 'SH',
  SS: 'SH',
  SSE: 'SH',
  SHSE: 'SH',
  XSHG: 'SH',
  SZ: 'SZ',
  SZSE: 'SZ',
  XSHE: 'SZ',
  BJ: 'BJ',
  BSE: 'BJ',
}

function readNumber(exchange: Exchange, digits: string, options: CodeOptions): CodeReading {
  const code = `${digits}.${exchange}`
  const meaning = meaningOn(exchange, digits)
  switch (meaning) {
    case undefined:
      return noSuchCode(code, exchangeOf(digits), digits)
    case 'bond':
      return notCovered(
        `${code} 是债券，本服务不提供债券数据`,
        `${code} is a bond; bonds are not covered`,
      )
    case 'third_board':
      return notCovered(
        `${code} 是新三板证券，本服务暂未覆盖`,
        `${code} is traded on the third board (NEEQ), which is not covered`,
      )
    case 'old_beijing':
      return readOldBeijing(code, options)
    case 'stock':
    case 'b_share':
    case 'bj':
    case 'fund':
    case 'index':
    case 'hk':
    case 'us':
      return accept({ code, kind: meaning }, true)
    default:
      return meaning satisfies never
  }
}

function readBareNumber(digits: string, options: CodeOptions): CodeReading {
  // What terminals call the Shanghai composite.
  if (digits === '999999') return accept({ code: '000001.SH', kind: 'index' }, true)
  if (/^801\d{3}$/.test(digits)) return accept({ code: `${digits}.SI`, kind: 'index' }, false)
  const exchange = exchangeOf(digits)
  if (exchange === undefined) return noSuchCode(digits, undefined, digits)
  const reading = readNumber(exchange, digits, options)
  if (!reading.ok) return reading
  const twin = knownIndices.find(({ code }) => code === `${digits}.SH`)
  if (exchange !== 'SZ' || twin === undefined) return { ...reading, explicit: false }
  const stock = describeInstrument(reading.instrument)
  const other: Instrument = { code: twin.code, kind: 'index' }
  const index = describeInstrument(other)
  return {
    ...reading,
    explicit: false,
    alternatives: [other],
    note: {
      zh: `按${stock.zh} 理解；如需${index.zh}，请写 ${twin.code}`,
      en: `Read as ${stock.en}; for ${index.en} write ${twin.code}`,
    },
  }
}

function readOldBeijing(code: string, { beijingCodes }: CodeOptions): CodeReading {
  const renamed = beijingCodes?.get(code)
  if (renamed === undefined) {
    return notCovered(
      `${code} 没有对应的北交所新代码，可能是新三板证券，暂未覆盖`,
      `${code} has no new Beijing code; it may be traded on the third board (NEEQ), which is not covered`,
    )
  }
  const note = {
    zh: `北交所旧代码 ${code} 现为 ${renamed}`,
    en: `The old Beijing code ${code} is now ${renamed}`,
  }
  return { ...accept({ code: renamed, kind: 'bj' }, true), note }
}

function readHongKong(digits: string, explicit: boolean): CodeReading {
  const code = `${digits.padStart(5, '0')}.HK`
  if (code === '00000.HK') return noSuchCode(code, undefined, digits)
  return accept({ code, kind: 'hk' }, explicit)
}

function askWhichMarket(digits: string): CodeReading {
  const candidates: Instrument[] = []
  const hongKong = readHongKong(digits, false)
  if (hongKong.ok) candidates.push(hongKong.instrument)
  const padded = digits.padStart(6, '0')
  if (meaningOn('SZ', padded) === 'stock') candidates.push({ code: `${padded}.SZ`, kind: 'stock' })
  if (candidates.length === 0) return noSuchCode(digits, undefined, digits)
  const list = candidates.map(({ code }) => code)
  return {
    ok: false,
    reason: 'ambiguous',
    message: {
      zh: `${digits} 不足六位，无法确定市场，请写明：${list.join(' 或 ')}`,
      en: `${digits} could be in more than one market; write ${list.join(' or ')}`,
    },
    candidates,
  }
}

function readUs(ticker: string, explicit: boolean): CodeReading {
  return accept({ code: ticker.replace(/[/_-]/, '.'), kind: 'us' }, explicit)
}

function accept(instrument: Instrument, explicit: boolean): CodeReading & { ok: true } {
  return { ok: true, instrument, explicit }
}

function noSuchCode(code: string, home: Exchange | undefined, digits: string): CodeReading {
  const kind = home === undefined ? undefined : meaningOn(home, digits)
  const isInstrument =
    kind !== undefined && kind !== 'bond' && kind !== 'third_board' && kind !== 'old_beijing'
  const meant: Instrument | undefined = isInstrument
    ? { code: `${digits}.${home}`, kind }
    : undefined
  return {
    ok: false,
    reason: 'no_such_code',
    message: {
      zh: `没有 ${code} 这样的代码${meant ? `，是否指 ${meant.code}？` : ''}`,
      en: `There is no code such as ${code}${meant ? `; did you mean ${meant.code}?` : ''}`,
    },
    ...(meant && { candidates: [meant] }),
  }
}

function notCovered(zh: string, en: string): CodeReading {
  return { ok: false, reason: 'not_covered', message: { zh, en } }
}

// The text itself is not repeated: it may be anything at all.
function unknownForm(): CodeReading {
  return {
    ok: false,
    reason: 'unknown_form',
    message: {
      zh: '不是可识别的证券代码，请使用 600519.SH、00700.HK、AAPL 这样的写法，或按名称查询',
      en: 'Not a code in a known form; write 600519.SH, 00700.HK or AAPL, or look it up by name',
    },
  }
}
