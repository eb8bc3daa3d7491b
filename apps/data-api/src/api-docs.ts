import { clockOf, type ClockedTable } from '@twilight/market-sources/publication-clocks'
import { Problem, toProblemBody } from '@twilight/service/errors'
import { z } from 'zod'
import { problemFixes } from './problem-fixes.ts'

/**
 * docs/api.md with what the code knows better written anew: every part between a pair of markers
 * `<!-- generated: problems -->` and `<!-- end -->`. `openApi` is the document of `/openapi.json`.
 *
 *     writeGeneratedParts(page, JSON.parse(openApiText))
 */
export function writeGeneratedParts(page: string, openApi: unknown): string {
  const operations = operationsOf(openApiSchema.parse(openApi))
  const common = commonCodes(operations)
  const parts: Record<string, string> = {
    endpoints: endpoints(operations, common),
    freshness: freshness(),
    problems: problems(),
    ...Object.fromEntries(
      operations.map((one) => [`${one.method} ${one.path}`, details(one, common)]),
    ),
  }
  return page.replaceAll(generatedPart, (_, name: string) => {
    const part = parts[name]
    if (part === undefined) throw new Error(`docs/api.md has a marker for nothing: ${name}`)
    return `<!-- generated: ${name} -->\n\n${part}\n\n<!-- end -->`
  })
}

const generatedPart = /<!-- generated: (.+?) -->\n[^]*?<!-- end -->/g

function operationsOf({ paths }: OpenApi): Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { summary, parameters, security, responses }]) => ({
      path,
      method: method.toUpperCase(),
      summary,
      parameters,
      guarded: security !== undefined,
      codes: Object.values(responses).flatMap(({ description }) =>
        [...description.matchAll(/`(\w+)`/g)].flatMap(([, code]) => code ?? []),
      ),
    })),
  )
}

function endpoints(operations: Operation[], common: Set<string>): string {
  const rows = operations.map(({ method, path, summary, guarded }) => [
    `\`${method} ${path}\``,
    summary,
    guarded ? 'user' : 'none',
  ])
  const list = table(['endpoint', 'what', 'key'], rows)
  return `${list}\n\nEvery endpoint with a key may answer ${inCode(common)}.`
}

/** What a client must expect wherever it sends a key. */
function commonCodes(operations: Operation[]): Set<string> {
  const [first = new Set<string>(), ...others] = operations
    .filter(({ guarded }) => guarded)
    .map(({ codes }) => new Set(codes))
  return others.reduce((common, codes) => common.intersection(codes), first)
}

function details({ parameters, codes }: Operation, common: Set<string>): string {
  const rows = parameters.map(({ name, required, schema }) => {
    const { description = `\`${schema.pattern}\``, default: otherwise } = schema
    const meaning =
      otherwise === undefined ? description : `${description}; default \`${otherwise}\``
    return [`\`${name}\``, required ? 'yes' : 'no', meaning]
  })
  const inputs = rows.length > 0 ? table(['parameter', 'required', 'meaning'], rows) : ''
  const own = new Set(codes).difference(common)
  return `${inputs}\n\n${own.size > 0 ? `May also answer ${inCode(own)}.` : ''}`.trim()
}

function inCode(codes: Set<string>): string {
  return [...codes].map((code) => `\`${code}\``).join(' ')
}

function freshness(): string {
  const rows = Object.entries(served).flatMap(([name, what]) => {
    if (what === undefined) return []
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of served are exactly these
    const { opens, due, settled, daysLater = 0 } = clockOf(name as ClockedTable)
    const later = daysLater > 0 ? ' the next day' : ''
    return [[`\`${name}\``, what, opens + later, due + later, settled + later]]
  })
  return table(['table', 'what', 'may appear from', 'due', 'settled'], rows)
}

/** A table with a clock that no endpoint serves yet is undefined. */
const served: Record<ClockedTable, string | undefined> = {
  daily: 'closes of stocks',
  index_daily: 'closes of indices',
  fund_daily: 'closes of funds',
  daily_basic: 'ratios of the day',
  adj_factor: 'adjustment factors',
  hk_daily: 'closes of Hong Kong',
  us_daily: 'closes of New York',
  stk_limit: undefined,
  stock_st: undefined,
  report_rc: undefined,
}

function problems(): string {
  const rows = Object.entries(problemFixes).map(([name, fix]) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of problemFixes are exactly these
    const problem = new Problem(name as Problem['code'])
    const { status, code, title, title_zh: titleZh } = toProblemBody(problem, { requestId: '' })
    return [String(status), `\`${code}\``, `${titleZh} / ${title}`, fix]
  })
  const byStatus = rows.toSorted(([a], [b]) => Number(a) - Number(b))
  return table(['status', 'code', 'meaning', 'what to do'], byStatus)
}

function table(heads: string[], rows: string[][]): string {
  return [line(heads), `|${'---|'.repeat(heads.length)}`, ...rows.map(line)].join('\n')
}

function line(cells: string[]): string {
  return `| ${cells.join(' | ')} |`
}

const openApiSchema = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        summary: z.string(),
        parameters: z
          .array(
            z.object({
              name: z.string(),
              required: z.boolean(),
              schema: z.object({
                description: z.string().optional(),
                pattern: z.string().optional(),
                default: z.union([z.string(), z.number(), z.boolean()]).optional(),
              }),
            }),
          )
          .default([]),
        security: z.array(z.unknown()).optional(),
        responses: z.record(z.string(), z.object({ description: z.string() })),
      }),
    ),
  ),
})

type OpenApi = z.infer<typeof openApiSchema>
type Operation = Pick<OpenApi['paths'][string][string], 'summary' | 'parameters'> & {
  method: string
  path: string
  guarded: boolean
  codes: string[]
}
