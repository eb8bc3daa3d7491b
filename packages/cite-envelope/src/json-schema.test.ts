import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { jsonSchemas } from './json-schema.ts'

const directory = new URL('../schema/', import.meta.url)

it.each(Object.entries(jsonSchemas()))('schema/%s is current', (name, schema) => {
  const checkedIn: unknown = JSON.parse(readFileSync(new URL(name, directory), 'utf8'))
  expect(checkedIn, 'run: pnpm --filter @twilight/cite-envelope run schema').toEqual(
    JSON.parse(JSON.stringify(schema)),
  )
})

it('schema/ holds nothing else', () => {
  expect(readdirSync(directory).toSorted()).toEqual(Object.keys(jsonSchemas()).toSorted())
})

it('a reader with the JSON Schema alone meets both forms of served_by and may find new fields', () => {
  const cite = JSON.stringify(jsonSchemas()['cite.schema.json'])
  expect(cite).toContain('"const":"twilight-drive-backend"')
  expect(cite).toContain('"served_by":{"minItems":1,"maxItems":100,"type":"array"')
  expect(cite).not.toContain('"additionalProperties":false')
})
