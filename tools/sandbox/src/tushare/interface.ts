import type { Market } from '../market/market.ts'
import type { Params } from './params.ts'
import type { Publication } from './publication.ts'

export type Cell = string | number | null
export type Row = Record<string, Cell>

/** One interface of the Tushare API: who may call it, what it takes, and its rows in the server's order. */
export type Interface = {
  name: string
  /** In the server's order; a leading minus marks columns that come only when named. */
  columns: readonly string[]
  points: number
  rowLimit: number
  soldSeparately?: boolean
  /** What those may call who have neither the points nor the permission. */
  trial?: { perHour?: number; perDay?: number }
  /** At least one of these must be given. */
  needsOneOf?: readonly string[]
  /** Lazy: paging stops it when it has enough. */
  rows: (request: RowRequest) => Iterable<Row>
}

export type RowRequest = { market: Market; params: Params; published: Publication }
