import { readEnvironment } from './config.ts'
import { twilightServices } from './services.ts'
import { startCommand } from './start-command.ts'

process.exitCode = await startCommand({
  argv: process.argv.slice(2),
  environment: readEnvironment(),
  table: twilightServices,
  entry: import.meta.filename,
})
