-- A revocation is told by the hash of the key, and who revokes (provisioner) cannot read hashes: it may
-- read those of dead keys, which open nothing.
alter table api_keys add column revoked_sha256 text
  generated always as (case when revoked_at is not null then encode(key_hash, 'hex') end) stored;
comment on column api_keys.revoked_sha256 is 'The hash of a revoked key, in hex, for telling everyone; null while the key lives.';

-- Unlogged: after a crash every bucket is full again, which costs less than a disk write per booking.
create unlogged table rate_limits (
  key_id   uuid primary key references api_keys on delete cascade,
  full_at  timestamptz not null
) with (fillfactor = 50);
comment on table rate_limits is 'The shared token bucket of each key, which holds a minute''s worth of requests.';
comment on column rate_limits.full_at is 'When the bucket is full again if nobody takes more; a minute ahead of now means empty, later means debt.';

create table usage_daily (
  user_id      uuid not null references users,
  day          text not null check (day ~ '^\d{4}-\d{2}-\d{2}$'),
  endpoint     text not null,
  requests     bigint not null check (requests > 0),
  failed       bigint not null,
  cached       bigint not null,
  cost_points  bigint not null,
  duration_ms  bigint not null,
  primary key (user_id, day, endpoint)
);
comment on table usage_daily is 'Totals of usage_log, moved in the statement that writes it; they stay when its rows are pruned.';
comment on column usage_daily.day is 'The day in Shanghai, as YYYY-MM-DD.';
comment on column usage_daily.failed is 'Answered with status 400 or above.';
comment on column usage_daily.duration_ms is 'Of all requests together.';

-- To find what is old enough to be pruned.
create index usage_log_at on usage_log (at);
