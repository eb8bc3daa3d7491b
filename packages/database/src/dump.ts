import { writeFile } from 'node:fs/promises'
import { dumpSchema } from './dump-schema.ts'
import { generateTypes } from './generate-types.ts'
import { openDatabase } from './open-database.ts'
import { createTestDatabase } from './test-database.ts'

// Rewrites schema.sql and src/schema.ts from a freshly migrated database: `pnpm --filter @twilight/database dump`.
await using server = await createTestDatabase({ durable: false })
await using session = openDatabase({ connectionString: server.url })
await writeFile(new URL('../schema.sql', import.meta.url), await dumpSchema(session.db))
await writeFile(new URL('schema.ts', import.meta.url), await generateTypes(session.db))
