-- What must follow a commit is a row of that commit: nothing is published that was not committed first.

create table outbox (
  id             uuid primary key,
  seq            bigint generated always as identity,
  aggregate      text not null check (length(aggregate) between 1 and 200),
  aggregate_seq  bigint not null default 0 check (aggregate_seq > 0),
  subject        text not null check (subject <> ''),
  headers        jsonb not null default '{}' check (jsonb_typeof(headers) = 'object'),
  payload        jsonb not null,
  producer       text not null default current_user,
  created_at     timestamptz not null default clock_timestamp(),
  next_at        timestamptz not null default now(),
  attempts       int not null default 0 check (attempts >= 0),
  sent_at        timestamptz,
  stream         text,
  stream_seq     bigint,
  last_error     text,
  unique (aggregate, aggregate_seq)
);
create index outbox_due on outbox (next_at, seq) where sent_at is null;
create index outbox_sent on outbox (sent_at) where sent_at is not null;
-- Every row is written, updated and deleted within two days: dead rows must go early and at full speed.
alter table outbox set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
comment on table outbox is 'Events to publish after the commit that wrote them; sent rows stay 48 hours, to be published again when a stream was lost.';
comment on column outbox.id is 'UUIDv7; also the event id and the message id on the bus.';
comment on column outbox.seq is 'Order of writing, not of commits: never read "everything after the last seq".';
comment on column outbox.aggregate is 'What must stay in order, such as payment:<id>. One aggregate has one producer.';
comment on column outbox.aggregate_seq is 'Position within the aggregate, from 1 without gaps; set by a trigger, whatever was written.';
comment on column outbox.producer is 'The role that wrote the row; no other app role sees it.';
comment on column outbox.next_at is 'Not before this time, when an earlier try failed.';
comment on column outbox.sent_at is 'When the bus acknowledged it; null: still to be sent.';

-- The counter lives apart from the outbox: rows there are deleted after 48 hours, and a number that
-- starts again at 1 would look like an old event to a consumer that drops old events.
create table outbox_aggregates (
  aggregate  text primary key,
  producer   text not null,
  last_seq   bigint not null check (last_seq > 0)
) with (fillfactor = 80);
comment on table outbox_aggregates is 'The last aggregate_seq given out, per aggregate. Touched by the trigger of outbox alone.';

-- security definer: the counter is nobody's to write but this function's.
create function outbox_number() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
$$;
comment on function outbox_number() is 'Gives each outbox row its place in its aggregate; within an aggregate, seq and aggregate_seq rise together in commit order.';

create trigger outbox_number before insert on outbox
  for each row execute function outbox_number();

create function outbox_wake() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_notify('outbox', producer) from (select distinct producer from written) as producers;
  return null;
end
$$;
comment on function outbox_wake() is 'Tells a listening relay whose rows are new. A hint: the relay polls as well.';

create trigger outbox_wake after insert on outbox
  referencing new table as written
  for each statement execute function outbox_wake();

alter table outbox enable row level security;
create policy outbox_own_rows on outbox
  using (producer = current_user) with check (producer = current_user);

create table inbox (
  consumer       text not null check (consumer <> ''),
  event_id       uuid not null,
  owner          text not null default current_user,
  received_at    timestamptz not null default now(),
  aggregate      text,
  aggregate_seq  bigint,
  result         jsonb,
  primary key (consumer, event_id)
);
create index inbox_received on inbox (received_at);
create index inbox_order on inbox (consumer, aggregate, aggregate_seq) where aggregate is not null;
alter table inbox enable row level security;
create policy inbox_own_rows on inbox
  using (owner = current_user) with check (owner = current_user);
comment on table inbox is 'Events a consumer has handled, written in the transaction of their effect: a second delivery finds its row and does nothing.';
comment on column inbox.owner is 'The role whose consumer it is; no other app role sees the row.';
comment on column inbox.result is 'What the handler answered, when a repeat must answer the same.';

create table outbox_streams (
  stream    text primary key check (stream <> ''),
  producer  text not null default current_user,
  created   timestamptz not null,
  last_seq  bigint not null check (last_seq >= 0),
  seen_at   timestamptz not null default now()
);
alter table outbox_streams enable row level security;
create policy outbox_streams_own_rows on outbox_streams
  using (producer = current_user) with check (producer = current_user);
comment on table outbox_streams is 'What a producer''s relay last saw of each stream. Another "created" or a lower "last_seq" means the stream was lost.';
comment on column outbox_streams.stream is '<producer>:<stream>. Each relay has to notice a loss for its own rows: the first to notice must not hide it from the others.';
comment on column outbox_streams.producer is 'The role whose relay wrote the row; no other app role sees it.';
comment on column outbox_streams.created is 'When the bus says the stream was made.';
