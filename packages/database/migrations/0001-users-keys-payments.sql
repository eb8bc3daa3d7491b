-- Ids have no default: the app makes them (UUIDv7) before it writes, so a transaction whose outcome is
-- unknown is repeated with the same ids and a unique key makes the repeat harmless. It also keeps
-- Postgres 15 to 17 in reach, which have no uuidv7().

create table users (
  id          uuid primary key,
  name        text not null unique check (length(name) between 1 and 64),
  plan        text not null default 'free' check (plan in ('free', 'pro')),
  paid_until  timestamptz,
  created_at  timestamptz not null default now()
);
comment on table users is 'Who may use the house: buyers, testers and operators.';
comment on column users.name is 'A handle such as alpha-001; shown in logs and lists, so never a phone number, an address or an openid.';
comment on column users.paid_until is 'End of the last pass; null: never paid. A projection, moved only by payments.';

create table api_keys (
  id                  uuid primary key,
  user_id             uuid not null references users,
  key_hash            bytea not null unique check (octet_length(key_hash) = 32),
  prefix              text not null check (length(prefix) between 3 and 16),
  class               text not null default 'user' check (class in ('user', 'admin')),
  name                text not null default '' check (length(name) <= 64),
  scopes              text[] not null default '{}',
  rate_limit_per_min  int not null default 60 check (rate_limit_per_min > 0),
  created_at          timestamptz not null default now(),
  last_used_at        timestamptz,
  expires_at          timestamptz,
  revoked_at          timestamptz
);
create index api_keys_of_user on api_keys (user_id);
create index api_keys_revoked on api_keys (revoked_at) where revoked_at is not null;
comment on table api_keys is 'Bearer keys of users and operators. The key itself is nowhere in the database.';
comment on column api_keys.key_hash is 'SHA-256 of the whole key, 32 raw bytes, so that a key can never be stored here by mistake.';
comment on column api_keys.prefix is 'The first characters of the key, to tell keys apart in lists.';
comment on column api_keys.revoked_at is 'Never set back to null: a revoked key stays revoked.';

create table payments (
  id             uuid primary key,
  user_id        uuid references users,
  processor      text not null check (processor in ('wechat', 'alipay', 'stripe')),
  processor_ref  text check (processor_ref <> ''),
  out_trade_no   text not null unique check (out_trade_no <> ''),
  amount_fen     bigint not null check (amount_fen > 0),
  currency       text not null default 'CNY' check (currency ~ '^[A-Z]{3}$'),
  status         text not null default 'pending'
                 check (status in ('pending', 'paid', 'part_refunded', 'refunded', 'closed')),
  paid_at        timestamptz,
  created_at     timestamptz not null default now(),
  unique (processor, processor_ref),
  constraint payments_paid_has_proof
    check (status in ('pending', 'closed') or (processor_ref is not null and paid_at is not null))
);
create index payments_of_user on payments (user_id);
comment on table payments is 'Money that moved in, or is asked for: one row per number we gave the processor.';
comment on column payments.user_id is 'Null: money that arrived for nobody we know. It is kept, never dropped.';
comment on column payments.processor_ref is 'The processor''s own number of the payment; known once it is paid.';
comment on column payments.out_trade_no is 'Our number for it, the one the processor repeats to us.';
comment on column payments.amount_fen is 'In the smallest unit of the currency; money is never a float.';

create table hermes_profiles (
  id            uuid primary key,
  user_id       uuid not null references users,
  profile_name  text not null unique check (profile_name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  runtime       text not null default 'loop' check (runtime in ('loop', 'hermes')),
  status        text not null default 'creating'
                check (status in ('creating', 'ready', 'paused', 'failed', 'closed')),
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now()
);
create index hermes_profiles_of_user on hermes_profiles (user_id);
create unique index hermes_profiles_one_per_user on hermes_profiles (user_id) where status <> 'closed';
comment on table hermes_profiles is 'The agent of a user: at most one that is not closed.';
comment on column hermes_profiles.profile_name is 'Also a folder and a container name, hence the narrow alphabet.';
comment on column hermes_profiles.runtime is 'loop: tool calls inside bot-gateway; hermes: a container of its own.';

create table usage_log (
  request_id   text primary key check (length(request_id) between 1 and 128),
  user_id      uuid not null references users,
  key_id       uuid not null references api_keys,
  endpoint     text not null,
  method       text not null,
  status       int not null check (status between 100 and 599),
  duration_ms  int not null check (duration_ms >= 0),
  cached       boolean not null default false,
  cost_points  int not null default 0 check (cost_points >= 0),
  at           timestamptz not null default now()
);
create index usage_log_of_user on usage_log (user_id, at);
create index usage_log_of_key on usage_log (key_id, at);
comment on table usage_log is 'One row per metered request; a repeated request id counts once.';
comment on column usage_log.endpoint is 'The route, such as /price: never a query string, which may carry what the user asked.';
comment on column usage_log.cost_points is 'What the request cost us upstream, in the source''s points; 0 when it came from a cache.';
