import type { Command } from './command.ts'

type Help = { json: unknown; text: string }

/** What `--help` shows of all commands. */
export function describeCommands(commands: Command[]): Help {
  const width = Math.max(...commands.map((command) => usage(command).length))
  const lines = commands.map((command) => `  ${usage(command).padEnd(width)}  ${command.summary}`)
  return {
    json: commands.map(({ name, arguments: words, summary }) => ({
      name,
      arguments: words,
      summary,
    })),
    text: `npm run admin -- <command> [options]

${lines.join('\n')}

Each command explains itself with --help and prints JSON with --json.
It finds the stack that "npm start" runs here; elsewhere set DATABASE_ADMIN_URL and NATS_URL.`,
  }
}

/** What `--help` shows of one command. */
export function describeCommand(command: Command): Help {
  const options = Object.entries(command.options).map(([name, option]) => {
    const word = `--${name}${option.type === 'string' ? ' <value>' : ''}`
    const fallback = option.default === undefined ? '' : ` (default ${String(option.default)})`
    return `  ${word.padEnd(22)}${option.about}${fallback}`
  })
  const lines = [...options, `  ${'--json'.padEnd(22)}print the whole result as JSON`]
  return {
    json: {
      name: command.name,
      arguments: command.arguments,
      summary: command.summary,
      options: command.options,
    },
    text: `npm run admin -- ${usage(command)} [options]\n${command.summary}\n\n${lines.join('\n')}`,
  }
}

function usage(command: Command): string {
  return `${command.name} ${command.arguments}`.trimEnd()
}
