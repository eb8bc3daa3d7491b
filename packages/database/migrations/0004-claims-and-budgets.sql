create table claims (
  tool_call_id  text primary key check (tool_call_id ~ '^tc_[A-Za-z0-9_-]{8,64}$'),
  user_id       uuid not null references users,
  claim         jsonb not null,
  recorded_at   timestamptz not null default now()
);
create index claims_of_user on claims (user_id, recorded_at);
comment on table claims is 'What was served to whom: a verifier trusts this and not text that went through a model. Never changed.';
comment on column claims.tool_call_id is 'The same for one user, one version of a row and one metric, so a repeated answer is recorded once.';
comment on column claims.claim is 'The claim as it was first served; its cache_age_seconds is of that moment.';

create table upstream_budget (
  source         text not null,
  api            text not null check (length(api) between 1 and 64),
  period         text not null check (period in ('minute', 'hour', 'day')),
  window_at      timestamptz not null,
  spent          int not null default 0 check (spent >= 0),
  learned_limit  int check (learned_limit > 0),
  learned_at     timestamptz,
  primary key (source, api, period),
  constraint upstream_budget_learned_when check ((learned_limit is null) = (learned_at is null))
) with (fillfactor = 50);
comment on table upstream_budget is 'Calls of each upstream interface, spent before they are made, by all instances together.';
comment on column upstream_budget.window_at is 'When the minute, the hour or the day in Shanghai began that spent counts.';
comment on column upstream_budget.spent is 'Booked calls, also those an instance has taken in advance and not made.';
comment on column upstream_budget.learned_limit is 'The limit that the upstream named when it refused; it counts for a day, then the configured one does.';
