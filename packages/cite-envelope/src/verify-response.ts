import { answerItems, own, type AnswerItems, type NormalResult } from './answer-items.ts'
import { finding, type Finding } from './finding.ts'
import type { NormalClaim } from './read-claim.ts'
import { verifyCiteTimes, verifyClaim } from './verify-claim.ts'
import { verifyDerived } from './verify-derived.ts'

/**
 * Checks a response body (a price, a list of prices, fundamentals, search results): every figure has a complete cite
 * and agrees with itself, with the question and, where records are given, with what the service recorded. An empty
 * list means verified. Any body may be passed; it never throws for one.
 *
 *     const findings = verifyResponse(await response.json(), { now: new Date(), asked: { codes: ['600519.SH'] } })
 */
export function verifyResponse(body: unknown, context: VerifyContext): Finding[] {
  const nowMs = context.now.getTime()
  // With an invalid clock every comparison would be false, and everything pass.
  if (Number.isNaN(nowMs)) throw new TypeError('now is an invalid Date; pass new Date().')
  const items = answerItems(body)
  const records = context.records && answerItems([...context.records])
  const findings = [...items.findings]
  if (!context.acceptOlderForms) {
    findings.push(...items.assumed.map((path) => finding('older_form', path)))
  }
  for (const { path, claim } of items.claims) {
    for (const { code, pointer } of verifyClaim(claim, nowMs)) {
      findings.push(finding(code, path + pointer))
    }
  }
  for (const { path, result } of items.results) {
    for (const { code, pointer } of verifyCiteTimes(result.cite, nowMs)) {
      findings.push(finding(code, path + pointer))
    }
    if (Date.parse(result.fetched_at) !== Date.parse(result.cite.fetched_at)) {
      findings.push(finding('fetched_at_mismatch', `${path}/fetched_at`))
    }
  }
  findings.push(
    ...findDuplicates(items),
    ...findWrongDerivations(items, records),
    ...findWrongAnswers(body, items, context.asked ?? {}),
    ...(records ? findUnrecorded(items, records) : []),
  )
  return findings
}

export type VerifyContext = {
  now: Date
  /** what was asked for: canonical codes, and the date if one was given (YYYY-MM-DD) */
  asked?: { codes?: readonly string[]; asOf?: string }
  /**
   * What `GET /claims/{tool_call_id}` answers for the ids in the body and for the arguments of its derived claims. Text
   * that went through many hands (a model, a chat) can only be trusted against them: without records a changed unit,
   * code or date may go unnoticed.
   */
  records?: readonly unknown[]
  /** true for answers from before `service` and the list form of `served_by` */
  acceptOlderForms?: boolean
}

type Item = { path: string; content: NormalClaim | NormalResult }

function contents({ claims, results }: AnswerItems): Item[] {
  return [
    ...claims.map(({ path, claim }) => ({ path, content: claim })),
    ...results.map(({ path, result }) => ({ path, content: result })),
  ]
}

function findDuplicates(items: AnswerItems): Finding[] {
  const first = new Map<string, NormalClaim | NormalResult>()
  const findings: Finding[] = []
  for (const { path, content } of contents(items)) {
    const id = content.cite.tool_call_id
    const earlier = first.get(id)
    if (!earlier) first.set(id, content)
    else if (differingFields(content, earlier).length > 0) {
      findings.push(finding('duplicate_id', `${path}/cite/tool_call_id`, id))
    }
  }
  return findings
}

function findWrongDerivations(items: AnswerItems, records: AnswerItems | undefined): Finding[] {
  // Records last: where there is one, it is the truth about an argument.
  const known = new Map(
    [...items.claims, ...(records?.claims ?? [])].map(({ claim }) => [
      claim.cite.tool_call_id,
      claim,
    ]),
  )
  return items.claims.flatMap(({ path, claim }) => {
    const wrong = verifyDerived(claim, (id) => known.get(id))
    return wrong ? [finding(wrong.code, `${path}/derived_from`, wrong.detail)] : []
  })
}

function findWrongAnswers(
  body: unknown,
  { claims, absentCodes }: AnswerItems,
  { codes, asOf }: NonNullable<VerifyContext['asked']>,
): Finding[] {
  const findings: Finding[] = []
  const statedCode = own(body, 'claims') === undefined ? undefined : own(body, 'code')
  const statedDate = own(body, 'claims') === undefined ? undefined : own(body, 'as_of')
  for (const { path, claim } of claims) {
    const claimed = claim.code.split(',')
    const foreign = codes !== undefined && !claimed.every((code) => codes.includes(code))
    if (foreign || (statedCode !== undefined && claim.code !== statedCode)) {
      findings.push(finding('code_mismatch', `${path}/code`, claim.code))
    }
    if (asOf !== undefined && claim.as_of !== asOf) {
      findings.push(finding('as_of_mismatch', `${path}/as_of`, claim.as_of))
    }
  }
  const newest = claims
    .map(({ claim }) => claim.as_of)
    .toSorted()
    .at(-1)
  if (statedDate !== undefined && newest !== undefined && statedDate !== newest) {
    findings.push(finding('as_of_mismatch', '/as_of', newest))
  }
  const answered = new Set([
    ...absentCodes,
    ...claims.flatMap(({ claim }) => claim.code.split(',')),
  ])
  for (const code of codes ?? []) {
    if (!answered.has(code)) findings.push(finding('unanswered_code', '', code))
  }
  return findings
}

function findUnrecorded(items: AnswerItems, records: AnswerItems): Finding[] {
  const recorded = new Map(
    contents(records).map(({ content }) => [content.cite.tool_call_id, content]),
  )
  return contents(items).flatMap(({ path, content }) => {
    const record = recorded.get(content.cite.tool_call_id)
    if (!record) return [finding('record_missing', `${path}/cite/tool_call_id`)]
    return differingFields(content, record).map((field) => finding('record_mismatch', path + field))
  })
}

/** JSON pointers of the fields in which two items differ; instants count by time, figures by their digits. */
function differingFields(a: NormalClaim | NormalResult, b: NormalClaim | NormalResult): string[] {
  const [left, right] = [new Map(flatten(a)), new Map(flatten(b))]
  const fields = new Set([...left.keys(), ...right.keys()])
  // The age grows while one claim is served again; everything else stays.
  fields.delete('/cite/cache_age_seconds')
  return [...fields].filter((field) => left.get(field) !== right.get(field))
}

function flatten(value: unknown, pointer = ''): [string, unknown][] {
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([key, inner]) => flatten(inner, `${pointer}/${key}`))
  }
  const isInstant = pointer.endsWith('/fetched_at')
  return [[pointer, isInstant ? Date.parse(String(value)) : value]]
}
