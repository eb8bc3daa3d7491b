import { Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { createApp, type OpenThirdParty } from './app.ts'
import { createCallCounts } from './call-counts.ts'
import { createChaos } from './chaos.ts'
import { createClock } from './clock.ts'
import type { Config } from './config.ts'
import { createFaults } from './faults.ts'
import { createMarket } from './market/market.ts'
import type { ThirdParty } from './third-party.ts'
import { createUpstreamGate } from './upstream-gate.ts'

/**
 * Starts every simulated third party and the control surface, in this process.
 *
 *     await using sandbox = await startSandbox({ config: readConfig({}), thirdParties })
 *     await fetch(`${sandbox.url}/__sandbox/calls`)
 */
export async function startSandbox({
  config,
  thirdParties,
}: {
  config: Config
  thirdParties: readonly ThirdParty[]
}): Promise<Sandbox> {
  const clock = createClock(config.now)
  const counts = createCallCounts()
  const faults = createFaults()
  const chaos = createChaos({ percent: config.chaosPercent, seed: config.chaosSeed })
  const gate = createUpstreamGate({ counts, faults, chaos })
  const market = createMarket({ seed: config.seed })
  await using starting = new AsyncDisposableStack()
  const upstreams: OpenThirdParty[] = []
  for (const party of thirdParties) {
    const double = party.open({
      config,
      clock,
      market,
      beginCall: (endpoint) => gate.begin(party.name, endpoint),
    })
    const listener = double.listen && starting.use(await double.listen())
    upstreams.push(listener ? { party, double, ownUrl: listener.url } : { party, double })
  }
  const app = createApp({ config, clock, counts, faults, chaos, gate, upstreams })
  const server = createAdaptorServer({
    fetch: app.fetch,
    serverOptions: {
      requestTimeout: 15_000,
      headersTimeout: 10_000,
      connectionsCheckingInterval: 2_000,
      keepAliveTimeout: 65_000,
    },
  })
  if (!(server instanceof Server))
    throw new TypeError('The adaptor made something other than an HTTP server.')
  server.maxConnections = 2_000
  await listen(server, config)
  starting.defer(() => close(server))
  const address = server.address()
  const port = address && typeof address === 'object' ? address.port : config.port
  const running = starting.move()
  return {
    url: `http://${config.host}:${port}`,
    port,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

export type Sandbox = AsyncDisposable & { url: string; port: number }

function listen(server: Server, { port, host }: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new Error(
          `The sandbox cannot listen on ${host}:${port} (${cause.message}): set PORT to a free port.`,
          { cause },
        ),
      )
    })
    server.listen(port, host, resolve)
  })
}

/** Lets answers under way finish for a moment; a deliberate time-out must not hold up the stop. */
async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const impatience = setTimeout(() => server.closeAllConnections(), 500)
  await closed
  clearTimeout(impatience)
}
