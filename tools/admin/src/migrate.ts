import { migrate } from '@twilight/database/migrate'
import { defineCommand } from './command.ts'

export const migrateCommand = defineCommand({
  name: 'migrate',
  summary: 'Bring the database to the newest schema and give each app exactly its rights',
  run: async ({ connections }) => {
    const result = await migrate({
      url: connections.databaseAdminUrl(),
      rolePasswords: connections.config.rolePasswords,
      // Beside the result, so that --json stays one document.
      log: (line) => console.error(line),
    })
    return {
      json: result,
      text:
        result.applied.length > 0
          ? `Applied ${result.applied.join(', ')}.`
          : 'The schema is up to date.',
    }
  },
})
