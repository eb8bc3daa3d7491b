import { whoami } from '@twilight/auth/whoami'
import { defineCommand, UsageError } from './command.ts'
import { renderTable } from './render-table.ts'

export const whoamiCommand = defineCommand({
  name: 'whoami',
  summary: 'Whose key it is: from TWILIGHT_API_TOKEN, or from standard input',
  run: async ({ connections }) => {
    const key = connections.config.apiToken ?? (await readKey(process.stdin))
    const record = await whoami(connections.database().db, key)
    if (!record) {
      return { ok: false, json: { known: false }, text: 'This is nobody’s key.' }
    }
    const { keyId, userId, userName, scopes, plan, ratePerMinute } = record
    const [revokedAt, expiresAt, paidUntil] = [
      record.revokedAtMs,
      record.expiresAtMs,
      record.paidUntilMs,
    ].map((ms) => (ms === undefined ? null : new Date(ms).toISOString()))
    const opens = record.revokedAtMs === undefined && (record.expiresAtMs ?? Infinity) > Date.now()
    return {
      ok: opens,
      json: {
        known: true,
        live: opens,
        key_id: keyId,
        class: record.class,
        user_id: userId,
        user: userName,
        plan,
        paid_until: paidUntil,
        scopes,
        rate_limit_per_min: ratePerMinute,
        expires_at: expiresAt,
        revoked_at: revokedAt,
      },
      text: renderTable(
        ['user', 'plan', 'class', 'key id', 'state'],
        [
          [
            userName,
            plan,
            record.class,
            keyId,
            opens ? 'live' : revokedAt ? `revoked ${revokedAt}` : `expired ${expiresAt}`,
          ],
        ],
      ),
    }
  },
})

const maxInputLength = 1024

/** Never from the command line, which every process of the machine can read. */
async function readKey(input: NodeJS.ReadStream): Promise<string> {
  if (input.isTTY) {
    throw new UsageError('Set TWILIGHT_API_TOKEN to the key, or pipe the key into this command.')
  }
  let text = ''
  for await (const chunk of input) {
    text += String(chunk)
    if (text.length > maxInputLength) throw new UsageError('This is too long to be a key.')
  }
  if (text.trim() === '')
    throw new UsageError('Neither TWILIGHT_API_TOKEN nor the input has a key.')
  return text.trim()
}
