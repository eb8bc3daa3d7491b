import { absenceSchema, searchResultSchema } from './answer.ts'
import { finding, type Finding } from './finding.ts'
import {
  readCite,
  readClaim,
  type NormalCite,
  type NormalClaim,
  type ReadProblem,
} from './read-claim.ts'

/** Everything in a response that must have a cite, wherever the shape of the answer puts it. */
export function answerItems(body: unknown): AnswerItems {
  const items: AnswerItems = { claims: [], results: [], absentCodes: [], assumed: [], findings: [] }
  if (Array.isArray(body)) {
    addEntries(items, body, '')
    return items
  }
  let recognised = false
  for (const list of ['claims', 'prices', 'results']) {
    const entries = own(body, list)
    if (entries === undefined) continue
    recognised = true
    if (Array.isArray(entries)) addEntries(items, entries, `/${list}`)
    else items.findings.push(finding('malformed', `/${list}`))
  }
  // Beside a list too: a lone value must not pass uncited because a list stands next to it.
  const hasValue = own(body, 'value') !== undefined || own(body, 'value_text') !== undefined
  if (hasValue || (!recognised && own(body, 'cite') !== undefined)) addEntry(items, body, '')
  else if (!recognised) items.findings.push(finding('not_an_answer', ''))
  return items
}

/** An own property of an object; undefined for anything else. */
export function own(input: unknown, field: string): unknown {
  if (typeof input !== 'object' || input === null || !Object.hasOwn(input, field)) return undefined
  return Reflect.get(input, field)
}

export type AnswerItems = {
  claims: { path: string; claim: NormalClaim }[]
  results: { path: string; result: NormalResult }[]
  absentCodes: string[]
  /** places where an older form left something unsaid */
  assumed: string[]
  findings: Finding[]
}

export type NormalResult = {
  title: string
  url: string
  snippet: string
  fetched_at: string
  cite: NormalCite
}

/** A batch of prices has 100 entries at most, the fundamentals of a company a few hundred. */
const maxEntries = 2000

function addEntries(items: AnswerItems, entries: unknown[], path: string): void {
  if (entries.length > maxEntries) items.findings.push(finding('too_many_items', path))
  entries.slice(0, maxEntries).forEach((entry, index) => addEntry(items, entry, `${path}/${index}`))
}

function addEntry(items: AnswerItems, entry: unknown, path: string): void {
  const hasValue = own(entry, 'value') !== undefined || own(entry, 'value_text') !== undefined
  if (!hasValue && own(entry, 'problem') !== undefined) addAbsence(items, entry, path)
  else if (!hasValue && own(entry, 'url') !== undefined) addResult(items, entry, path)
  else addClaim(items, entry, path)
}

function addAbsence(items: AnswerItems, entry: unknown, path: string): void {
  const absence = absenceSchema.safeParse(entry)
  if (absence.success) items.absentCodes.push(absence.data.code)
  else items.findings.push(finding('malformed', path))
}

function addResult(items: AnswerItems, entry: unknown, path: string): void {
  const outer = resultFieldsSchema.safeParse(entry)
  if (!outer.success) {
    for (const { path: place } of outer.error.issues) {
      items.findings.push(finding('malformed', `${path}/${place.join('/')}`))
    }
  }
  const cite = readCite(own(entry, 'cite'))
  if (!cite.ok) addProblems(items, under('/cite', cite.problems), path)
  if (!outer.success || !cite.ok) return
  const { title, url, snippet, fetched_at } = outer.data
  items.results.push({ path, result: { title, url, snippet, fetched_at, cite: cite.cite } })
  items.assumed.push(...cite.assumed.map((pointer) => `${path}/cite${pointer}`))
  if (cite.cite.original_url === undefined) {
    items.findings.push(finding('incomplete_cite', `${path}/cite/original_url`))
  }
}

const resultFieldsSchema = searchResultSchema.omit({ cite: true })

function addClaim(items: AnswerItems, entry: unknown, path: string): void {
  const read = readClaim(entry)
  if (!read.ok) {
    addProblems(items, read.problems, path)
    return
  }
  items.claims.push({ path, claim: read.claim })
  items.assumed.push(...read.assumed.map((pointer) => path + pointer))
  const { table, original_url: url } = read.claim.cite
  if (table === undefined && url === undefined) {
    items.findings.push(finding('incomplete_cite', `${path}/cite/table`))
  }
}

function under(prefix: string, problems: ReadProblem[]): ReadProblem[] {
  return problems.map(({ code, pointer }) => ({ code, pointer: prefix + pointer }))
}

function addProblems(items: AnswerItems, problems: ReadProblem[], path: string): void {
  for (const { code, pointer } of problems) {
    if (pointer === '/cite') {
      items.findings.push(finding(code === 'invalid' ? 'incomplete_cite' : 'missing_cite', path))
      continue
    }
    const kind = pointer.startsWith('/cite/') ? 'incomplete_cite' : 'malformed'
    items.findings.push(finding(kind, path + pointer, code))
  }
}
