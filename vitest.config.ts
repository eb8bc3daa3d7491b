import { defineConfig } from 'vitest/config'

// One configuration for every package: `npm test` runs all of it, `turbo run test --filter=<name>` a part.
// Files named *.service.test.ts start real servers (Postgres, NATS, whole processes); `npm run check` leaves them out.
export default defineConfig({
  test: {
    include: ['{apps,packages,tools}/*/src/**/*.test.ts'],
    setupFiles: ['tools/stack/src/leaked-handles.ts'],
    pool: 'forks',
    // On two cores the default is one; most of these wait for servers and clocks.
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
})
