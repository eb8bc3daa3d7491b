import { runTestCommand } from './run-test-command.ts'
import { staticChecks } from './static-checks.ts'

process.exitCode = await runTestCommand({
  argv: process.argv.slice(2),
  checks: staticChecks,
  vitestArgs: [],
})
