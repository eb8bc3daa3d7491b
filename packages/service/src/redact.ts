/** What one log event or health answer may hold. A caller cannot make a line longer than this. */
const limits = { text: 2048, event: 16_384, depth: 6, keys: 64, items: 32, causes: 5 }

// Compared without case, dashes and underscores: X-Api-Key and apiKey are one name.
const secretNames = new Set([
  'authorization',
  'proxyauthorization',
  'cookie',
  'setcookie',
  'openid',
])
const secretEndings =
  /(?:token|secret|password|passwd|apikey|privatekey|credentials?|codeurl|unionid|sessionkey|apiv3key|qrcode)$/

const secretTexts: [pattern: RegExp, replacement: string][] = [
  [/\btd[ak]?_[\w-]{4,}/g, '[secret]'],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, '$1 [secret]'],
  // The whole userinfo of a URL, also when its password holds a raw slash.
  [/:\/\/(?:[^\s/?#"]*|[^\s/?#":]*:(?!\d+(?:[/?#]|$))[^\s"]*)@/g, '://[secret]@'],
  [/\bweixin:\/\/[^\s"']+/g, 'weixin://[secret]'],
  [/(?<![\w-])o[\w-]{27}(?![\w-])/g, '[secret]'],
  [/\b((?:set-)?cookie\s*:\s*)[^\r\n]+/gi, '$1[secret]'],
  [/((?:password|passwd|secret)["']?\s*:\s*["']?)[^\s"',;&}]+/gi, '$1[secret]'],
  [
    /((?:password|passwd|secret|token|api[-_]?key|private[-_]?key|authorization|openid|unionid|code_url|cookie)(?:["']\s*:\s*["']|=["']?))[^\s"',;&}]+/gi,
    '$1[secret]',
  ],
]
// Harmless in JSON, harmful on a terminal: C1 controls, line separators, bidirectional overrides.
const unprintable = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g
// Most texts hold none of all these and are done with one look.
const suspicious =
  /td[ak]?_|bearer|basic|[=:]|(?<![\w-])o[\w-]{27}|[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/i

/** The text without secrets, without characters that deceive a terminal, and at most 2 KB long. */
export function redactText(text: string): string {
  // Cut late, so that a secret that straddles the limit is still recognised.
  let safe = text.length > limits.text ? text.slice(0, limits.text * 2) : text
  if (suspicious.test(safe)) {
    for (const [pattern, replacement] of secretTexts) safe = safe.replace(pattern, replacement)
    safe = safe.replace(unprintable, '\u{fffd}')
  }
  return safe.length > limits.text || text.length > limits.text
    ? `${safe.slice(0, limits.text)}…[cut from ${text.length}]`
    : safe
}

/**
 * A plain copy of any value, fit for a log line: secrets replaced by key and by pattern, errors with
 * their causes, everything bounded.
 *
 *     redact({ authorization: 'Bearer x', note: 'postgres://u:p@h' })
 *     // { authorization: '[secret]', note: 'postgres://[secret]@h' }
 */
export function redact(value: unknown): unknown {
  return copy(value, 0, { left: limits.event })
}

/** The same for what is known to be fields. */
export function redactFields(fields: object): Record<string, unknown> {
  return copyFields(fields, 0, { left: limits.event })
}

type FieldName = { safe: string; isSecret: boolean }

// The same few hundred names come again and again; wild ones (a body's keys) must not fill the memory.
const knownNames = new Map<string, FieldName>()
const maxKnownNames = 1000

function fieldName(name: string): FieldName {
  const known = knownNames.get(name)
  if (known) return known
  const plain = name.toLowerCase().replaceAll(/[-_]/g, '')
  const isSecret = secretNames.has(plain) || secretEndings.test(plain)
  const field = { safe: redactText(name), isSecret }
  if (knownNames.size < maxKnownNames && name.length < 64) knownNames.set(name, field)
  return field
}

type Budget = { left: number }

function copy(value: unknown, depth: number, budget: Budget): unknown {
  if (typeof value === 'string') return spend(redactText(value), budget)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object') return undefined
  if (depth >= limits.depth || budget.left <= 0) return '[cut]'
  if (value instanceof Error) return copyError(value, depth, budget)
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (Array.isArray(value)) {
    return value.slice(0, limits.items).map((item) => copy(item, depth + 1, budget))
  }
  if (value instanceof Map || value instanceof Set) return `[${value.size} entries]`
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    return copy(value.toJSON(), depth + 1, budget)
  }
  return copyFields(value, depth, budget)
}

function copyFields(value: object, depth: number, budget: Budget): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  let count = 0
  for (const [key, field] of Object.entries(value)) {
    count += 1
    if (count > limits.keys) break
    const { safe, isSecret } = fieldName(key)
    const hidden = isSecret && field !== undefined && field !== null
    fields[spend(safe, budget)] = hidden ? '[secret]' : copy(field, depth + 1, budget)
  }
  return fields
}

function copyError(error: Error, depth: number, budget: Budget, causes = 0): object {
  const { name, message, stack, cause, ...fields } = error
  const copied: Record<string, unknown> = {
    type: spend(redactText(error.constructor.name || name), budget),
    message: spend(redactText(message || error.message), budget),
    stack: spend(redactText(stack ?? error.stack ?? ''), budget),
    ...copyFields(fields, depth, budget),
  }
  const inner = cause ?? error.cause
  if (inner !== undefined && causes < limits.causes) {
    copied['cause'] =
      inner instanceof Error
        ? copyError(inner, depth, budget, causes + 1)
        : copy(inner, depth + 1, budget)
  }
  return copied
}

function spend(text: string, budget: Budget): string {
  const kept = budget.left <= 0 ? '[cut]' : text.slice(0, budget.left)
  budget.left -= kept.length
  return kept
}
