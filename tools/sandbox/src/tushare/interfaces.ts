import { disclosureInterfaces } from './disclosures.ts'
import { forecastInterfaces } from './forecasts.ts'
import { foreignInterfaces } from './foreign.ts'
import { indicatorInterfaces } from './indicators.ts'
import type { Interface } from './interface.ts'
import { listingInterfaces } from './listings.ts'
import { quoteInterfaces } from './quotes.ts'
import { statementInterfaces } from './statements.ts'

// Sold separately and without rows here: asking without the permission gives the refusal, with it an empty table.
const soldSeparately: readonly Interface[] = [
  'rt_k',
  'stk_mins',
  'anns_d',
  'research_report',
  'hk_income',
  'us_income',
  'news',
].map((name) => ({
  name,
  columns: ['ts_code'],
  points: 0,
  rowLimit: 1_000,
  soldSeparately: true,
  rows: () => [],
}))

export const interfaces: ReadonlyMap<string, Interface> = new Map(
  [
    ...quoteInterfaces,
    ...listingInterfaces,
    ...indicatorInterfaces,
    ...statementInterfaces,
    ...disclosureInterfaces,
    ...forecastInterfaces,
    ...foreignInterfaces,
    ...soldSeparately,
  ].map((api) => [api.name, api]),
)
