import { createGuards } from '@twilight/auth/guard'
import { createLastUsed } from '@twilight/auth/last-used'
import { createRateLimiter } from '@twilight/auth/rate-limit'
import type { Database } from '@twilight/database/schema'
import { assertSchemaAtLeast } from '@twilight/database/schema-version'
import { serveHttp } from '@twilight/service/http-server'
import { startInboxCleanup } from '@twilight/service/inbox'
import { runService } from '@twilight/service/lifecycle'
import { createLogger } from '@twilight/service/log'
import { createMetrics } from '@twilight/service/metrics'
import { connectBus } from '@twilight/service/nats'
import { connectPostgres } from '@twilight/service/postgres'
import packageJson from '../package.json' with { type: 'json' }
import { createAdminVerifier } from './admin-verifier.ts'
import { createApp, service } from './app.ts'
import { readProvisionerConfig } from './config.ts'

const { version } = packageJson
const log = createLogger({ service, version })

await runService({ log }, async (scope) => {
  const config = readProvisionerConfig()
  log.level = config.logLevel
  const metrics = createMetrics({ service, version })
  const postgres = scope.use(
    connectPostgres<Database>({
      url: config.databaseUrl.reveal(),
      applicationName: service,
      log,
      metrics,
    }),
  )
  const { db } = postgres
  const bus = scope.use(await connectBus({ url: config.natsUrl.reveal(), service, log, metrics }))
  scope.endOn(bus.closed)
  scope.use(startInboxCleanup({ db, log }))
  const guards = createGuards({
    verifier: createAdminVerifier({ db }),
    limiter: scope.use(createRateLimiter({ db, log })),
    lastUsed: scope.use(createLastUsed({ db, log })),
  })
  const checks = [
    {
      name: 'database',
      check: async () => ({
        ...(await postgres.check()),
        schema: await assertSchemaAtLeast(db),
      }),
    },
    { name: 'nats', check: () => bus.check() },
  ]
  const app = createApp({ version, log, metrics, checks, db, bus, guards })
  scope.use(await serveHttp({ app, log, ...config }))
})
