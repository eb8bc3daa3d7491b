import { Problem, StartError } from '@twilight/service/errors'
import { createLogger } from '@twilight/service/log'
import { redactText } from '@twilight/service/redact'
import { type Command, UsageError } from './command.ts'
import { readAdminConfig } from './config.ts'
import { openConnections } from './connections.ts'
import { deadLetterCommands } from './dead-letters.ts'
import { healthCommand } from './health.ts'
import { describeCommand, describeCommands } from './help.ts'
import { keyCommands } from './keys.ts'
import { migrateCommand } from './migrate.ts'
import { whoamiCommand } from './whoami.ts'

/** Every command an operator has. A new one is a file and a line here. */
const commands: Command[] = [
  migrateCommand,
  healthCommand,
  ...keyCommands,
  whoamiCommand,
  ...deadLetterCommands,
]

// Exit codes: 0 well, 1 it ran and something is not well or could not be reached, 2 wrong words.
process.exitCode = await runCommandLine(process.argv.slice(2))

async function runCommandLine(argv: string[]): Promise<number> {
  const asJson = argv.includes('--json')
  const words = argv.filter((word) => word !== '--json')
  const wantsHelp = words.some((word) => word === '--help' || word === '-h' || word === 'help')
  const command = findCommand(words)
  if (wantsHelp || words.length === 0) {
    const listed = command ? [command] : commands
    const { json, text } = command ? describeCommand(command) : describeCommands(listed)
    console.log(asJson ? JSON.stringify(json, undefined, 2) : text)
    return 0
  }
  try {
    if (!command) {
      throw new UsageError(
        `There is no command "${words.slice(0, 2).join(' ')}". See: npm run admin -- --help`,
      )
    }
    await using connections = openConnections({
      config: readAdminConfig(),
      log: createLogger({ service: 'admin', version: '', level: 'silent' }),
    })
    const result = await command.run(words.slice(command.name.split(' ').length), connections)
    console.log(asJson ? JSON.stringify(result.json, undefined, 2) : result.text)
    return result.ok === false ? 1 : 0
  } catch (error) {
    return reportFailure(error, asJson)
  }
}

/** The command with the most words of its name at the front: `dead-letters list` before `dead-letters`. */
function findCommand(words: string[]): Command | undefined {
  return commands
    .filter((command) => command.name.split(' ').every((part, index) => words[index] === part))
    .toSorted((a, b) => b.name.length - a.name.length)[0]
}

function reportFailure(error: unknown, asJson: boolean): number {
  const message = redactText(error instanceof Error ? error.message : String(error))
  // What we foresaw says all in one sentence; of anything else the stack is needed.
  const foreseen =
    error instanceof UsageError || error instanceof StartError || error instanceof Problem
  const text = !foreseen && error instanceof Error ? (error.stack ?? message) : message
  if (asJson) console.log(JSON.stringify({ error: message }))
  console.error(foreseen ? text : redactText(text))
  return error instanceof UsageError ? 2 : 1
}
