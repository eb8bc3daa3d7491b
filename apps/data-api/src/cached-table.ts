import type { TushareAnswerTable } from './look-up.ts'

/** The cells as JSON, each column named once. A cell that was missing comes back as null. */
export function encodeTable({ fields, rows }: TushareAnswerTable): string {
  const items = rows.map((row) => fields.map((field) => row[field] ?? null))
  return JSON.stringify({ fields, items })
}

/** Throws when the text is not what encodeTable wrote. */
export function decodeTable(text: string): TushareAnswerTable {
  const table: unknown = JSON.parse(text)
  if (!isTable(table)) throw new Error('The cached text is not a table of cells.')
  const { fields, items } = table
  const rows = items.map((cells) =>
    Object.fromEntries(fields.map((field, index) => [field, cells[index] ?? null])),
  )
  return { fields, rows }
}

type CachedTable = { fields: string[]; items: (string | null)[][] }

// By hand: thousands are read after a start, and a schema would copy each of them once more.
function isTable(value: unknown): value is CachedTable {
  if (typeof value !== 'object' || value === null) return false
  if (!('fields' in value) || !('items' in value)) return false
  const { fields, items } = value
  if (!Array.isArray(fields) || !fields.every((field) => typeof field === 'string')) return false
  return Array.isArray(items) && items.every((cells) => Array.isArray(cells) && cells.every(isCell))
}

function isCell(value: unknown): boolean {
  return typeof value === 'string' || value === null
}
