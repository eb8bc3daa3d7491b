import { createGuards } from '@twilight/auth/guard'
import { createLastUsed } from '@twilight/auth/last-used'
import { createRateLimiter } from '@twilight/auth/rate-limit'
import { createKeyVerifier } from '@twilight/auth/verify-key'
import type { Database } from '@twilight/database/schema'
import { createLogger } from '@twilight/service/log'
import { createMetrics } from '@twilight/service/metrics'
import { connectPostgres } from '@twilight/service/postgres'
import packageJson from '../package.json' with { type: 'json' }
import { createApp, service } from './app.ts'
import { createClaims } from './claims.ts'
import { createFundamentals } from './fundamentals.ts'
import { loadInstruments } from './instruments.ts'
import type { LookUp } from './look-up.ts'
import { createTools } from './mcp-tools.ts'
import { createPrices } from './price.ts'
import { loadTradingDays } from './trading-days.ts'

// `pnpm build`: the document the running service would serve at /openapi.json, on standard output. The
// app is put together as ever; nothing is behind it, and nothing is asked.
const { version } = packageJson
const log = createLogger({ service, version, level: 'silent' })
const lookUp: LookUp = () => Promise.reject(new Error('This app only describes itself.'))
await using postgres = connectPostgres<Database>({
  url: 'postgres://nobody@127.0.0.1:1/none',
  applicationName: service,
  log,
})
const { db } = postgres
using instruments = loadInstruments({ lookUp, log })
using tradingDays = loadTradingDays({ lookUp, log })
await using claims = createClaims({ db, log })
await using limiter = createRateLimiter({ db, log })
await using lastUsed = createLastUsed({ db, log })
const prices = createPrices({ instruments, tradingDays, lookUp, claims })
const fundamentals = createFundamentals({ instruments, tradingDays, lookUp, claims })
const app = createApp({
  version,
  log,
  metrics: createMetrics({ service, version }),
  checks: [],
  guards: createGuards({ verifier: createKeyVerifier({ db, log }), limiter, lastUsed }),
  usage: { add: () => undefined },
  db,
  tools: createTools({ prices, fundamentals, instruments, claims, version }),
  prices,
  fundamentals,
  instruments,
  tradingDays,
  claims,
})
const answer = await app.request('/openapi.json')
process.stdout.write(`${JSON.stringify(await answer.json(), undefined, 2)}\n`)
