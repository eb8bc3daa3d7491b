import { buildClaim, type ClaimInput } from './build-claim.ts'
import type { Claim } from './claim.ts'

/** The clock of every test: Friday 2026-11-20, 09:02:03 in Shanghai. */
export const now = new Date('2026-11-20T01:02:03Z')

/** Moutai's close of 2026-11-19 with what a test changes about it. */
export function closeInput(changes: Partial<ClaimInput> = {}): ClaimInput {
  return {
    figure: '1466.00',
    unit: 'CNY',
    metric: 'close',
    code: '600519.SH',
    name: '贵州茅台',
    asOf: '20261119',
    source: 'tushare',
    servedBy: ['tushare'],
    table: 'daily',
    fetchedAt: '2026-11-20T01:02:03Z',
    rawSha256: '4ee40348e646d8708075440511cacd97d12981bcf8e317ceb993732ed0787b30',
    servedVersion: '0.2.0',
    toolCallId: 'tc_01KAGN3V8QF4X2M7Z9W0T5RCDE',
    now,
    ...changes,
  }
}

let lastId = 0

/** A claim with an id of its own. */
export function sampleClaim(changes: Partial<ClaimInput> = {}): Claim {
  lastId += 1
  return buildClaim(
    closeInput({ toolCallId: `tc_sample_${String(lastId).padStart(6, '0')}`, ...changes }),
  )
}

/** A web search hit as /search answers it. */
export function sampleResult(toolCallId = 'tc_search_000001') {
  return {
    title: '贵州茅台2026年三季报',
    url: 'https://www.cninfo.com.cn/new/disclosure/detail?plate=sse&stockCode=600519',
    snippet: '营业总收入同比增长 6.2 %',
    fetched_at: '2026-11-20T01:00:00Z',
    cite: {
      kind: 'tool',
      source: 'dashscope_web_search',
      served_by: 'twilight-drive-backend',
      service: 'twilight-drive-backend',
      served_version: '0.2.0',
      original_url: 'https://www.cninfo.com.cn/new/disclosure/detail?plate=sse&stockCode=600519',
      fetched_at: '2026-11-20T01:00:00Z',
      cache_age_seconds: 120,
      tool_call_id: toolCallId,
    },
  }
}
