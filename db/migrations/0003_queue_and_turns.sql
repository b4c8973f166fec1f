-- What waits, who works on it, and the one commit a turn ends with.

create table lanes (
  lane          text primary key,
  priority      smallint not null default 1 check (priority between 0 and 2),
  pending       int not null default 0 check (pending >= 0),
  run_at        timestamptz not null default now(),
  waiting_since timestamptz,
  lease_until   timestamptz,
  token         bigint,
  worker        text,
  attempts      smallint not null default 0,
  superseded    smallint not null default 0,
  last_error    text
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000);
-- exactly the ORDER BY of the claim, and only what can be claimed: dead letters and idle lanes cost it nothing
create index lanes_ready on lanes (priority, run_at, lane) where pending > 0 and lease_until is null;
create index lanes_leased on lanes (lease_until) where lease_until is not null;
create sequence lane_tokens;
comment on table lanes is 'One customer address on one channel (or one piece of upkeep): the unit that is claimed, leased and released, so that what waits in it is done in order and by one worker.';
comment on column lanes.lane is 'channel:thread_key for messages, job:name for upkeep.';
comment on column lanes.priority is '0 reply, 1 intake, 2 upkeep: lower goes first.';
comment on column lanes.pending is 'How many rows of message_queue wait. A counter, so that an enqueue and a release cannot lose each other.';
comment on column lanes.run_at is 'When it may be claimed: now, after a quiet time, or after a failed try. Never moved back.';
comment on column lanes.waiting_since is 'When the oldest of what waits came in; bounds how long a burst may put the answer off.';
comment on column lanes.lease_until is 'Whose time runs out then may be claimed by another; null: free.';
comment on column lanes.token is 'Fencing token of the holder: a worker with an older one can change nothing.';
comment on column lanes.worker is 'Name of the holder, for people.';
comment on column lanes.attempts is 'Claims since the last success, counted when claimed, so that a crash counts.';
comment on column lanes.superseded is 'How often in a row a finished answer was dropped because the customer had written again.';
comment on column lanes.last_error is 'Kind of the last failure; never a customer''s text.';

