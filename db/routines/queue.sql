-- The queue: put work in a lane, claim lanes, give them back, finish them.

create or replace function add_work(in_lane text, in_kind text, in_priority int, in_dedupe_key text, in_payload jsonb,
                         quiet interval default '0', quiet_cap interval default '0') returns bigint language plpgsql as $$
declare new_row bigint;
begin
  -- the lane is locked before the id is drawn, so ids of one lane are in the order of their commits
  insert into lanes as l (lane, priority, pending, run_at, waiting_since)
  values (in_lane, in_priority, 1, clock_timestamp() + quiet, clock_timestamp())
  on conflict (lane) do update
     set pending = l.pending + 1, priority = least(l.priority, in_priority),
         waiting_since = case when l.pending = 0 then clock_timestamp() else l.waiting_since end,
         run_at = greatest(l.run_at, case when l.pending = 0 then clock_timestamp() + quiet
                                          else least(clock_timestamp() + quiet, l.waiting_since + quiet_cap) end);
  if in_kind <> 'inbound' or not exists (  -- upkeep that failed once may be wanted again, a message may not
       select from dead_letters d where d.dedupe_key = in_dedupe_key
       union all select from messages m where m.channel = in_payload->>'channel' and m.external_id = in_payload->>'external_id') then
    insert into message_queue (lane, kind, dedupe_key, payload) values (in_lane, in_kind, in_dedupe_key, in_payload)
    on conflict (dedupe_key) do nothing returning id into new_row;
  end if;
  if new_row is null then
    update lanes set pending = pending - 1 where lane = in_lane;
  end if;
  return new_row;
end $$;
comment on function add_work(text, text, int, text, jsonb, interval, interval) is 'Puts work on the queue; null when the same work is there already, was done before, or lies among the dead letters.';

create or replace function add_many(in_lanes text[], kinds text[], priorities int[], dedupe_keys text[], payloads jsonb[],
                          quiets interval[], quiet_caps interval[]) returns bigint[] language plpgsql as $$
declare ids bigint[]; caps jsonb;
begin
  select jsonb_object_agg(w.lane, w.cap) into caps from unnest(in_lanes, quiet_caps) w (lane, cap) where w.cap > '0';
  -- All lanes are locked before any id is drawn, in the order of their names; then keys, in theirs. So two batches over
  -- the same lanes or keys wait for each other, but never in a circle.
  insert into lanes as l (lane, priority, pending, run_at, waiting_since)
  select w.lane, min(w.priority), count(*), clock_timestamp() + max(w.quiet), clock_timestamp()
    from unnest(in_lanes, priorities, quiets) w (lane, priority, quiet) group by w.lane order by w.lane
  on conflict (lane) do update
     set pending = l.pending + excluded.pending, priority = least(l.priority, excluded.priority),
         waiting_since = case when l.pending = 0 then clock_timestamp() else l.waiting_since end,
         run_at = greatest(l.run_at, case when l.pending = 0 then excluded.run_at
                                          else least(excluded.run_at, l.waiting_since + coalesce((caps->>l.lane)::interval, '0')) end);
  with work as (
    select * from unnest(in_lanes, kinds, dedupe_keys, payloads) with ordinality w (lane, kind, key, payload, place)
  ), fresh as materialized (
    select w.*, nextval('message_queue_id_seq') as id from (
      select * from work
       where kind <> 'inbound' or not exists (
             select from dead_letters d where d.dedupe_key = work.key
             union all select from messages m where m.channel = payload->>'channel' and m.external_id = payload->>'external_id')
       order by place) w
  ), added as (
    insert into message_queue (id, lane, kind, dedupe_key, payload) overriding system value
    select id, lane, kind, key, payload from fresh order by key, place
    on conflict (dedupe_key) do nothing returning id
  ) select array_agg(added.id order by work.place) into ids
      from work left join fresh using (place) left join added on added.id = fresh.id;
  if array_position(ids, null) is not null then
    update lanes set pending = pending - twice.count
      from (select w.lane, count(*) from unnest(in_lanes, ids) w (lane, id) where w.id is null group by 1) twice
     where lanes.lane = twice.lane;
  end if;
  return ids;
