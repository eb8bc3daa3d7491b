import type { Kysely } from 'kysely'
import { type Column, readColumns } from './read-columns.ts'

/** The text of schema.ts: Kysely's types for the database as it is. */
export async function generateTypes(db: Kysely<unknown>): Promise<string> {
  const tables = Map.groupBy(await readColumns(db), (column) => column.table)
  const list = [...tables.keys()].map((name) => `  ${name}: ${typeName(name)}\n`)
  const types = [...tables].map(([name, columns]) => describeTable(name, columns))
  return `${header}\nexport type Database = {\n${list.join('')}}\n${types.join('')}`
}

function describeTable(name: string, columns: Column[]): string {
  const lines = columns.map((column) => `  ${column.name}: ${columnType(column)}\n`)
  const unions = columns.map((column) => describeChoices(column))
  return `\nexport type ${typeName(name)} = {\n${lines.join('')}}\n${unions.join('')}`
}

const header = `// Written by "pnpm --filter @twilight/database dump" from the migrated database: do not edit.
import type { ColumnType, Generated, GeneratedAlways } from 'kysely'

// A bigint is read as text, as pg gives it: a JS number is exact only up to 2^53.
type BigintInput = string | number | bigint

// Not an array: pg would write it as a Postgres array. Stringify arrays and bare values yourself.
type JsonInput = string | { [key: string]: unknown }

type Written<Read, Write> = ColumnType<Read, Write, Write>
type Optional<Read, Write> = ColumnType<Read, Write | undefined, Write>
`

// pg's own reading of each type; a type not listed here has to be decided on first.
const readTypes: Record<string, string> = {
  uuid: 'string',
  text: 'string',
  'text[]': 'string[]',
  boolean: 'boolean',
  integer: 'number',
  bigint: 'string',
  bytea: 'Buffer',
  jsonb: 'unknown',
  'timestamp with time zone': 'Date',
}

const writeTypes: Record<string, string> = { bigint: 'BigintInput', jsonb: 'JsonInput' }

function columnType(column: Column): string {
  const known = readTypes[column.type]
  if (!known) {
    throw new Error(
      `${column.table}.${column.name} is a ${column.type}: say in generate-types.ts how it reads in TypeScript.`,
    )
  }
  const orNull = (type: string) => (column.notNull ? type : `${type} | null`)
  const named = column.choices ? choicesName(column) : known
  const read = known === 'unknown' ? known : orNull(named)
  const write = writeTypes[column.type]
  if (column.identity) return `GeneratedAlways<${read}>`
  if (write) return `${column.default ? 'Optional' : 'Written'}<${read}, ${orNull(write)}>`
  return column.default ? `Generated<${read}>` : read
}

/** The allowed words of a column as a type of its own, laid out as the formatter would. */
function describeChoices(column: Column): string {
  if (!column.choices) return ''
  const words = [...column.choices.matchAll(/'([^']*)'::text/g)].map(([, word]) => `'${word}'`)
  const line = `export type ${choicesName(column)} = ${words.join(' | ')}`
  if (line.length <= 100) return `\n${line}\n`
  return `\nexport type ${choicesName(column)} =\n${words.map((word) => `  | ${word}\n`).join('')}`
}

function choicesName(column: Column): string {
  return typeName(`${column.table}_${column.name}`)
}

function typeName(table: string): string {
  return table.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
