import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import type { Connections } from './connections.ts'

/**
 * One command of the operator's CLI. The help text, `--json` and the exit code come from here, so
 * that every command has them and they look alike.
 *
 *     export const listOrders = defineCommand({
 *       name: 'orders list',
 *       summary: 'Newest orders first',
 *       options: { limit: { type: 'string', default: '20', about: 'how many rows' } },
 *       run: async ({ options, connections }) => ({ rows: …, print: () => renderTable(…) }),
 *     })
 */
export function defineCommand<Options extends CommandOptions>(command: {
  name: string
  summary: string
  /** The words after the name, as shown in the help: `<id…>`. */
  arguments?: string
  options?: Options
  run: (call: CommandCall<Options>) => Promise<CommandResult>
}): Command {
  return {
    name: command.name,
    summary: command.summary,
    arguments: command.arguments ?? '',
    options: command.options ?? {},
    run: async (words, connections) => {
      const { values, positionals } = readWords(words, command)
      return command.run({
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- parseArgs has checked them against command.options; its own type is wider
        options: values as OptionValues<Options>,
        positionals,
        connections,
      })
    },
  }
}

/** Wrong words on the command line: shown without a stack, exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}

export type Command = {
  name: string
  summary: string
  arguments: string
  options: CommandOptions
  run: (words: string[], connections: Connections) => Promise<CommandResult>
}

export type CommandOptions = Record<
  string,
  { type: 'string' | 'boolean'; default?: string | boolean; about: string }
>

export type CommandResult = {
  /** What `--json` prints: the whole result, nothing shortened. */
  json: unknown
  /** What a person reads. */
  text: string
  /** False makes the exit code 1: the command ran, and what it looked at is not well. */
  ok?: boolean
}

type CommandCall<Options extends CommandOptions> = {
  options: OptionValues<Options>
  positionals: string[]
  connections: Connections
}

type OptionValues<Options extends CommandOptions> = {
  [Name in keyof Options]: Options[Name]['default'] extends string | boolean
    ? ValueOf<Options[Name]['type']>
    : ValueOf<Options[Name]['type']> | undefined
}

type ValueOf<Type extends 'string' | 'boolean'> = Type extends 'string' ? string : boolean

function readWords(
  words: string[],
  command: { name: string; arguments?: string; options?: CommandOptions },
) {
  const options: ParseArgsOptionsConfig = {}
  for (const [name, { type, default: fallback }] of Object.entries(command.options ?? {})) {
    options[name] = fallback === undefined ? { type } : { type, default: fallback }
  }
  try {
    return parseArgs({ args: words, options, allowPositionals: Boolean(command.arguments) })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('. ')[0] : String(cause)
    throw new UsageError(`${reason}. See: npm run admin -- ${command.name} --help`, { cause })
  }
}
