import type { MarketDate } from './dates.ts'
import { hashText } from './random.ts'

/** A security without statements in this market: Hong Kong and US shares, indices, funds. */
export type SimpleSecurity = {
  code: string
  name: string
  englishName: string
  kind: 'hk' | 'us' | 'index' | 'fund'
  listDate: MarketDate
  /** Price on the anchor day, in 1/priceScale. */
  price: number
  priceScale: number
  shares: number
  lot: number
  seed: number
}

export function createSimpleSecurities(marketSeed: number): SimpleSecurity[] {
  return simpleSecurities
    .trim()
    .split('\n')
    .map((line) => {
      const [
        code = '',
        name = '',
        english = '',
        kind = '',
        list = '',
        price = '',
        shares = '',
        lot = '',
      ] = line.split(' ')
      const priceScale = { hk: 1000, us: 100, index: 10_000, fund: 1000 }[kind] ?? 100
      return {
        code,
        name,
        englishName: english.replaceAll('_', ' '),
        kind: readKind(kind),
        listDate: Number(list),
        price: Math.round(Number(price) * priceScale),
        priceScale,
        shares: Number(shares) * 1_000_000,
        lot: Number(lot),
        // One path per index name, so that 000300.SH is 399300.SZ.
        seed: hashText(kind === 'index' ? name : `${kind}:${code}`) ^ marketSeed,
      }
    })
}

function readKind(text: string): SimpleSecurity['kind'] {
  if (text === 'hk' || text === 'us' || text === 'index' || text === 'fund') return text
  throw new RangeError(`"${text}" is no kind of security: mend the table below.`)
}

// Columns: code, name, English name, kind, listing date, price on the anchor day, shares in millions, lot.
const simpleSecurities = `
00700.HK 腾讯控股 TENCENT hk 20040616 612.5 9160 100
09988.HK 阿里巴巴-W BABA-W hk 20191126 158.3 19100 100
03690.HK 美团-W MEITUAN-W hk 20180920 104.2 6110 100
01810.HK 小米集团-W XIAOMI-W hk 20180709 44.6 25900 200
00005.HK 汇丰控股 HSBC_HOLDINGS hk 19910102 112.4 17200 400
00388.HK 香港交易所 HKEX hk 20000627 421.8 1268 100
00941.HK 中国移动 CHINA_MOBILE hk 19971023 86.9 21600 500
01211.HK 比亚迪股份 BYD_COMPANY hk 20020731 101.7 3670 500
00939.HK 建设银行 CCB hk 20051027 7.86 240400 1000
01398.HK 工商银行 ICBC hk 20061027 6.21 86800 1000
02318.HK 中国平安 PING_AN hk 20040624 57.4 7450 500
01299.HK 友邦保险 AIA hk 20101029 78.2 10500 200
00883.HK 中国海洋石油 CNOOC hk 20010228 21.4 44500 1000
00981.HK 中芯国际 SMIC hk 20040318 71.6 6000 500
09618.HK 京东集团-SW JD-SW hk 20200618 128.4 2900 50
09999.HK 网易-S NTES-S hk 20200611 218 3160 100
80700.HK 腾讯控股-R TENCENT-R hk 20230619 566.2 9160 100
AAPL 苹果 Apple_Inc. us 19801212 268.42 14800 1
MSFT 微软 Microsoft_Corporation us 19860313 512.6 7430 1
NVDA 英伟达 NVIDIA_Corporation us 19990122 187.3 24300 1
GOOGL 谷歌-A Alphabet_Inc. us 20040819 284.1 5820 1
AMZN 亚马逊 Amazon.com_Inc. us 19970515 231.7 10690 1
META Meta Meta_Platforms_Inc. us 20120518 604.8 2170 1
TSLA 特斯拉 Tesla_Inc. us 20100629 402.9 3330 1
BABA 阿里巴巴 Alibaba_Group us 20140919 161.4 2380 1
PDD 拼多多 PDD_Holdings us 20180726 131.8 1420 1
JD 京东 JD.com_Inc. us 20140522 32.9 1450 1
BRK.B 伯克希尔-B Berkshire_Hathaway us 19960509 506.2 1370 1
000001.SH 上证指数 SSE_Composite index 19910715 3962.4 5400000 1
399001.SZ 深证成指 SZSE_Component index 19950123 13187.2 2100000 1
399006.SZ 创业板指 ChiNext_Index index 20100601 3104.8 720000 1
399107.SZ 深证A指 SZSE_A_Share index 19921005 2496.3 4200000 1
000300.SH 沪深300 CSI_300 index 20050408 4631.5 2700000 1
399300.SZ 沪深300 CSI_300 index 20050408 4631.5 2700000 1
000905.SH 中证500 CSI_500 index 20070115 7192.6 1080000 1
000016.SH 上证50 SSE_50 index 20040102 3037.9 1200000 1
000852.SH 中证1000 CSI_1000 index 20141017 7498.1 960000 1
000688.SH 科创50 STAR_50 index 20200723 1416.3 360000 1
899050.BJ 北证50 BSE_50 index 20221121 1523.7 120000 1
510300.SH 沪深300ETF CSI_300_ETF fund 20120528 4.712 9000 100
510050.SH 上证50ETF SSE_50_ETF fund 20050223 3.118 5600 100
510500.SH 中证500ETF CSI_500_ETF fund 20130315 7.284 1900 100
588000.SH 科创50ETF STAR_50_ETF fund 20201116 1.478 5200 100
159915.SZ 创业板ETF ChiNext_ETF fund 20111209 3.052 3300 100
`
