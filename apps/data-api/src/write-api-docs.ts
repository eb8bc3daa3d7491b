import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { writeGeneratedParts } from './api-docs.ts'

export const apiDocs = new URL('../../../docs/api.md', import.meta.url)

/** The document of `/openapi.json`, as the build writes it. */
export async function describeApi(): Promise<unknown> {
  const script = new URL('openapi.ts', import.meta.url).pathname
  const limits = { timeout: 15_000, maxBuffer: 8 * 1024 * 1024 }
  const { stdout } = await promisify(execFile)(process.execPath, [script], limits)
  return JSON.parse(stdout)
}

// `node apps/data-api/src/write-api-docs.ts`: after a change of routes, problem codes or publication clocks.
if (import.meta.main) {
  const page = await readFile(apiDocs, 'utf8')
  await writeFile(apiDocs, writeGeneratedParts(page, await describeApi()))
}
