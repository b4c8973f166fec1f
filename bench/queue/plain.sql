-- The same work without order, to tell what order costs: one table, each message claimed by itself, same columns out.
create schema plain;
create table plain.message_queue (
  id          bigint generated always as identity (start with 1000000000000) primary key,  -- none that the lanes give
  lane        text not null,
  kind        text not null,
  dedupe_key  text not null unique,
  payload     jsonb not null,
  created_at  timestamptz not null default clock_timestamp(),
  run_at      timestamptz not null default clock_timestamp(),
  lease_until timestamptz,
  token       bigint,
  worker      text,
  attempts    smallint not null default 0,
  last_error  text
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
create index on plain.message_queue (run_at, id) where lease_until is null;
create index on plain.message_queue (lease_until) where lease_until is not null;

create function plain.claim_lanes(by_worker text, lane_limit int, message_limit int, lease interval, floor timestamptz)
returns table (lane text, token bigint, priority smallint, attempts smallint, last_error text, run_at timestamptz, waited_ms real,
               newest bigint, id bigint, kind text, payload jsonb, created_at timestamptz) language plpgsql
set enable_seqscan to off set enable_hashjoin to off set enable_mergejoin to off as $$
#variable_conflict use_column
declare my_token bigint := nextval('lane_tokens');
begin
  return query
    with ready as materialized (
      select m.id from plain.message_queue m where m.lease_until is null and m.run_at <= now() and m.run_at >= floor
       order by m.run_at, m.id limit lane_limit for update skip locked)
    update plain.message_queue m set lease_until = clock_timestamp() + lease, token = my_token, worker = by_worker, attempts = m.attempts + 1
      from ready where m.id = ready.id
    returning m.lane || '/' || m.id, m.token, 1::smallint, m.attempts, m.last_error, m.run_at,
              (extract(epoch from clock_timestamp() - m.created_at) * 1000)::real, null::bigint, m.id, m.kind, m.payload, m.created_at;
end $$;

create function plain.bench_finish(in_lanes text[], tokens bigint[], counts int[], done bigint[], place_of int[])
returns int[] language plpgsql set enable_seqscan to off set enable_hashjoin to off set enable_mergejoin to off as $$
declare kept int[];
begin
  with gone as (
    delete from plain.message_queue m using unnest(tokens, done, place_of) d (token, id, place)
     where m.id = d.id and m.token = d.token returning d.id, d.place
  ), written as (
    insert into bench_outbox (inbound_id, lane, body)
    select id, in_lanes[place], '{"body": "Thank you for writing."}' from gone
  ) select array_agg(place) into kept from gone;
  return kept;
end $$;

-- Narrow rows for the raw loop.
create table raw_job (id bigint generated always as identity primary key, lease_until timestamptz);
create index on raw_job (id) where lease_until is null;
create table raw_message (id bigint generated always as identity primary key, payload jsonb not null);
