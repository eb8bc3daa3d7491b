import { StartError } from './errors.ts'
import type { Environment, Field } from './config-fields.ts'

export type Config<Fields extends Record<string, Field<unknown>>> = {
  [Name in keyof Fields]: Fields[Name] extends Field<infer T> ? T : never
}

/** Everything that is wrong with the environment, one line each. */
export class ConfigError extends StartError {
  readonly problems: string[]

  constructor(problems: string[]) {
    const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
    super(`The configuration has ${count}:\n${problems.map((line) => `  ${line}`).join('\n')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/**
 * The typed configuration of a process, or a ConfigError that lists every problem at once. Call it
 * inside `runService`, which prints that list and exits with 1 before anything is started.
 *
 *     const config = readConfig(process.env, {
 *       port: integer('PORT', { about: 'where to listen', default: 8080, min: 0, max: 65_535 }),
 *       databaseUrl: secret('DATABASE_URL', { about: 'Postgres, as role data_api', url: ['postgres:'] }),
 *     })
 */
export function readConfig<Fields extends Record<string, Field<unknown>>>(
  env: Environment,
  fields: Fields,
): Config<Fields> {
  const values: Record<string, unknown> = {}
  const problems: string[] = []
  for (const [name, field] of Object.entries(fields)) {
    const result = field.read(env)
    if ('problem' in result) problems.push(`${field.env}: ${result.problem}`)
    else values[name] = result.value
  }
  if (problems.length > 0) throw new ConfigError(problems)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- built field by field above
  return values as Config<Fields>
}

/** The manual of a configuration: one line per field, for --help and for the docs. */
export function describeConfig(fields: Record<string, Field<unknown>>): string {
  const rows = Object.values(fields).map((field) => [
    field.isSecret ? `${field.env}[_FILE]` : field.env,
    field.kind,
    field.fallback,
    field.about,
  ])
  const table = [['name', 'value', 'default', 'meaning'], ...rows]
  const widths = [0, 1, 2].map((column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  )
  return table
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('')
}
