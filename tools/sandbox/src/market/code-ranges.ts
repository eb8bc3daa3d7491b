import type { MarketDate } from './dates.ts'

export type Board = 'main' | 'chinext' | 'star' | 'bse' | 'b'

export type CodeRange = {
  from: number
  to: number
  density: number
  board: Board
  exchange: 'SH' | 'SZ' | 'BJ'
  /** Listings are spread over these dates, later ones a little denser. */
  listed: [MarketDate, MarketDate]
}

/** Where codes are, how many of them are taken, and when those were listed. Density 0: only known stocks. */
export const codeRanges: readonly CodeRange[] = [
  {
    from: 1,
    to: 999,
    density: 0.45,
    board: 'main',
    exchange: 'SZ',
    listed: [19_920_601, 20_000_801],
  },
  {
    from: 1_201,
    to: 1_399,
    density: 0.55,
    board: 'main',
    exchange: 'SZ',
    listed: [20_210_601, 20_271_001],
  },
  {
    from: 1_979,
    to: 1_979,
    density: 0,
    board: 'main',
    exchange: 'SZ',
    listed: [20_151_230, 20_151_230],
  },
  {
    from: 2_001,
    to: 2_999,
    density: 0.95,
    board: 'main',
    exchange: 'SZ',
    listed: [20_040_625, 20_210_301],
  },
  {
    from: 3_000,
    to: 3_043,
    density: 0.9,
    board: 'main',
    exchange: 'SZ',
    listed: [20_200_901, 20_210_501],
  },
  {
    from: 3_816,
    to: 3_816,
    density: 0,
    board: 'main',
    exchange: 'SZ',
    listed: [20_190_826, 20_190_826],
  },
  {
    from: 200_011,
    to: 200_992,
    density: 0.04,
    board: 'b',
    exchange: 'SZ',
    listed: [19_920_301, 20_000_101],
  },
  {
    from: 300_001,
    to: 300_999,
    density: 0.94,
    board: 'chinext',
    exchange: 'SZ',
    listed: [20_091_030, 20_210_601],
  },
  {
    from: 301_001,
    to: 301_699,
    density: 0.72,
    board: 'chinext',
    exchange: 'SZ',
    listed: [20_210_601, 20_271_101],
  },
  {
    from: 302_132,
    to: 302_132,
    density: 0,
    board: 'chinext',
    exchange: 'SZ',
    listed: [20_100_827, 20_100_827],
  },
  {
    from: 600_000,
    to: 600_999,
    density: 0.88,
    board: 'main',
    exchange: 'SH',
    listed: [19_910_101, 20_041_201],
  },
  {
    from: 601_000,
    to: 601_999,
    density: 0.22,
    board: 'main',
    exchange: 'SH',
    listed: [20_060_701, 20_250_601],
  },
  {
    from: 603_000,
    to: 603_999,
    density: 0.67,
    board: 'main',
    exchange: 'SH',
    listed: [20_140_101, 20_271_101],
  },
  {
    from: 605_001,
    to: 605_599,
    density: 0.2,
    board: 'main',
    exchange: 'SH',
    listed: [20_200_601, 20_230_601],
  },
  {
    from: 688_001,
    to: 688_999,
    density: 0.66,
    board: 'star',
    exchange: 'SH',
    listed: [20_190_722, 20_271_101],
  },
  {
    from: 689_009,
    to: 689_009,
    density: 0,
    board: 'star',
    exchange: 'SH',
    listed: [20_201_029, 20_201_029],
  },
  {
    from: 900_901,
    to: 900_957,
    density: 0.7,
    board: 'b',
    exchange: 'SH',
    listed: [19_920_301, 20_000_101],
  },
  {
    from: 920_002,
    to: 920_999,
    density: 0.36,
    board: 'bse',
    exchange: 'BJ',
    listed: [20_211_115, 20_270_901],
  },
]
