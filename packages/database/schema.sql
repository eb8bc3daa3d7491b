-- Written by "pnpm --filter @twilight/database dump" from the migrated database: do not edit.

CREATE OR REPLACE FUNCTION public.outbox_number()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  -- The row lock this takes is held until commit, so writers of one aggregate go one after the other.
  insert into public.outbox_aggregates as counter (aggregate, producer, last_seq)
  values (new.aggregate, new.producer, 1)
  on conflict (aggregate) do update set last_seq = counter.last_seq + 1
    where counter.producer = new.producer
  returning counter.last_seq into new.aggregate_seq;
  if not found then
    raise exception 'outbox: aggregate % belongs to another producer than %', new.aggregate, new.producer
      using errcode = 'integrity_constraint_violation',
            hint = 'Name the aggregate after something this app owns: order holds within one producer only.';
  end if;
  -- Taken again behind the lock: the first value was drawn before it, perhaps long before.
  new.seq := nextval('public.outbox_seq_seq');
  return new;
end
$function$
;
comment on function outbox_number() is 'Gives each outbox row its place in its aggregate; within an aggregate, seq and aggregate_seq rise together in commit order.';

CREATE OR REPLACE FUNCTION public.outbox_wake()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform pg_notify('outbox', producer) from (select distinct producer from written) as producers;
  return null;
end
$function$
;
comment on function outbox_wake() is 'Tells a listening relay whose rows are new. A hint: the relay polls as well.';

create table api_keys (
  id uuid not null,
  user_id uuid not null,
  key_hash bytea not null,
  prefix text not null,
  class text not null default 'user'::text,
  name text not null default ''::text,
  scopes text[] not null default '{}'::text[],
  rate_limit_per_min integer not null default 60,
  created_at timestamp with time zone not null default now(),
  last_used_at timestamp with time zone,
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  revoked_sha256 text default 
CASE
    WHEN (revoked_at IS NOT NULL) THEN encode(key_hash, 'hex'::text)
    ELSE NULL::text
END,
  admin_sha256 text default 
CASE
    WHEN (class = 'admin'::text) THEN encode(key_hash, 'hex'::text)
    ELSE NULL::text
END,
  constraint api_keys_pkey PRIMARY KEY (id),
  constraint api_keys_admin_sha256_key UNIQUE (admin_sha256),
  constraint api_keys_key_hash_key UNIQUE (key_hash),
  constraint api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id),
  constraint api_keys_class_check CHECK ((class = ANY (ARRAY['user'::text, 'admin'::text]))),
  constraint api_keys_key_hash_check CHECK ((octet_length(key_hash) = 32)),
  constraint api_keys_name_check CHECK ((length(name) <= 64)),
  constraint api_keys_prefix_check CHECK (((length(prefix) >= 3) AND (length(prefix) <= 16))),
  constraint api_keys_rate_limit_per_min_check CHECK ((rate_limit_per_min > 0))
);
comment on column api_keys.key_hash is 'SHA-256 of the whole key, 32 raw bytes, so that a key can never be stored here by mistake.';
comment on column api_keys.prefix is 'The first characters of the key, to tell keys apart in lists.';
comment on column api_keys.revoked_at is 'Never set back to null: a revoked key stays revoked.';
comment on column api_keys.revoked_sha256 is 'The hash of a revoked key, in hex, for telling everyone; null while the key lives.';
comment on column api_keys.admin_sha256 is 'The hash of an admin key, in hex, for the guard of /admin; null for user keys.';
comment on table api_keys is 'Bearer keys of users and operators. The key itself is nowhere in the database.';
CREATE INDEX api_keys_of_user ON public.api_keys USING btree (user_id);
CREATE INDEX api_keys_revoked ON public.api_keys USING btree (revoked_at) WHERE (revoked_at IS NOT NULL);
grant insert on api_keys to provisioner;
grant select on api_keys to data_api, llm_relay, search_proxy;
grant select (id, user_id, prefix, class, name, scopes, rate_limit_per_min, created_at, last_used_at, expires_at, revoked_at, revoked_sha256, admin_sha256) on api_keys to provisioner;
grant update (last_used_at) on api_keys to data_api, llm_relay, search_proxy;
grant update (name, scopes, rate_limit_per_min, last_used_at, expires_at, revoked_at) on api_keys to provisioner;

