import { verifyResponse } from '@twilight/cite-envelope/verify-response'
import { readFile } from 'node:fs/promises'
import { beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { writeGeneratedParts } from './api-docs.ts'
import { problemFixes } from './problem-fixes.ts'
import { apiDocs, describeApi } from './write-api-docs.ts'

let page: string
let openApi: unknown

beforeAll(async () => {
  page = await readFile(apiDocs, 'utf8')
  openApi = await describeApi()
})

test('the generated parts of docs/api.md say what the code says', () => {
  // Stale? Run: node apps/data-api/src/write-api-docs.ts
  expect(writeGeneratedParts(page, openApi)).toBe(page)
})

test('every problem code has a fix', () => {
  const { components } = z
    .object({
      components: z.object({
        schemas: z.object({
          Problem: z.object({
            properties: z.object({ code: z.object({ enum: z.array(z.string()) }) }),
          }),
        }),
      }),
    })
    .parse(openApi)
  const codes = components.schemas.Problem.properties.code.enum
  expect(Object.keys(problemFixes).toSorted()).toEqual(codes.toSorted())
  for (const fix of Object.values(problemFixes)) expect(fix).toMatch(/^[A-Z].{10,}\.$/)
})

test('every endpoint stands in the page with its parameters', () => {
  const { paths } = z
    .object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })
    .parse(openApi)
  for (const [path, methods] of Object.entries(paths)) {
    for (const method of Object.keys(methods)) {
      const name = `${method.toUpperCase()} ${path}`
      expect(page, name).toContain(`\`${name}\``)
      if (JSON.stringify(methods[method]).includes('"parameters":[')) {
        expect(page, name).toContain(`<!-- generated: ${name} -->`)
      }
    }
  }
})

test('every example of an answer is JSON, and each figure in it verifies', () => {
  const examples = [...page.matchAll(/```json\n([^]*?)```/g)].map(([, text = '']) => text)
  expect(examples.length).toBeGreaterThan(8)
  const bodies = examples.map((text): unknown => JSON.parse(text))
  const cited = bodies.filter((body) => JSON.stringify(body).includes('"cite":'))
  expect(cited.length).toBeGreaterThanOrEqual(5)
  // The moment after they were captured: an example may not be from the future.
  const now = new Date('2026-11-21T00:00:00Z')
  for (const body of cited) expect(verifyResponse(body, { now })).toEqual([])
})

test('a marker for something that does not exist is refused', () => {
  const strange = '<!-- generated: GET /nothing -->\n<!-- end -->'
  expect(() => writeGeneratedParts(strange, openApi)).toThrow('a marker for nothing: GET /nothing')
})
