import { createGuards } from '@twilight/auth/guard'
import { createLastUsed } from '@twilight/auth/last-used'
import { createRateLimiter } from '@twilight/auth/rate-limit'
import { watchRevocations } from '@twilight/auth/revocation'
import { createKeyVerifier } from '@twilight/auth/verify-key'
import type { Database } from '@twilight/database/schema'
import { assertSchemaAtLeast } from '@twilight/database/schema-version'
import { serveHttp } from '@twilight/service/http-server'
import { runService } from '@twilight/service/lifecycle'
import { createLogger } from '@twilight/service/log'
import { createMetrics } from '@twilight/service/metrics'
import { connectBus } from '@twilight/service/nats'
import { connectPostgres } from '@twilight/service/postgres'
import packageJson from '../package.json' with { type: 'json' }
import { createApp, service } from './app.ts'
import { createClaims } from './claims.ts'
import { readDataApiConfig } from './config.ts'
import { createFundamentals } from './fundamentals.ts'
import { loadInstruments } from './instruments.ts'
import { createTools } from './mcp-tools.ts'
import { meteredStreams, startMetering } from './metering.ts'
import { openLookUp } from './open-look-up.ts'
import { createPrices } from './price.ts'
import { checkTradingDays, loadTradingDays } from './trading-days.ts'

const { version } = packageJson
const log = createLogger({ service, version })

await runService({ log }, async (scope) => {
  const config = readDataApiConfig()
  log.level = config.logLevel
  const metrics = createMetrics({ service, version })
  const url = config.databaseUrl.reveal()
  const postgres = scope.use(
    connectPostgres<Database>({ url, applicationName: service, log, metrics }),
  )
  const { db } = postgres
  const streams = meteredStreams
  const bus = scope.use(
    await connectBus({ url: config.natsUrl.reveal(), service, log, metrics, streams }),
  )
  scope.endOn(bus.closed)

  const market = scope.use(await openLookUp({ ...config, version, db, log, metrics }))
  const { lookUp } = market
  const instruments = scope.use(loadInstruments({ lookUp, log }))
  const tradingDays = scope.use(loadTradingDays({ lookUp, log }))
  const claims = scope.use(createClaims({ db, log }))
  const prices = createPrices({ instruments, tradingDays, lookUp, claims })
  const fundamentals = createFundamentals({ instruments, tradingDays, lookUp, claims })
  const tools = createTools({ prices, fundamentals, instruments, claims, version })

  const verifier = createKeyVerifier({ db, log })
  scope.use(watchRevocations({ bus, db, verifier, log }))
  const limiter = scope.use(createRateLimiter({ db, log }))
  const lastUsed = scope.use(createLastUsed({ db, log }))
  const guards = createGuards({ verifier, limiter, lastUsed })
  const usage = scope.use(startMetering({ bus, db, service, log }))

  const checkDatabase = async () => ({
    ...(await postgres.check()),
    schema: await assertSchemaAtLeast(db),
  })
  const checks = [
    { name: 'database', check: checkDatabase },
    { name: 'nats', check: () => bus.check() },
    ...market.checks,
    instruments.check,
    checkTradingDays(tradingDays),
    usage.check,
  ]
  const data = { prices, fundamentals, instruments, tradingDays, claims, tools }
  const app = createApp({ version, log, metrics, checks, guards, usage, db, ...data })
  scope.use(await serveHttp({ app, log, ...config }))
})
