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
import { readDataApiConfig } from './config.ts'

const { version } = packageJson
const log = createLogger({ service, version })

await runService({ log }, async (scope) => {
  const config = readDataApiConfig()
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
  const bus = scope.use(await connectBus({ url: config.natsUrl.reveal(), service, log, metrics }))
  const app = createApp({
    version,
    log,
    metrics,
    checks: [
      {
        name: 'database',
        check: async () => ({
          ...(await postgres.check()),
          schema: await assertSchemaAtLeast(postgres.db),
        }),
      },
      { name: 'nats', check: () => bus.check() },
    ],
  })
  scope.use(await serveHttp({ app, log, ...config }))
})
