import { type MarketDate } from '../market/dates.ts'
import { quarterCount, quarterEnding } from '../market/figures.ts'
import { hash32 } from '../market/random.ts'
import type { Report } from '../market/statements.ts'
import type { StockBook } from '../market/stock-book.ts'
import { errors } from './errors.ts'
import type { RowRequest } from './interface.ts'

/** One version of a report with the flag Tushare puts on it: "1" is the newest, "0" what it replaced. */
export type FlaggedReport = { book: StockBook; report: Report; updateFlag: '0' | '1' }

/**
 * Report versions as the real tables hold them: the newest first, a corrected one beside its original, and
 * now and then a row twice, exactly or with the older flag. Clients must de-duplicate.
 */
export function* eachReport({ market, params, published }: RowRequest): Generator<FlaggedReport> {
  for (const code of params.codes() ?? market.listStocks().map((stock) => stock.code)) {
    const book = market.openBook(code)
    if (!book || book.stock.board === 'b') continue
    for (const quarter of askedQuarters(params.date('period'))) {
      const versions = market.getStatements(code, quarter, published.today).toReversed()
      for (const report of versions) {
        const updateFlag = report.superseded ? '0' : '1'
        yield { book, report, updateFlag }
        const dice = hash32(book.seed, 220, quarter) % 20
        if (dice < 2) yield { book, report, updateFlag }
        else if (dice === 2 && versions.length === 1) yield { book, report, updateFlag: '0' }
      }
    }
  }
}

function askedQuarters(period: MarketDate | undefined): number[] {
  if (period === undefined)
    return Array.from({ length: quarterCount }, (_, i) => quarterCount - 1 - i)
  const quarter = quarterEnding(period)
  return quarter === undefined ? [] : [quarter]
}

/** The plain interfaces take one stock a call; the _vip ones a whole quarter. */
export function oneStockOnly(request: RowRequest): RowRequest {
  const codes = request.params.codes()
  if (codes?.length !== 1) throw errors.required('ts_code')
  return request
}
