import { claimFields, claimSchema, fields } from '@twilight/cite-envelope/claim'
import { z } from 'zod'
import { calculateClaims, type CalculationDependencies } from './calculate-claims.ts'
import type { Fundamentals } from './fundamentals.ts'
import type { Instruments } from './instruments.ts'
import { instrumentText, marketDay, quarterEnd } from './market-day-input.ts'
import { defineTool, type McpTool } from './mcp-tool.ts'
import { notBuiltYet } from './not-built-yet.ts'
import type { Prices } from './price.ts'
import { resolveText } from './resolve.ts'

/**
 * What an agent may do, in the order it is listed. Each tool asks what the HTTP route of the same name asks, so
 * that both give the same figures.
 *
 *     mcpRoutes({ …, tools: createTools({ prices, fundamentals, instruments, claims, version }) })
 */
export function createTools(dependencies: ToolDependencies): McpTool[] {
  const { prices, fundamentals, instruments } = dependencies
  return [
    defineTool({
      name: 'get_price',
      title: '收盘价',
      description:
        'The close of a stock, index or fund, with its cite: of the newest day there is (as_of says which), or of trade_date.',
      input: z.strictObject({
        code,
        trade_date: marketDay.optional().describe('A trading day, 20260430 or 2026-04-30'),
        adjust: claimFields.adjust.describe('none (default), qfq or hfq'),
      }),
      output: claimList,
      async answer(userId, { code: asked, trade_date: tradeDate, adjust }) {
        const { claim, ...cost } = await prices.priceOf(userId, {
          code: asked,
          ...(tradeDate !== undefined && { tradeDate }),
          ...(adjust !== undefined && { adjust }),
        })
        return { body: { claims: [claim] }, ...cost }
      },
    }),
    defineTool({
      name: 'get_fundamentals',
      title: '基本面',
      description:
        'Income statement, balance sheet, cash flow, indicators and valuation ratios (pe, pe_ttm, pb, total_mv, ...) of a company, each figure with its cite.',
      input: z.strictObject({
        code,
        period: quarterEnd
          .optional()
          .describe('The last day of a quarter, such as 20251231; default the newest'),
        metrics: z
          .array(fields.metric)
          .min(1)
          .max(100)
          .optional()
          .describe('Only these, such as ["pe_ttm", "revenue"]; default all'),
      }),
      output: claimList,
      async answer(userId, { code: asked, period, metrics }) {
        const question = { code: asked, ...(period !== undefined && { period }) }
        const { body, ...cost } = await fundamentals.fundamentalsOf(userId, question)
        const claims = body.claims.filter(({ metric }) => metrics?.includes(metric) ?? true)
        return { body: { ...body, claims }, ...cost }
      },
    }),
    defineTool({
      name: 'search_web',
      title: '网页搜索',
      description: 'News and pages of the web, each with its address and when it was fetched.',
      input: z.strictObject({
        query: z.string().trim().min(1).max(400),
        since: marketDay.optional().describe('Nothing older than this day'),
        max_results: z.int().min(1).max(10).optional().describe('Default 5'),
      }),
      output: claimList,
      openWorld: true,
      // Search arrives with a service of its own: its answer goes here.
      answer: notBuiltYet({ zh: '网页搜索', en: 'Web search' }),
    }),
    defineTool({
      name: 'calc',
      title: '计算',
      description:
        'Computes exactly from figures served before: diff a-b, ratio a/b, pct_change (a-b)/b in percent with the newer figure first, sum, mean. The result is a claim with a cite of its own.',
      input: z.strictObject({
        op: claimFields.op.unwrap(),
        args: z
          .array(fields.toolCallId)
          .min(1)
          .max(20)
          .describe('The tool_call_id of each figure, in order'),
      }),
      output: claimList,
      async answer(userId, calculation) {
        const claim = await calculateClaims(dependencies, userId, calculation)
        return { body: { claims: [claim] }, cached: true, costPoints: 0 }
      },
    }),
    defineTool({
      name: 'resolve_code',
      title: '查代码',
      description:
        'From a name, a part of one, pinyin initials or a code in any form to the code. code is null when several fit: ask which of the candidates is meant.',
      input: z.strictObject({ name: instrumentText.describe('Such as 贵州茅台, gzmt or 600519') }),
      output: claimList.extend({
        code: z.string().nullable(),
        candidates: z.array(z.looseObject({ code: z.string() })),
      }),
      async answer(_userId, { name }) {
        // A code is no figure: no claim, and nothing to cite.
        const body = { claims: [], ...(await resolveText(instruments, name)) }
        return { body, cached: true, costPoints: 0 }
      },
    }),
  ]
}

export type ToolDependencies = CalculationDependencies & {
  prices: Prices
  fundamentals: Fundamentals
  instruments: Instruments
}

const code = instrumentText.describe('600519.SH; or 600519, SH600519, 0700.HK, a name')

const claimList = z.looseObject({ claims: z.array(claimSchema) })