create table message_queue (
  id         bigint generated always as identity primary key,
  lane       text not null,
  kind       text not null,
  dedupe_key text not null unique,
  payload    jsonb not null,
  created_at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
create index message_queue_lane on message_queue (lane, id);
comment on table message_queue is 'Work that waits. A row leaves in the commit that did the work.';
comment on column message_queue.id is 'Order within a lane.';
comment on column message_queue.lane is 'The row in lanes it waits in.';
comment on column message_queue.kind is 'inbound, index_article or sweep.';
comment on column message_queue.dedupe_key is 'The same key twice is the same work. Of an inbound message: channel:external id.';
comment on column message_queue.payload is 'What the work is about; of an inbound message: version, channel, thread_key, external_id, body, sent_at, who wrote.';
comment on column message_queue.created_at is 'When it was accepted.';

create table dead_letters (
  id         bigint generated always as identity primary key,
  lane       text not null,
  kind       text not null,
  dedupe_key text not null unique,
  payload    jsonb not null,
  attempts   smallint not null,
  error      text not null,
  created_at timestamptz not null,
  failed_at  timestamptz not null default now()
);
comment on table dead_letters is 'Work that failed for good: look at it (python -m app dead list), mend the cause, requeue it.';
comment on column dead_letters.id is 'What the command line names it by.';
comment on column dead_letters.lane is 'Where it waited.';
comment on column dead_letters.kind is 'As message_queue.kind.';
comment on column dead_letters.dedupe_key is 'As message_queue.dedupe_key: a repetition of dead work is not taken in again.';
comment on column dead_letters.payload is 'As it was accepted.';
comment on column dead_letters.attempts is 'How often it was tried.';
comment on column dead_letters.error is 'Why it was given up.';
comment on column dead_letters.created_at is 'When it was accepted.';
comment on column dead_letters.failed_at is 'When it was given up.';

create table workers (
  name        text primary key,
  started_at  timestamptz not null default now(),
  heartbeat_at timestamptz not null default now(),
  running     int not null default 0
);
comment on table workers is 'The worker processes that live, by their last heartbeat.';
comment on column workers.name is 'Host, process and chance.';
comment on column workers.started_at is 'When it started.';
comment on column workers.heartbeat_at is 'When it last said that it lives.';
comment on column workers.running is 'Lanes in its hands then.';

create table turns (
  id             uuid primary key default new_id(),
  conversation_id uuid not null,
  customer_id    uuid,
  lane           text not null,
  newest         bigint not null,
  token          bigint not null,
  epoch          int not null,
  attempts       smallint not null default 1,
  state          text not null default 'running' check (state in ('running', 'done', 'superseded', 'silenced', 'abandoned')),
  outcome        text check (outcome in ('answered', 'asked', 'acknowledged', 'refused', 'escalated', 'closed', 'silent')),
  model          text,
  prompt_version text,
  timings_ms     jsonb not null default '{}',
  input_tokens   int,
  output_tokens  int,
  cost_usd       numeric(12, 6),
  error          text,
  started_at     timestamptz not null default clock_timestamp(),
  finished_at    timestamptz
);
create index turns_conversation on turns (conversation_id, started_at);
create unique index turns_running on turns (lane) where state = 'running';
comment on table turns is 'The ledger: one try of the agent to answer what a lane held, kept also when nothing of it was sent.';
comment on column turns.id is 'Time-ordered.';
comment on column turns.conversation_id is 'Where.';
comment on column turns.customer_id is 'With whom.';
comment on column turns.lane is 'The lane that was claimed.';
comment on column turns.newest is 'Id of the newest queued message it covers; a newer one supersedes it.';
comment on column turns.token is 'Fencing token of the claim that works on it.';
comment on column turns.epoch is 'The conversation''s epoch when it began.';
comment on column turns.attempts is 'Workers that took it up; above 1 after a crash.';
comment on column turns.state is 'running; done; superseded (the customer wrote again); silenced (a person took over); abandoned (overtaken after a crash).';
comment on column turns.outcome is 'What the customer got: answered, asked, acknowledged, refused, escalated, closed (nothing was asked), silent (a person has it).';
comment on column turns.model is 'The model that gave the last step.';
comment on column turns.prompt_version is 'Hash of the policy text.';
comment on column turns.timings_ms is 'Milliseconds: waiting, thinking, total, and each tool by its name.';
comment on column turns.input_tokens is 'Of all steps; null where the model does not count.';
comment on column turns.output_tokens is 'Of all steps.';
comment on column turns.cost_usd is 'Of all steps; null while the price of the model is not known.';
comment on column turns.error is 'Why it failed or hit a limit.';
comment on column turns.started_at is 'When it was first taken up.';
comment on column turns.finished_at is 'When it ended.';

create table turn_steps (
  turn_id       uuid not null,
  step          smallint not null,
  model         text not null,
  items         jsonb not null,
  results       jsonb not null default '[]',
  effects       jsonb not null default '[]',
  passages      jsonb not null default '[]',
  usage         jsonb,
  cost_usd      numeric(12, 6),
  latency_ms    real not null,
  request_id    text,
  error         text,
  created_at    timestamptz not null default clock_timestamp(),
  primary key (turn_id, step)
);
comment on table turn_steps is 'One exchange with the model, written as it happens; a crashed turn goes on after its last step.';
comment on column turn_steps.turn_id is 'Of which turn.';
comment on column turn_steps.step is 'From 1.';
comment on column turn_steps.model is 'Who answered.';
comment on column turn_steps.items is 'What the model said: texts, tool calls, opaque reasoning.';
comment on column turn_steps.results is 'What the tools answered: [{call_id, output}].';
comment on column turn_steps.effects is 'What the tools will change in the one commit.';
comment on column turn_steps.passages is 'What was found: [{k, passage, article, version, slug, title, url, text, score}].';
comment on column turn_steps.usage is 'The provider''s own account.';
comment on column turn_steps.cost_usd is 'Null where the price is not known.';
comment on column turn_steps.latency_ms is 'Of the model alone.';
comment on column turn_steps.request_id is 'The provider''s id, to ask them.';
comment on column turn_steps.error is 'Why the step gave nothing usable.';
comment on column turn_steps.created_at is 'When it ended.';

create table agent_metrics (
  turn_id          uuid primary key,
  conversation_id  uuid not null,
  channel          text not null,
  finished_at      timestamptz not null default clock_timestamp(),
  waiting_ms       real not null,
  thinking_ms      real not null,
  delivery_ms      real,
  total_ms         real,
  input_tokens     int,
  output_tokens    int,
  cost_usd         numeric(12, 6),
  sentiment_before real,
  sentiment_after  real,
  escalated        boolean not null,
  outcome          text not null,
  is_test          boolean not null default false
);
create index agent_metrics_finished on agent_metrics (finished_at);
create index agent_metrics_conversation on agent_metrics (conversation_id, finished_at);
comment on table agent_metrics is 'One row per finished turn: how long, how much, how the customer felt, how it ended.';
comment on column agent_metrics.turn_id is 'Of which turn.';
comment on column agent_metrics.conversation_id is 'Where.';
comment on column agent_metrics.channel is 'On which channel.';
comment on column agent_metrics.finished_at is 'When it ended.';
comment on column agent_metrics.waiting_ms is 'From the first covered message''s acceptance to its claim.';
comment on column agent_metrics.thinking_ms is 'From the claim to the commit.';
comment on column agent_metrics.delivery_ms is 'From the commit to the vendor''s acceptance; 0 where the commit is the delivery, null while it is under way or nothing was sent.';
comment on column agent_metrics.total_ms is 'From acceptance to delivery; null while that is under way.';
comment on column agent_metrics.input_tokens is 'Null where the model does not count.';
comment on column agent_metrics.output_tokens is 'Null where the model does not count.';
comment on column agent_metrics.cost_usd is 'Null where the price is not known.';
comment on column agent_metrics.sentiment_before is 'The customer''s mood before this burst; null in a first one.';
comment on column agent_metrics.sentiment_after is 'The mood of this burst, -1 to +1.';
comment on column agent_metrics.escalated is 'Whether it ended with a person.';
comment on column agent_metrics.outcome is 'As turns.outcome.';
comment on column agent_metrics.is_test is 'Made by POST /test/queue; counted nowhere.';

create table provider_health (
  provider     text primary key,
  state        text not null default 'closed' check (state in ('closed', 'open', 'half_open')),
  failures     int not null default 0,
  opened_until timestamptz,
  not_before   timestamptz,
  half_open_by text,
  caps         jsonb not null default '{}',
  last_error   text,
  updated_at   timestamptz not null default now()
);
comment on table provider_health is 'The circuit breaker of each model provider, shared by all workers; written only when something changes.';
comment on column provider_health.provider is 'Name of the model as the ledger has it.';
comment on column provider_health.state is 'closed: in use; open: not asked until opened_until; half_open: one worker tries.';
comment on column provider_health.failures is 'In a row.';
comment on column provider_health.opened_until is 'When it may be tried again.';
comment on column provider_health.not_before is 'The provider''s own wish after a rate limit.';
comment on column provider_health.half_open_by is 'The worker that tries.';
comment on column provider_health.caps is 'What the provider was found not to support.';
comment on column provider_health.last_error is 'Kind of the last failure.';
comment on column provider_health.updated_at is 'When it last changed.';

create table schedules (
  name        text primary key,
  every       interval not null,
  next_run_at timestamptz not null default now()
);
comment on table schedules is 'Upkeep that runs by the clock, once per fleet.';
comment on column schedules.name is 'The kind of work it puts on the queue.';
comment on column schedules.every is 'How often.';
comment on column schedules.next_run_at is 'When it is next put there.';

-- Intake ----------------------------------------------------------------------------------------------------------------

create function add_work(in_lane text, in_kind text, in_priority int, in_dedupe_key text, in_payload jsonb,
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

create function claim_lanes(by_worker text, lane_limit int, message_limit int, lease interval, floor timestamptz)
returns table (lane text, token bigint, priority smallint, attempts smallint, last_error text, run_at timestamptz, waited_ms real,
               newest bigint, id bigint, kind text, payload jsonb, created_at timestamptz) language plpgsql as $$
#variable_conflict use_column
declare my_token bigint := nextval('lane_tokens'); taken text[] := '{}'; more text[]; level int;
begin
  -- First statements: lease the lanes, those whose holder died before fresh ones.
  with lost as materialized (
    select l.lane from lanes l where l.lease_until < now() order by l.lease_until limit lane_limit for update skip locked
  ), leased as (
    update lanes l set lease_until = clock_timestamp() + lease, token = my_token, worker = by_worker, attempts = l.attempts + 1
      from lost where l.lane = lost.lane returning l.lane
  ) select coalesce(array_agg(leased.lane), '{}') into taken from leased;
  for level in 0..2 loop
    exit when cardinality(taken) >= lane_limit;
    with ready as materialized (
      select l.lane from lanes l
       where l.priority = level and l.pending > 0 and l.lease_until is null and l.run_at <= now() and l.run_at >= floor
       order by l.run_at, l.lane limit lane_limit - cardinality(taken) for update skip locked
    ), leased as (
      update lanes l set lease_until = clock_timestamp() + lease, token = my_token, worker = by_worker, attempts = l.attempts + 1
        from ready where l.lane = ready.lane returning l.lane
    ) select coalesce(array_agg(leased.lane), '{}') into more from leased;
    taken := taken || more;
  end loop;
  -- Second statement, with a snapshot younger than the locks: a lane that was served and refilled between the first
  -- one's snapshot and its lock would otherwise hand out messages that are already answered.
  return query
    select l.lane, l.token, l.priority, l.attempts, l.last_error, l.run_at,
           (extract(epoch from clock_timestamp() - q.created_at) * 1000)::real,
           (select max(m.id) from message_queue m where m.lane = l.lane), q.id, q.kind, q.payload, q.created_at
      from unnest(taken) t join lanes l on l.lane = t
      cross join lateral (select * from message_queue m where m.lane = l.lane order by m.id limit message_limit) q
     order by l.lane, q.id;
end $$;
comment on function claim_lanes(text, int, int, interval, timestamptz) is 'Leases up to so many lanes for a worker and returns what waits in them, oldest first; no lane whose run_at lies before floor, so that a long-held snapshot cannot make the claim wade through dead rows.';

create function release_lane(in_lane text, in_token bigint, pause interval, failure text, tries int default null,
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

create function finish_work(in_lane text, in_token bigint, done bigint[], dead_error text default null)
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

create function requeue_dead(dead_id bigint) returns boolean language plpgsql as $$
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
