import type { Database } from './schema.ts'

/** One login per app; no app knows another's password. */
export const roles = [
  'data_api',
  'search_proxy',
  'payments',
  'provisioner',
  'bot_gateway',
  'llm_relay',
  'landing',
  'ingest',
] as const

export type Role = (typeof roles)[number]

/** What a role may do to a table: on all of its columns, or on those named. Nothing else is allowed. */
export type TableGrants<Column extends string = string> = {
  select?: 'all' | Column[]
  insert?: 'all' | Column[]
  update?: 'all' | Column[]
  delete?: 'all'
}

type Grants = { [Table in keyof Database]?: TableGrants<keyof Database[Table] & string> }

// Publishing and consuming: row level security leaves each role its own outbox rows.
const mailbox = {
  outbox: {
    select: 'all',
    insert: 'all',
    update: ['next_at', 'attempts', 'sent_at', 'stream', 'stream_seq', 'last_error'],
    delete: 'all',
  },
  inbox: { select: 'all', insert: 'all', update: ['result'], delete: 'all' },
  outbox_streams: {
    select: 'all',
    insert: 'all',
    update: ['created', 'last_seq', 'seen_at'],
    delete: 'all',
  },
} satisfies Grants

// The bearer guard: find a key by its hash, see what its owner has paid for, meter the request.
const keyGuard = {
  users: { select: ['id', 'name', 'plan', 'paid_until'] },
  api_keys: { select: 'all', update: ['last_used_at'] },
  rate_limits: { select: 'all', insert: 'all', update: ['full_at'] },
  usage_log: { select: 'all', insert: 'all' },
  usage_daily: {
    select: 'all',
    insert: 'all',
    update: ['requests', 'failed', 'cached', 'cost_points', 'duration_ms'],
  },
} satisfies Grants

/** Who may do what: the whole truth. `migrate` takes away everything that does not stand here. */
export const grants: Record<Role, Grants> = {
  data_api: {
    ...keyGuard,
    ...mailbox,
    // It also prunes what it has added to the daily totals.
    usage_log: { ...keyGuard.usage_log, delete: 'all' },
    // What was served stays as it was served.
    claims: { select: 'all', insert: 'all' },
    upstream_budget: {
      select: 'all',
      insert: 'all',
      update: ['window_at', 'spent', 'learned_limit', 'learned_at'],
    },
  },
  search_proxy: { ...keyGuard, ...mailbox },
  llm_relay: { ...keyGuard, ...mailbox },
  payments: {
    ...mailbox,
    users: { select: 'all', insert: 'all', update: ['plan', 'paid_until'] },
    payments: { select: 'all', insert: 'all', update: 'all' },
  },
  provisioner: {
    ...mailbox,
    // It may name a user, not extend what was paid for.
    users: {
      select: 'all',
      insert: ['id', 'name', 'plan', 'created_at'],
      update: ['name', 'plan'],
    },
    // It writes key hashes and cannot read them back, but for those its own guard has to find.
    api_keys: {
      select: [
        'id',
        'user_id',
        'prefix',
        'class',
        'name',
        'scopes',
        'rate_limit_per_min',
        'created_at',
        'last_used_at',
        'expires_at',
        'revoked_at',
        // The hash of a dead key, to tell everyone which one died.
        'revoked_sha256',
        // The hash of an admin key, for the guard of /admin.
        'admin_sha256',
      ],
      insert: 'all',
      update: ['name', 'scopes', 'rate_limit_per_min', 'last_used_at', 'expires_at', 'revoked_at'],
    },
    rate_limits: keyGuard.rate_limits,
    hermes_profiles: { select: 'all', insert: 'all', update: 'all' },
    usage_daily: { select: 'all' },
  },
  bot_gateway: {
    ...mailbox,
    users: { select: ['id', 'plan', 'paid_until'] },
    hermes_profiles: { select: 'all' },
  },
  // Asks the others over NATS.
  landing: {},
  ingest: { ...mailbox },
}

/** A session's bounds, set by the server itself for whoever logs in as the role. */
export const sessionSettings: Record<Role, SessionSettings> = {
  data_api: answering(),
  search_proxy: answering(),
  llm_relay: answering(),
  landing: answering(),
  payments: working(),
  provisioner: working(),
  bot_gateway: working(),
  ingest: working(),
}

export type SessionSettings = {
  statement_timeout: string
  lock_timeout: string
  idle_in_transaction_session_timeout: string
}

function answering(): SessionSettings {
  return { statement_timeout: '2s', lock_timeout: '1s', idle_in_transaction_session_timeout: '5s' }
}

function working(): SessionSettings {
  return { ...answering(), statement_timeout: '15s' }
}