end $$;
comment on function add_many(text[], text[], int[], text[], jsonb[], interval[], interval[]) is 'add_work for many at once, in their order: one id each, null when the same work is there already, was done before, or lies among the dead letters.';

create or replace function claim_lanes(by_worker text, lane_limit int, message_limit int, lease interval, floor timestamptz)
returns table (lane text, token bigint, priority smallint, attempts smallint, last_error text, run_at timestamptz, waited_ms real,
               newest bigint, id bigint, kind text, payload jsonb, created_at timestamptz) language plpgsql
-- whatever the statistics say of a queue that is empty at one moment and full at the next
set enable_seqscan to off set enable_hashjoin to off set enable_mergejoin to off as $$
#variable_conflict use_column
declare my_token bigint := nextval('lane_tokens'); taken text[];
begin
  -- First statement: lock the lanes, those whose holder died before fresh ones, then by priority, then who waits longest.
  with lost as materialized (
    select l.lane from lanes l where l.lease_until < now() and floor = '-infinity'
     order by l.lease_until limit lane_limit for update skip locked
  ), replies as materialized (
    select l.lane from lanes l
     where l.priority = 0 and l.pending > 0 and l.lease_until is null and l.run_at <= now() and l.run_at >= floor
     order by l.run_at, l.lane limit lane_limit - (select count(*) from lost) for update skip locked
  ), intake as materialized (
    select l.lane from lanes l
     where l.priority = 1 and l.pending > 0 and l.lease_until is null and l.run_at <= now() and l.run_at >= floor
     order by l.run_at, l.lane limit lane_limit - (select count(*) from lost) - (select count(*) from replies) for update skip locked
  ), upkeep as materialized (
    select l.lane from lanes l
     where l.priority = 2 and l.pending > 0 and l.lease_until is null and l.run_at <= now() and l.run_at >= floor
     order by l.run_at, l.lane limit lane_limit - (select count(*) from lost) - (select count(*) from replies)
       - (select count(*) from intake) for update skip locked
  ) select array_agg(t.lane) into taken from (table lost union all table replies union all table intake union all table upkeep) t;
  -- Second statement, with a snapshot younger than the locks: a lane that was served and refilled between the first
  -- one's snapshot and its lock would otherwise hand out messages that are already answered.
  return query
    with leased as (
      update lanes l set lease_until = clock_timestamp() + lease, token = my_token, worker = by_worker, attempts = l.attempts + 1
       where l.lane = any(taken) returning l.lane, l.token, l.priority, l.attempts, l.last_error, l.run_at, l.pending
    ) select l.lane, l.token, l.priority, l.attempts, l.last_error, l.run_at,
             (extract(epoch from clock_timestamp() - q.created_at) * 1000)::real,
             case when l.pending > message_limit then (select max(m.id) from message_queue m where m.lane = l.lane) end,
             q.id, q.kind, q.payload, q.created_at
        from leased l cross join lateral (select * from message_queue m where m.lane = l.lane order by m.id limit message_limit) q
       order by l.lane, q.id;
end $$;
comment on function claim_lanes(text, int, int, interval, timestamptz) is 'Leases up to so many lanes for a worker and returns what waits in them, oldest first. With a floor only lanes whose run_at is not before it, and none of a dead worker''s, so that a long-held snapshot cannot make the claim wade through dead index entries.';

create or replace function release_lane(in_lane text, in_token bigint, pause interval, failure text, tries int default null,
                             is_try boolean default true)
returns boolean language sql as $$
  with released as (
    update lanes set lease_until = null, token = null, worker = null, last_error = coalesce(failure, last_error),
           attempts = case when failure is null or not is_try then greatest(attempts - 1, 0) else greatest(attempts, tries) end,
           run_at = greatest(run_at, clock_timestamp() + pause)
     where lane = in_lane and token = in_token returning 1
  ) select exists (select from released)