create table claims (
  tool_call_id text not null,
  user_id uuid not null,
  claim jsonb not null,
  recorded_at timestamp with time zone not null default now(),
  constraint claims_pkey PRIMARY KEY (tool_call_id),
  constraint claims_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id),
  constraint claims_tool_call_id_check CHECK ((tool_call_id ~ '^tc_[A-Za-z0-9_-]{8,64}$'::text))
);
comment on column claims.tool_call_id is 'The same for one user, one version of a row and one metric, so a repeated answer is recorded once.';
comment on column claims.claim is 'The claim as it was first served; its cache_age_seconds is of that moment.';
comment on table claims is 'What was served to whom: a verifier trusts this and not text that went through a model. Never changed.';
CREATE INDEX claims_of_user ON public.claims USING btree (user_id, recorded_at);
grant insert, select on claims to data_api;

create table hermes_profiles (
  id uuid not null,
  user_id uuid not null,
  profile_name text not null,
  runtime text not null default 'loop'::text,
  status text not null default 'creating'::text,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint hermes_profiles_pkey PRIMARY KEY (id),
  constraint hermes_profiles_profile_name_key UNIQUE (profile_name),
  constraint hermes_profiles_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id),
  constraint hermes_profiles_profile_name_check CHECK ((profile_name ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text)),
  constraint hermes_profiles_runtime_check CHECK ((runtime = ANY (ARRAY['loop'::text, 'hermes'::text]))),
  constraint hermes_profiles_status_check CHECK ((status = ANY (ARRAY['creating'::text, 'ready'::text, 'paused'::text, 'failed'::text, 'closed'::text])))
);
comment on column hermes_profiles.profile_name is 'Also a folder and a container name, hence the narrow alphabet.';
comment on column hermes_profiles.runtime is 'loop: tool calls inside bot-gateway; hermes: a container of its own.';
comment on table hermes_profiles is 'The agent of a user: at most one that is not closed.';
CREATE INDEX hermes_profiles_of_user ON public.hermes_profiles USING btree (user_id);
CREATE UNIQUE INDEX hermes_profiles_one_per_user ON public.hermes_profiles USING btree (user_id) WHERE (status <> 'closed'::text);
grant insert, select, update on hermes_profiles to provisioner;
grant select on hermes_profiles to bot_gateway;

create table inbox (
  consumer text not null,
  event_id uuid not null,
  owner text not null default CURRENT_USER,
  received_at timestamp with time zone not null default now(),
  aggregate text,
  aggregate_seq bigint,
  result jsonb,
  constraint inbox_pkey PRIMARY KEY (consumer, event_id),
  constraint inbox_consumer_check CHECK ((consumer <> ''::text))
);
comment on column inbox.owner is 'The role whose consumer it is; no other app role sees the row.';
comment on column inbox.result is 'What the handler answered, when a repeat must answer the same.';
comment on table inbox is 'Events a consumer has handled, written in the transaction of their effect: a second delivery finds its row and does nothing.';
CREATE INDEX inbox_order ON public.inbox USING btree (consumer, aggregate, aggregate_seq) WHERE (aggregate IS NOT NULL);
CREATE INDEX inbox_received ON public.inbox USING btree (received_at);
alter table inbox enable row level security;
create policy inbox_own_rows on inbox as permissive for all to public using (owner = CURRENT_USER) with check (owner = CURRENT_USER);
grant delete, insert, select on inbox to bot_gateway, data_api, ingest, llm_relay, payments, provisioner, search_proxy;
grant update (result) on inbox to bot_gateway, data_api, ingest, llm_relay, payments, provisioner, search_proxy;

