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
  const operation = z.object({ parameters: z.array(z.unknown()).optional() })
  const { paths } = z
    .object({ paths: z.record(z.string(), z.record(z.string(), operation)) })
    .parse(openApi)
  const wanted = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { parameters }]) => {
      const name = `${method.toUpperCase()} ${path}`
      const row = `| \`${name}\` |`
      return parameters ? [row, `<!-- generated: ${name} -->`] : [row]
    }),
  )
  expect(wanted.length).toBeGreaterThan(14)
  expect(wanted.filter((text) => !page.includes(text))).toEqual([])
})

test('every example of an answer is JSON, and each figure in it verifies', () => {
  const examples = [...page.matchAll(/```json\n([^]*?)```/g)].map(([, text = '']) => text)
  const bodies = examples.map((text): unknown => JSON.parse(text))
  const cited = bodies.filter((body) => JSON.stringify(body).includes('"cite":'))
  expect(cited.length).toBeGreaterThanOrEqual(7)
  // What they were derived from stands in other examples; none may be from the future.
  const context = { now: new Date('2026-11-21T00:00:00Z'), records: cited.flatMap(claimsOf) }
  for (const body of cited) expect(verifyResponse(body, context)).toEqual([])
})

function claimsOf(body: unknown): unknown[] {
  const { claims, prices } = listsOfClaims.parse(body)
  return claims ?? prices?.filter((entry) => !('problem' in entry)) ?? [body]
}

const listsOfClaims = z.object({
  claims: z.array(z.unknown()).optional(),
  prices: z.array(z.looseObject({})).optional(),
})

test('a marker for something that does not exist is refused', () => {
  const strange = '<!-- generated: GET /nothing -->\n<!-- end -->'
  expect(() => writeGeneratedParts(strange, openApi)).toThrow('a marker for nothing: GET /nothing')
})
