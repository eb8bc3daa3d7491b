// Written by "pnpm --filter @twilight/database dump" from the migrated database: do not edit.
import type { ColumnType, Generated, GeneratedAlways } from 'kysely'

// A bigint is read as text, as pg gives it: a JS number is exact only up to 2^53.
type BigintInput = string | number | bigint

// Not an array: pg would write it as a Postgres array. Stringify arrays and bare values yourself.
type JsonInput = string | { [key: string]: unknown }

type Written<Read, Write> = ColumnType<Read, Write, Write>
type Optional<Read, Write> = ColumnType<Read, Write | undefined, Write>

export type Database = {
  api_keys: ApiKeys
  claims: Claims
  hermes_profiles: HermesProfiles
  inbox: Inbox
  outbox: Outbox
  outbox_aggregates: OutboxAggregates
  outbox_streams: OutboxStreams
  payments: Payments
  rate_limits: RateLimits
  upstream_budget: UpstreamBudget
  usage_daily: UsageDaily
  usage_log: UsageLog
  users: Users
}

export type ApiKeys = {
  id: string
  user_id: string
  key_hash: Buffer
  prefix: string
  class: Generated<ApiKeysClass>
  name: Generated<string>
  scopes: Generated<string[]>
  rate_limit_per_min: Generated<number>
  created_at: Generated<Date>
  last_used_at: Date | null
  expires_at: Date | null
  revoked_at: Date | null
  revoked_sha256: Generated<string | null>
  admin_sha256: Generated<string | null>
}

export type ApiKeysClass = 'user' | 'admin'

export type Claims = {
  tool_call_id: string
  user_id: string
  claim: Written<unknown, JsonInput>
  recorded_at: Generated<Date>
}

export type HermesProfiles = {
  id: string
  user_id: string
  profile_name: string
  runtime: Generated<HermesProfilesRuntime>
  status: Generated<HermesProfilesStatus>
  created_at: Generated<Date>
  updated_at: Generated<Date>
}

export type HermesProfilesRuntime = 'loop' | 'hermes'

export type HermesProfilesStatus = 'creating' | 'ready' | 'paused' | 'failed' | 'closed'

export type Inbox = {
  consumer: string
  event_id: string
  owner: Generated<string>
  received_at: Generated<Date>
  aggregate: string | null
  aggregate_seq: Written<string | null, BigintInput | null>
  result: Written<unknown, JsonInput | null>
}

export type Outbox = {
  id: string
  seq: GeneratedAlways<string>
  aggregate: string
  aggregate_seq: Optional<string, BigintInput>
  subject: string
  headers: Optional<unknown, JsonInput>
  payload: Written<unknown, JsonInput>
  producer: Generated<string>
  created_at: Generated<Date>
  next_at: Generated<Date>
  attempts: Generated<number>
  sent_at: Date | null
  stream: string | null
  stream_seq: Written<string | null, BigintInput | null>
  last_error: string | null
}

export type OutboxAggregates = {
  aggregate: string
  producer: string
  last_seq: Written<string, BigintInput>
}

export type OutboxStreams = {
  stream: string
  producer: Generated<string>
  created: Date
  last_seq: Written<string, BigintInput>
  seen_at: Generated<Date>
}

export type Payments = {
  id: string
  user_id: string | null
  processor: PaymentsProcessor
  processor_ref: string | null
  out_trade_no: string
  amount_fen: Written<string, BigintInput>
  currency: Generated<string>
  status: Generated<PaymentsStatus>
  paid_at: Date | null
  created_at: Generated<Date>
}

export type PaymentsProcessor = 'wechat' | 'alipay' | 'stripe'

export type PaymentsStatus = 'pending' | 'paid' | 'part_refunded' | 'refunded' | 'closed'

export type RateLimits = {
  key_id: string
  full_at: Date
}

export type UpstreamBudget = {
  source: string
  api: string
  period: UpstreamBudgetPeriod
  window_at: Date
  spent: Generated<number>
  learned_limit: number | null
  learned_at: Date | null
}

export type UpstreamBudgetPeriod = 'minute' | 'hour' | 'day'

export type UsageDaily = {
  user_id: string
  day: string
  endpoint: string
  requests: Written<string, BigintInput>
  failed: Written<string, BigintInput>
  cached: Written<string, BigintInput>
  cost_points: Written<string, BigintInput>
  duration_ms: Written<string, BigintInput>
}

export type UsageLog = {
  request_id: string
  user_id: string
  key_id: string
  endpoint: string
  method: string
  status: number
  duration_ms: number
  cached: Generated<boolean>
  cost_points: Generated<number>
  at: Generated<Date>
}

export type Users = {
  id: string
  name: string
  plan: Generated<UsersPlan>
  paid_until: Date | null
  created_at: Generated<Date>
}

export type UsersPlan = 'free' | 'pro'
