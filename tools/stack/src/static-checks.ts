import { join } from 'node:path'
import { type Environment, repositoryRoot } from './config.ts'
import { runProgram } from './run-program.ts'

const timeoutMs = 5 * 60_000
const atOnce = 2
const typesCache = ['--tsBuildInfoFile', '.twilight/cache/types.tsbuildinfo']

/** What `npm test` and `npm run check` hold the sources to. */
export const staticChecks: StaticCheck[] = [
  { name: 'types', command: ['tsc', '-p', 'tsconfig.json', '--incremental', ...typesCache] },
  { name: 'lint', command: ['oxlint', '--type-aware'] },
  { name: 'unused code', command: ['knip', '--cache', '--cache-location', '.twilight/cache/knip'] },
  { name: 'formatting', command: ['oxfmt', '--check', '.'] },
  { name: 'docs', command: ['node', 'tools/stack/src/check-docs.ts'] },
]

export type StaticCheck = { name: string; command: string[] }

export type CheckResult = { name: string; passed: boolean; ms: number; output: string }

/** All of them, two at a time; each is told as soon as it is done. */
export async function runStaticChecks(options: {
  checks: StaticCheck[]
  environment: Environment
  signal: AbortSignal
  onResult: (result: CheckResult) => void
}): Promise<CheckResult[]> {
  const waiting = [...options.checks]
  const results: CheckResult[] = []
  const work = async () => {
    for (let check = waiting.shift(); check; check = waiting.shift()) {
      if (options.signal.aborted) return
      const result = await runCheck(check.name, check.command, options)
      results.push(result)
      options.onResult(result)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return results
}

async function runCheck(
  name: string,
  [program = '', ...args]: string[],
  options: { environment: Environment; signal: AbortSignal },
): Promise<CheckResult> {
  const startedAt = performance.now()
  const result = await runProgram({
    program: join(repositoryRoot, 'node_modules/.bin', program),
    args,
    cwd: repositoryRoot,
    timeoutMs,
    ...options,
  })
  const ending = result.ok ? '' : `\n"${program}" ended with ${result.how}.`
  return {
    name,
    passed: result.ok,
    ms: performance.now() - startedAt,
    output: `${result.output}${ending}`,
  }
}
