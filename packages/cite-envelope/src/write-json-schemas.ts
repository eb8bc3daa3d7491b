import { writeFile } from 'node:fs/promises'
import { jsonSchemas } from './json-schema.ts'

// `pnpm run schema` writes what json-schema.test.ts compares.
for (const [name, schema] of Object.entries(jsonSchemas())) {
  const file = new URL(`../schema/${name}`, import.meta.url)
  await writeFile(file, `${JSON.stringify(schema, null, 2)}\n`)
}