$$;
comment on function release_lane(text, bigint, interval, text, int, boolean) is 'Gives a lane back undone: after a failure, which counts as a try (or as so many tries, when more will not help; or as none, when the wait was asked for), or with no failure at a shutdown. False when the lease was lost.';

create or replace function finish_work(in_lane text, in_token bigint, done bigint[], dead_error text default null)
returns boolean language plpgsql as $$
declare held lanes; gone int;
begin
  select * into held from lanes where lane = in_lane and token = in_token for update;
  if not found then return false; end if;
  if dead_error is not null then
    insert into dead_letters (lane, kind, dedupe_key, payload, attempts, error, created_at)
    select lane, kind, dedupe_key, payload, held.attempts, dead_error, created_at
      from message_queue where lane = in_lane and id = any(done)
    on conflict (dedupe_key) do update set error = excluded.error, failed_at = now(), attempts = excluded.attempts;
  end if;
  delete from message_queue where lane = in_lane and id = any(done);
  get diagnostics gone = row_count;
  update lanes set pending = pending - gone, lease_until = null, token = null, worker = null, attempts = 0, superseded = 0,
         last_error = dead_error, waiting_since = clock_timestamp(), run_at = greatest(run_at, clock_timestamp())
   where lane = in_lane;
  return true;
end $$;
comment on function finish_work(text, bigint, bigint[], text) is 'Takes finished rows off the queue and frees their lane; with an error, they become dead letters. False when the lease was lost: then nothing changed.';

create or replace function finish_lanes(in_lanes text[], tokens bigint[], counts int[], done bigint[]) returns int[] language plpgsql
set enable_seqscan to off set enable_hashjoin to off set enable_mergejoin to off as $$
declare held text[]; places int[]; expected int; gone int;
begin
  with freed as (  -- in the order of their names, as everybody does who locks several
    update lanes l set pending = l.pending - h.count, lease_until = null, token = null, worker = null, attempts = 0,
           superseded = 0, last_error = null, waiting_since = clock_timestamp(), run_at = greatest(l.run_at, clock_timestamp())
      from (select * from unnest(in_lanes, tokens, counts) with ordinality u (lane, token, count, place) order by lane) h
     where l.lane = h.lane and l.token = h.token returning l.lane, h.place, h.count
  ) select array_agg(lane), array_agg(place), sum(count) into held, places, expected from freed;
  delete from message_queue m where m.id = any(done) and m.lane = any(held);
  get diagnostics gone = row_count;
  if gone <> expected then  -- somebody has deleted rows by hand; our locks keep enqueuers out meanwhile
    update lanes l set pending = (select count(*) from message_queue m where m.lane = l.lane) where l.lane = any(held);
  end if;
  return coalesce(places, '{}');
end $$;
comment on function finish_lanes(text[], bigint[], int[], bigint[]) is 'finish_work for many lanes at once: counts says how many of the rows in done are each one''s. Returns the places (from 1) of those whose lease still held; nothing changed in the others.';

create or replace function requeue_dead(dead_id bigint) returns boolean language plpgsql as $$
declare letter dead_letters; added int;
begin
  delete from dead_letters where id = dead_id returning * into letter;
  if not found then return false; end if;
  insert into lanes as l (lane, pending, waiting_since) values (letter.lane, 1, clock_timestamp())
  on conflict (lane) do update set pending = l.pending + 1, run_at = greatest(l.run_at, clock_timestamp());
  insert into message_queue (lane, kind, dedupe_key, payload, created_at)
  values (letter.lane, letter.kind, letter.dedupe_key, letter.payload, letter.created_at) on conflict (dedupe_key) do nothing;
  get diagnostics added = row_count;
  update lanes set pending = pending - 1 where lane = letter.lane and added = 0;  -- the same upkeep waits already
  return true;
end $$;
comment on function requeue_dead(bigint) is 'Puts a dead letter back on the queue, as if it had just come in. False when there is none of that id.';
