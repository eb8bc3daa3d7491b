-- Who issues keys (provisioner) cannot read hashes, yet has to know an admin key when it sees one: it may
-- read the hashes of admin keys alone. Those of users stay closed to it.
alter table api_keys add column admin_sha256 text unique
  generated always as (case when class = 'admin' then encode(key_hash, 'hex') end) stored;
comment on column api_keys.admin_sha256 is 'The hash of an admin key, in hex, for the guard of /admin; null for user keys.';
