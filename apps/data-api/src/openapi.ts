import { createLogger } from '@twilight/service/log'
import { createMetrics } from '@twilight/service/metrics'
import packageJson from '../package.json' with { type: 'json' }
import { createApp, service } from './app.ts'

// `pnpm build`: the document the running service would serve at /openapi.json, on standard output.
const { version } = packageJson
const app = createApp({
  version,
  log: createLogger({ service, version, level: 'silent' }),
  metrics: createMetrics({ service, version }),
  checks: [],
})
const answer = await app.request('/openapi.json')
process.stdout.write(`${JSON.stringify(await answer.json(), undefined, 2)}\n`)
