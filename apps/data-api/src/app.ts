import type { Guards } from '@twilight/auth/guard'
import { meterRoutes, noteCost } from '@twilight/auth/metering'
import type { UsageQueue } from '@twilight/auth/usage-queue'
import { fundamentalsSchema, priceListSchema } from '@twilight/cite-envelope/answer'
import { claimSchema } from '@twilight/cite-envelope/claim'
import type { Database } from '@twilight/database/schema'
import type { HealthCheck } from '@twilight/service/health'
import { createHttpApp, type HttpApp } from '@twilight/service/http'
import type { Logger } from '@twilight/service/log'
import type { Metrics } from '@twilight/service/metrics'
import { route, type HttpEnv, type Route } from '@twilight/service/route'
import type { Context } from 'hono'
import type { Kysely } from 'kysely'
import { calendarAnswer, calendarOf, calendarQuery } from './calendar.ts'
import { claimParams, type Claims, findClaim } from './claims.ts'
import { type Fundamentals, fundamentalsQuery } from './fundamentals.ts'
import type { Instruments } from './instruments.ts'
import { mcpRoutes } from './mcp.ts'
import type { McpTool } from './mcp-tool.ts'
import { notBuiltYet } from './not-built-yet.ts'
import { askPrice, priceQuery, type Prices } from './price.ts'
import { resolvedSchema, resolveQuery, resolveText } from './resolve.ts'
import type { TradingDays } from './trading-days.ts'
import { usageRoutes } from './usage.ts'

export const service = 'data-api'

/**
 * data-api as an HTTP app: the menu below inside the frame, which adds /livez, /healthz, /metrics and
 * /openapi.json.
 */
export function createApp({ checks, log, metrics, ...dependencies }: AppDependencies): HttpApp {
  const { version } = dependencies
  return createHttpApp({ service, version, log, metrics, checks, routes: menu(dependencies) })
}

/** Path, guard, handler. */
function menu(dependencies: Omit<AppDependencies, 'checks' | 'log' | 'metrics'>): Route[] {
  const { version, guards, usage, db, tools } = dependencies
  const { prices, fundamentals, instruments, tradingDays, claims } = dependencies
  const reader = guards.userKey({ scopes: ['data:read'] })
  return [
    ...meterRoutes(
      [
        route(
          'GET',
          '/price',
          {
            summary: 'One close with its cite, or up to a hundred',
            guard: reader,
            query: priceQuery,
            answers: priceAnswer,
            problems: [...absences, 'ambiguous_code', ...outages],
          },
          async ({ caller, query }, c) => counted(c, await askPrice(prices, caller.userId, query)),
        ),
        route(
          'GET',
          '/fundamentals',
          {
            summary: 'Statements, indicators and the ratios of the day, each figure with its cite',
            guard: reader,
            query: fundamentalsQuery,
            answers: fundamentalsSchema,
            problems: [...absences, 'ambiguous_code', ...outages],
          },
          async ({ caller, query }, c) =>
            counted(c, await fundamentals.fundamentalsOf(caller.userId, query)),
        ),
        route(
          'GET',
          '/resolve',
          {
            summary: 'From a name, pinyin initials or any form of a code to the code',
            guard: reader,
            query: resolveQuery,
            answers: resolvedSchema,
            problems: ['unknown_code', 'not_covered', ...outages],
          },
          ({ query }) => resolveText(instruments, query.q),
        ),
        route(
          'GET',
          '/calendar',
          {
            summary: 'Trading days, and which data should be out by now',
            guard: reader,
            query: calendarQuery,
            answers: calendarAnswer,
            problems: ['no_data', ...outages],
          },
          ({ query }) => calendarOf(tradingDays, query),
        ),
        route(
          'GET',
          '/claims/:tool_call_id',
          {
            summary: 'A claim as it was served to you',
            guard: reader,
            params: claimParams,
            answers: claimSchema,
            problems: ['not_found'],
          },
          ({ caller, params }) => findClaim(claims, caller.userId, params.tool_call_id),
        ),
        route(
          'GET',
          '/reports/search',
          { summary: 'Research reports', guard: reader, problems: ['not_implemented'] },
          notBuiltYet({ zh: '研报检索', en: 'research reports' }),
        ),
        route(
          'GET',
          '/search',
          { summary: 'Web search', guard: reader, problems: ['not_implemented'] },
          notBuiltYet({ zh: '网页搜索', en: 'web search' }),
        ),
        ...usageRoutes({ guard: guards.userKey(), db }),
      ],
      usage,
    ),
    ...mcpRoutes({ version, guard: reader, usage, tools }),
  ]
}

export type AppDependencies = {
  version: string
  log: Logger
  metrics: Metrics
  checks: HealthCheck[]
  guards: Guards
  usage: Pick<UsageQueue, 'add'>
  db: Kysely<Database>
  tools: readonly McpTool[]
  prices: Prices
  fundamentals: Fundamentals
  instruments: Instruments
  tradingDays: TradingDays
  claims: Claims
}

/** Notes for the metering what the answer took. */
function counted<Body>(
  c: Context<HttpEnv>,
  { body, ...cost }: { body: Body; cached: boolean; costPoints: number },
): Body {
  noteCost(c, cost)
  return body
}

const priceAnswer = claimSchema.or(priceListSchema)
const absences = [
  'no_data',
  'not_trading_day',
  'not_published_yet',
  'future_date',
  'before_listing',
  'suspended',
  'delisted',
  'not_covered',
  'unknown_code',
] as const
const outages = ['source_unavailable', 'overloaded'] as const
