export type InstrumentKind = 'stock' | 'b_share' | 'bj' | 'fund' | 'index' | 'hk' | 'us'

/** `code` is canonical (`600519.SH`, `00700.HK`, `AAPL`) and alone decides the kind. */
export type Instrument = { code: string; kind: InstrumentKind }

export type Bilingual = { zh: string; en: string }

/** Indices whose number a stock may also bear, by what people call them. */
export const knownIndices: readonly { code: string; names: readonly string[] }[] = [
  { code: '000001.SH', names: ['上证指数', '上证综指', '上证综合指数', '沪指', '大盘'] },
  { code: '000010.SH', names: ['上证180'] },
  { code: '000016.SH', names: ['上证50'] },
  { code: '000300.SH', names: ['沪深300', '沪深300指数'] },
  { code: '000510.SH', names: ['中证A500'] },
  { code: '000688.SH', names: ['科创50'] },
  { code: '000698.SH', names: ['科创100'] },
  { code: '000852.SH', names: ['中证1000'] },
  { code: '000903.SH', names: ['中证100'] },
  { code: '000905.SH', names: ['中证500'] },
  { code: '000906.SH', names: ['中证800'] },
  { code: '399001.SZ', names: ['深证成指', '深成指'] },
  { code: '399006.SZ', names: ['创业板指', '创业板指数'] },
  { code: '899050.BJ', names: ['北证50'] },
]

const kindNames: Record<InstrumentKind, Bilingual> = {
  stock: { zh: '股票', en: 'the stock' },
  b_share: { zh: 'B 股', en: 'the B share' },
  bj: { zh: '北交所股票', en: 'the Beijing stock' },
  fund: { zh: '基金', en: 'the fund' },
  index: { zh: '指数', en: 'the index' },
  hk: { zh: '港股', en: 'the Hong Kong share' },
  us: { zh: '美股', en: 'the US share' },
}

/** "股票 600519.SH", with the index's name where it has one that people know. */
export function describeInstrument({ code, kind }: Instrument): Bilingual {
  const name =
    kind === 'index' ? knownIndices.find((index) => index.code === code)?.names[0] : undefined
  const { zh, en } = kindNames[kind]
  const tail = name === undefined ? code : `${code} (${name})`
  return { zh: `${zh} ${tail}`, en: `${en} ${tail}` }
}

/**
 * What Tushare calls it and the table its day bars stand in.
 *
 *     toTushare({ code: '510300.SH', kind: 'fund' }) // { tsCode: '510300.SH', api: 'fund_daily' }
 */
export function toTushare({ code, kind }: Instrument): { tsCode: string; api: TushareBarTable } {
  return { tsCode: code, api: barTables[kind] }
}

export type TushareBarTable = 'daily' | 'fund_daily' | 'index_daily' | 'hk_daily' | 'us_daily'

const barTables: Record<InstrumentKind, TushareBarTable> = {
  stock: 'daily',
  b_share: 'daily',
  bj: 'daily',
  fund: 'fund_daily',
  index: 'index_daily',
  hk: 'hk_daily',
  us: 'us_daily',
}