create table outbox (
  id uuid not null,
  seq bigint not null generated always as identity,
  aggregate text not null,
  aggregate_seq bigint not null default 0,
  subject text not null,
  headers jsonb not null default '{}'::jsonb,
  payload jsonb not null,
  producer text not null default CURRENT_USER,
  created_at timestamp with time zone not null default clock_timestamp(),
  next_at timestamp with time zone not null default now(),
  attempts integer not null default 0,
  sent_at timestamp with time zone,
  stream text,
  stream_seq bigint,
  last_error text,
  constraint outbox_pkey PRIMARY KEY (id),
  constraint outbox_aggregate_aggregate_seq_key UNIQUE (aggregate, aggregate_seq),
  constraint outbox_aggregate_check CHECK (((length(aggregate) >= 1) AND (length(aggregate) <= 200))),
  constraint outbox_aggregate_seq_check CHECK ((aggregate_seq > 0)),
  constraint outbox_attempts_check CHECK ((attempts >= 0)),
  constraint outbox_headers_check CHECK ((jsonb_typeof(headers) = 'object'::text)),
  constraint outbox_subject_check CHECK ((subject <> ''::text))
);
comment on column outbox.id is 'UUIDv7; also the event id and the message id on the bus.';
comment on column outbox.seq is 'Order of writing, not of commits: never read "everything after the last seq".';
comment on column outbox.aggregate is 'What must stay in order, such as payment:<id>. One aggregate has one producer.';
comment on column outbox.aggregate_seq is 'Position within the aggregate, from 1 without gaps; set by a trigger, whatever was written.';
comment on column outbox.producer is 'The role that wrote the row; no other app role sees it.';
comment on column outbox.next_at is 'Not before this time, when an earlier try failed.';
comment on column outbox.sent_at is 'When the bus acknowledged it; null: still to be sent.';
comment on table outbox is 'Events to publish after the commit that wrote them; sent rows stay 48 hours, to be published again when a stream was lost.';
alter table outbox set (autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_cost_delay=0);
CREATE INDEX outbox_due ON public.outbox USING btree (next_at, seq) WHERE (sent_at IS NULL);
CREATE INDEX outbox_sent ON public.outbox USING btree (sent_at) WHERE (sent_at IS NOT NULL);
CREATE TRIGGER outbox_number BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION outbox_number();
CREATE TRIGGER outbox_wake AFTER INSERT ON outbox REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION outbox_wake();
alter table outbox enable row level security;
create policy outbox_own_rows on outbox as permissive for all to public using (producer = CURRENT_USER) with check (producer = CURRENT_USER);
grant delete, insert, select on outbox to bot_gateway, data_api, ingest, llm_relay, payments, provisioner, search_proxy;
grant update (next_at, attempts, sent_at, stream, stream_seq, last_error) on outbox to bot_gateway, data_api, ingest, llm_relay, payments, provisioner, search_proxy;

create table outbox_aggregates (
  aggregate text not null,
  producer text not null,
  last_seq bigint not null,
  constraint outbox_aggregates_pkey PRIMARY KEY (aggregate),
  constraint outbox_aggregates_last_seq_check CHECK ((last_seq > 0))
);
comment on table outbox_aggregates is 'The last aggregate_seq given out, per aggregate. Touched by the trigger of outbox alone.';
alter table outbox_aggregates set (fillfactor=80);

create table outbox_streams (
  stream text not null,
  producer text not null default CURRENT_USER,
  created timestamp with time zone not null,
  last_seq bigint not null,
  seen_at timestamp with time zone not null default now(),
  constraint outbox_streams_pkey PRIMARY KEY (stream),
  constraint outbox_streams_last_seq_check CHECK ((last_seq >= 0)),
  constraint outbox_streams_stream_check CHECK ((stream <> ''::text))
);
comment on column outbox_streams.stream is '<producer>:<stream>. Each relay has to notice a loss for its own rows: the first to notice must not hide it from the others.';
comment on column outbox_streams.producer is 'The role whose relay wrote the row; no other app role sees it.';
comment on column outbox_streams.created is 'When the bus says the stream was made.';
comment on table outbox_streams is 'What a producer''s relay last saw of each stream. Another "created" or a lower "last_seq" means the stream was lost.';
alter table outbox_streams enable row level security;
create policy outbox_streams_own_rows on outbox_streams as permissive for all to public using (producer = CURRENT_USER) with check (producer = CURRENT_USER);
grant delete, insert, select on outbox_streams to bot_gateway, data_api, ingest, llm_relay, payments, provisioner, search_proxy;
grant update (created, last_seq, seen_at) on outbox_streams to bot_gateway, data_api, ingest, llm_relay, payments, provisioner, search_proxy;

