import { globSync } from 'node:fs'
import { join } from 'node:path'
import { readEnvironment, repositoryRoot } from './config.ts'
import { findDocProblems } from './doc-problems.ts'
import { runProgram } from './run-program.ts'

// Every path and command a page cites must exist: a page that lies is worse than none.
const pages = globSync(['README.md', 'CONTRIBUTING.md', 'docs/*.md'], { cwd: repositoryRoot })
const problems = findDocProblems({
  root: repositoryRoot,
  pages: pages.toSorted(),
  adminCommands: await readAdminCommands(),
})
for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exitCode = 1
else console.log(`${pages.length} pages: everything they cite exists.`)

/** The names the CLI itself lists; undefined when it cannot tell. */
async function readAdminCommands(): Promise<string[] | undefined> {
  const result = await runProgram({
    program: process.execPath,
    args: [join(repositoryRoot, 'tools/admin/src/main.ts'), '--help', '--json'],
    environment: readEnvironment(),
    cwd: repositoryRoot,
    timeoutMs: 20_000,
  })
  if (!result.ok) return undefined
  try {
    const help: unknown = JSON.parse(result.output)
    const list = Array.isArray(help) ? help : Object(help).commands
    if (!Array.isArray(list)) return undefined
    return list.map((entry) => String(typeof entry === 'string' ? entry : Object(entry).name))
  } catch {
    return undefined // It printed no JSON: then the names are not checked.
  }
}
