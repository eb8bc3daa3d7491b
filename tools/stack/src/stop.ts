import { readStopConfig } from './config.ts'
import { stopStack } from './stop-stack.ts'
import { messageOf } from './error-facts.ts'

try {
  const config = readStopConfig(process.argv.slice(2))
  const result = await stopStack({
    home: config.home,
    say: (text) => (config.json ? console.error(text) : console.log(text)),
  })
  if (config.json) console.log(JSON.stringify(result))
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 1
}