create table payments (
  id uuid not null,
  user_id uuid,
  processor text not null,
  processor_ref text,
  out_trade_no text not null,
  amount_fen bigint not null,
  currency text not null default 'CNY'::text,
  status text not null default 'pending'::text,
  paid_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  constraint payments_pkey PRIMARY KEY (id),
  constraint payments_out_trade_no_key UNIQUE (out_trade_no),
  constraint payments_processor_processor_ref_key UNIQUE (processor, processor_ref),
  constraint payments_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id),
  constraint payments_amount_fen_check CHECK ((amount_fen > 0)),
  constraint payments_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
  constraint payments_out_trade_no_check CHECK ((out_trade_no <> ''::text)),
  constraint payments_paid_has_proof CHECK (((status = ANY (ARRAY['pending'::text, 'closed'::text])) OR ((processor_ref IS NOT NULL) AND (paid_at IS NOT NULL)))),
  constraint payments_processor_check CHECK ((processor = ANY (ARRAY['wechat'::text, 'alipay'::text, 'stripe'::text]))),
  constraint payments_processor_ref_check CHECK ((processor_ref <> ''::text)),
  constraint payments_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'paid'::text, 'part_refunded'::text, 'refunded'::text, 'closed'::text])))
);
comment on column payments.user_id is 'Null: money that arrived for nobody we know. It is kept, never dropped.';
comment on column payments.processor_ref is 'The processor''s own number of the payment; known once it is paid.';
comment on column payments.out_trade_no is 'Our number for it, the one the processor repeats to us.';
comment on column payments.amount_fen is 'In the smallest unit of the currency; money is never a float.';
comment on table payments is 'Money that moved in, or is asked for: one row per number we gave the processor.';
CREATE INDEX payments_of_user ON public.payments USING btree (user_id);
grant insert, select, update on payments to payments;

create table rate_limits (
  key_id uuid not null,
  full_at timestamp with time zone not null,
  constraint rate_limits_pkey PRIMARY KEY (key_id),
  constraint rate_limits_key_id_fkey FOREIGN KEY (key_id) REFERENCES api_keys(id) ON DELETE CASCADE
);
comment on column rate_limits.full_at is 'When the bucket is full again if nobody takes more; a minute ahead of now means empty, later means debt.';
comment on table rate_limits is 'The shared token bucket of each key, which holds a minute''s worth of requests.';
alter table rate_limits set (fillfactor=50);
grant insert, select on rate_limits to data_api, llm_relay, provisioner, search_proxy;
grant update (full_at) on rate_limits to data_api, llm_relay, provisioner, search_proxy;

create table upstream_budget (
  source text not null,
  api text not null,
  period text not null,
  window_at timestamp with time zone not null,
  spent integer not null default 0,
  learned_limit integer,
  learned_at timestamp with time zone,
  constraint upstream_budget_pkey PRIMARY KEY (source, api, period),
  constraint upstream_budget_api_check CHECK (((length(api) >= 1) AND (length(api) <= 64))),
  constraint upstream_budget_learned_limit_check CHECK ((learned_limit > 0)),
  constraint upstream_budget_learned_when CHECK (((learned_limit IS NULL) = (learned_at IS NULL))),
  constraint upstream_budget_period_check CHECK ((period = ANY (ARRAY['minute'::text, 'hour'::text, 'day'::text]))),
  constraint upstream_budget_spent_check CHECK ((spent >= 0))
);
comment on column upstream_budget.window_at is 'When the minute, the hour or the day in Shanghai began that spent counts.';
comment on column upstream_budget.spent is 'Booked calls, also those an instance has taken in advance and not made.';
comment on column upstream_budget.learned_limit is 'The limit that the upstream named when it refused; it counts for a day, then the configured one does.';
comment on table upstream_budget is 'Calls of each upstream interface, spent before they are made, by all instances together.';
alter table upstream_budget set (fillfactor=50);
grant insert, select on upstream_budget to data_api;
grant update (window_at, spent, learned_limit, learned_at) on upstream_budget to data_api;

create table usage_daily (
  user_id uuid not null,
  day text not null,
  endpoint text not null,
  requests bigint not null,
  failed bigint not null,
  cached bigint not null,
  cost_points bigint not null,
  duration_ms bigint not null,
  constraint usage_daily_pkey PRIMARY KEY (user_id, day, endpoint),
  constraint usage_daily_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id),
  constraint usage_daily_day_check CHECK ((day ~ '^\d{4}-\d{2}-\d{2}$'::text)),
  constraint usage_daily_requests_check CHECK ((requests > 0))
);
comment on column usage_daily.day is 'The day in Shanghai, as YYYY-MM-DD.';
comment on column usage_daily.failed is 'Answered with status 400 or above.';
comment on column usage_daily.duration_ms is 'Of all requests together.';
comment on table usage_daily is 'Totals of usage_log, moved in the statement that writes it; they stay when its rows are pruned.';
grant insert, select on usage_daily to data_api, llm_relay, search_proxy;
grant select on usage_daily to provisioner;
grant update (requests, failed, cached, cost_points, duration_ms) on usage_daily to data_api, llm_relay, search_proxy;

