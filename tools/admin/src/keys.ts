import type { KeyClass } from '@twilight/auth/api-key'
import { issueKey, type ListedKey, listKeys, revokeKey } from '@twilight/auth/issue-key'
import { type Command, defineCommand, UsageError } from './command.ts'
import { renderTable } from './render-table.ts'
import { findOrCreateUser } from './users.ts'

// Straight to the database: the first admin key must exist before anybody can ask provisioner for another.
const issueToken = defineCommand({
  name: 'issue-token',
  summary: 'Issue a key, to a new user or one that exists, and show it this once',
  options: {
    user: {
      type: 'string',
      about: 'whose it is, such as alpha-001; made if there is no such user',
    },
    plan: { type: 'string', about: 'free or pro; an existing user must have it (a new one: free)' },
    days: { type: 'string', about: 'it ends after so many days (left out: it has no end)' },
    admin: { type: 'boolean', default: false, about: 'an admin key, for /admin and nothing else' },
    scopes: { type: 'string', about: 'what it may do, by commas (user keys: data:read)' },
    rate: { type: 'string', default: '60', about: 'requests per minute' },
    name: { type: 'string', default: '', about: 'what its owner calls it' },
  },
  run: async ({ options, connections }) => {
    const order = {
      keyClass: options.admin ? ('admin' as const) : ('user' as const),
      scopes: readScopes(options.scopes, options.admin),
      ratePerMinute: readNumber('rate', options.rate, 60_000),
      expiresAt: readEnd(options.days),
      name: readLabel(options.name),
    }
    const wanted = { name: readUserName(options.user), plan: readPlan(options.plan) }
    const { transaction } = connections.database()
    const { user, issued } = await transaction(async (trx) => {
      const owner = await findOrCreateUser(trx, wanted)
      return { user: owner, issued: await issueKey(trx, { userId: owner.id, ...order }) }
    })
    const end = order.expiresAt?.toISOString() ?? null
    return {
      json: {
        key: issued.key,
        key_id: issued.keyId,
        class: order.keyClass,
        scopes: order.scopes,
        rate_limit_per_min: order.ratePerMinute,
        expires_at: end,
        user,
      },
      text: `${describeIssue({ user: user.name, keyClass: order.keyClass, end })}\n\n  ${issued.key}\n`,
    }
  },
})

const revoke = defineCommand({
  name: 'revoke',
  summary: 'End a key for ever; every service refuses it within a second',
  arguments: '<key id>',
  run: async ({ positionals, connections }) => {
    const [keyId = '', ...more] = positionals
    if (!uuid.test(keyId) || more.length > 0) {
      throw new UsageError('Give the id of one key, as "list" shows it; never the key itself.')
    }
    const { db } = connections.database()
    const bus = await connections.bus()
    const { revokedAt } = await revokeKey({ db, bus }, keyId)
    const told = bus.core.connection.isUp()
    return {
      json: { key_id: keyId, revoked_at: revokedAt.toISOString(), services_told: told },
      text: told
        ? `Revoked, and every service was told.`
        : 'Revoked. NATS did not answer: services find out by themselves within 30 s.',
    }
  },
})

const list = defineCommand({
  name: 'list',
  summary: 'Keys with their users, the newest first',
  options: { user: { type: 'string', about: 'only the keys of this user' } },
  run: async ({ options, connections }) => {
    const keys = await listKeys(connections.database().db)
    const shown = keys.filter(({ user_name: name }) => (options.user ?? name) === name)
    return {
      json: shown.map((key) => ({ ...key, state: stateOf(key) })),
      text: shown.length > 0 ? describe(shown) : 'There are no keys.',
    }
  },
})

export const keyCommands: Command[] = [issueToken, revoke, list]

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const dayMs = 86_400_000

function describe(keys: ListedKey[]): string {
  return renderTable(
    ['key id', 'user', 'class', 'key', 'state', 'issued', 'last used'],
    keys.map((key) => [
      key.id,
      key.user_name,
      key.class,
      `${key.prefix}…`,
      stateOf(key),
      minute(key.created_at),
      key.last_used_at ? minute(key.last_used_at) : 'never',
    ]),
  )
}

function stateOf({ revoked_at: revoked, expires_at: end }: ListedKey): string {
  if (revoked) return 'revoked'
  return end && end.getTime() <= Date.now() ? 'expired' : 'live'
}

function minute(time: Date): string {
  return time.toISOString().slice(0, 16).replace('T', ' ')
}

function describeIssue(issue: { user: string; keyClass: KeyClass; end: string | null }): string {
  const until = issue.end === null ? 'without an end' : `until ${issue.end.slice(0, 10)}`
  return `A new ${issue.keyClass} key of ${issue.user}, ${until}. It is shown this once:`
}

function readUserName(text: string | undefined): string {
  if (text !== undefined && /^[a-z0-9][a-z0-9._-]{0,63}$/.test(text)) return text
  throw new UsageError(
    '--user takes a handle of a-z, 0-9, dot, dash and underscore, such as alpha-001.',
  )
}

function readPlan(text: string | undefined): 'free' | 'pro' | undefined {
  if (text === undefined || text === 'free' || text === 'pro') return text
  throw new UsageError(`--plan takes free or pro, not "${text}".`)
}

function readEnd(days: string | undefined): Date | null {
  if (days === undefined) return null
  return new Date(Date.now() + readNumber('days', days, 3660) * dayMs)
}

function readNumber(option: string, text: string, max: number): number {
  if (/^[1-9]\d{0,5}$/.test(text) && Number(text) <= max) return Number(text)
  throw new UsageError(`--${option} takes a whole number from 1 to ${max}, not "${text}".`)
}

function readLabel(text: string): string {
  if (text.length <= 64) return text
  throw new UsageError('--name takes at most 64 characters.')
}

function readScopes(text: string | undefined, admin: boolean): string[] {
  if (text === undefined) return admin ? [] : ['data:read']
  const scopes = text.split(',').filter((scope) => scope !== '')
  if (scopes.length <= 20 && scopes.every((scope) => /^[a-z]+(:[a-z]+)?$/.test(scope)))
    return scopes
  throw new UsageError('--scopes takes words such as data:read, separated by commas.')
}
