/** A cell as the source wrote it: numbers keep their digits (`1466.00`), strings are themselves. */
export type Cell = string | null

export type TushareTable = {
  fields: readonly string[]
  /** one object per item, keyed by column: the server's column order never matters */
  rows: Record<string, Cell>[]
  hasMore: boolean
}

export type TushareAnswer =
  | { code: 0; requestId: string | undefined; table: TushareTable }
  | { code: number; requestId: string | undefined; message: string; table: undefined }

/**
 * The answer of one call, checked for shape only. Throws an Error that says what is wrong with it.
 *
 *     readTushareAnswer(bytes).table?.rows // [{ ts_code: '600519.SH', close: '1466.00', … }]
 */
export function readTushareAnswer(body: Uint8Array): TushareAnswer {
  const envelope = parseKeepingDigits(body)
  if (!isObject(envelope)) throw new Error('the answer is not a JSON object')
  const code = typeof envelope['code'] === 'string' ? Number(envelope['code']) : Number.NaN
  if (!Number.isInteger(code)) throw new Error('the answer has no code')
  const requestId =
    typeof envelope['request_id'] === 'string' && envelope['request_id'] !== ''
      ? envelope['request_id'].slice(0, 100)
      : undefined
  if (code !== 0) {
    const message = typeof envelope['msg'] === 'string' ? envelope['msg'] : ''
    return {
      code,
      requestId,
      message: message.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 200),
      table: undefined,
    }
  }
  return { code: 0, requestId, table: readTable(envelope['data']) }
}

function readTable(data: unknown): TushareTable {
  if (!isObject(data)) throw new Error('the answer says success and has no data')
  const fields = data['fields']
  const items = data['items']
  if (!Array.isArray(fields) || !fields.every(isColumnName))
    throw new Error('data.fields is not a list of column names')
  if (new Set(fields).size !== fields.length) throw new Error('data.fields names a column twice')
  if (!Array.isArray(items)) throw new Error('data.items is not a list')
  return {
    fields,
    rows: items.map((item, index) => readRow(item, fields, index)),
    hasMore: data['has_more'] === true,
  }
}

function readRow(item: unknown, fields: readonly string[], index: number): Record<string, Cell> {
  if (!Array.isArray(item) || item.length !== fields.length) {
    throw new Error(`item ${index} does not have the ${fields.length} cells of data.fields`)
  }
  const row: Record<string, Cell> = {}
  for (const [column, field] of fields.entries()) {
    const cell: unknown = item[column]
    if (typeof cell !== 'string' && cell !== null)
      throw new Error(`item ${index}: ${field} is neither text, number nor null`)
    row[field] = cell
  }
  return row
}

// Every number becomes its own source text: 1466.00 stays 1466.00 and 20-digit integers stay exact.
function parseKeepingDigits(body: Uint8Array): unknown {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  return JSON.parse(text, (_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' ? (context?.source ?? String(value)) : value,
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// Some columns begin with a digit (1y, 5y). A name that is special to objects must not come through.
function isColumnName(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z0-9][a-z0-9_]{0,63}$/.test(value)
}