create table usage_log (
  request_id text not null,
  user_id uuid not null,
  key_id uuid not null,
  endpoint text not null,
  method text not null,
  status integer not null,
  duration_ms integer not null,
  cached boolean not null default false,
  cost_points integer not null default 0,
  at timestamp with time zone not null default now(),
  constraint usage_log_pkey PRIMARY KEY (request_id),
  constraint usage_log_key_id_fkey FOREIGN KEY (key_id) REFERENCES api_keys(id),
  constraint usage_log_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id),
  constraint usage_log_cost_points_check CHECK ((cost_points >= 0)),
  constraint usage_log_duration_ms_check CHECK ((duration_ms >= 0)),
  constraint usage_log_request_id_check CHECK (((length(request_id) >= 1) AND (length(request_id) <= 128))),
  constraint usage_log_status_check CHECK (((status >= 100) AND (status <= 599)))
);
comment on column usage_log.endpoint is 'The route, such as /price: never a query string, which may carry what the user asked.';
comment on column usage_log.cost_points is 'What the request cost us upstream, in the source''s points; 0 when it came from a cache.';
comment on table usage_log is 'One row per metered request; a repeated request id counts once.';
CREATE INDEX usage_log_at ON public.usage_log USING btree (at);
CREATE INDEX usage_log_of_key ON public.usage_log USING btree (key_id, at);
CREATE INDEX usage_log_of_user ON public.usage_log USING btree (user_id, at);
grant delete, insert, select on usage_log to data_api;
grant insert, select on usage_log to llm_relay, search_proxy;

create table users (
  id uuid not null,
  name text not null,
  plan text not null default 'free'::text,
  paid_until timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  constraint users_pkey PRIMARY KEY (id),
  constraint users_name_key UNIQUE (name),
  constraint users_name_check CHECK (((length(name) >= 1) AND (length(name) <= 64))),
  constraint users_plan_check CHECK ((plan = ANY (ARRAY['free'::text, 'pro'::text])))
);
comment on column users.name is 'A handle such as alpha-001; shown in logs and lists, so never a phone number, an address or an openid.';
comment on column users.paid_until is 'End of the last pass; null: never paid. A projection, moved only by payments.';
comment on table users is 'Who may use the house: buyers, testers and operators.';
grant insert, select on users to payments;
grant select on users to provisioner;
grant insert (id, name, plan, created_at) on users to provisioner;
grant select (id, name, plan, paid_until) on users to data_api, llm_relay, search_proxy;
grant select (id, plan, paid_until) on users to bot_gateway;
grant update (name, plan) on users to provisioner;
grant update (plan, paid_until) on users to payments;

alter role bot_gateway set idle_in_transaction_session_timeout = 5s;
alter role bot_gateway set lock_timeout = 1s;
alter role bot_gateway set statement_timeout = 15s;

alter role data_api set idle_in_transaction_session_timeout = 5s;
alter role data_api set lock_timeout = 1s;
alter role data_api set statement_timeout = 2s;

alter role ingest set idle_in_transaction_session_timeout = 5s;
alter role ingest set lock_timeout = 1s;
alter role ingest set statement_timeout = 15s;

alter role landing set idle_in_transaction_session_timeout = 5s;
alter role landing set lock_timeout = 1s;
alter role landing set statement_timeout = 2s;

alter role llm_relay set idle_in_transaction_session_timeout = 5s;
alter role llm_relay set lock_timeout = 1s;
alter role llm_relay set statement_timeout = 2s;

alter role payments set idle_in_transaction_session_timeout = 5s;
alter role payments set lock_timeout = 1s;
alter role payments set statement_timeout = 15s;

alter role provisioner set idle_in_transaction_session_timeout = 5s;
alter role provisioner set lock_timeout = 1s;
alter role provisioner set statement_timeout = 15s;

alter role search_proxy set idle_in_transaction_session_timeout = 5s;
alter role search_proxy set lock_timeout = 1s;
alter role search_proxy set statement_timeout = 2s;
