-- What people read. Dropped first, because a view cannot change its columns in place.

drop view if exists autonomy_evidence, unfinished, inbox, mail_log, alarms, waiting_customers, turn_explained, queue_overview, channel_metrics, channel_costs, ticket_costs, turn_costs;

create view waiting_customers as
-- a conversation whose customer waits
select c.id as conversation_id, k.reference, c.channel, c.customer_id, c.waiting_since, w.waits_for, w.owner, w.due_at,
       k.priority, k.escalation_reason, case w.waits_for when 'delivery' then coalesce(first.tries, said.tries) else l.attempts end as attempts,
       case w.waits_for when 'delivery' then coalesce(first.delivery_error, said.delivery_error) else l.last_error end as last_error,
       case w.waits_for when 'person' then not w.is_filed and (w.owner is null or w.due_at is null) else not w.is_worked_on end as is_unseen,
       coalesce(w.due_at < now(), false) as is_overdue,
       -- as free_until(c), which called once for each row would take as long as all the rest
       case when g.channel is not null then coalesce(h.heard_at + g.reply_window, c.created_at) end as free_until,
       c.channel || ':' || c.thread_key as lane
  from conversations c
  left join lateral (select * from tickets t where t.conversation_id = c.id order by t.created_at desc limit 1) k on true
  -- limit 1: looked up one by one, for few of all there are wait; joined, whole tables are read as long as they are not huge
  left join lateral (select * from lanes x where x.lane = c.channel || ':' || c.thread_key limit 1) l on true
  left join lateral (select * from lanes x where x.lane = 'out:' || c.id limit 1) o on true
  left join lateral (select m.author, m.delivery in ('pending', 'sending', 'unknown', 'failed') as is_under_way, m.tries, m.delivery_error
                       from messages m
                      where m.conversation_id = c.id and m.direction = 'outbound' and m.delivery <> 'cancelled' and m.kind is distinct from 'csat'
                      order by m.sent_at desc, m.id desc limit 1) said on true
  left join lateral (select e.tries, e.delivery_error from messages e  -- the first that is not with the vendor holds up the rest
                      where e.conversation_id = c.id and e.delivery in ('pending', 'sending', 'unknown')
                      order by e.sent_at, e.part, e.id limit 1) first on said.is_under_way
  left join lateral (select true as waits from drafts p where p.conversation_id = c.id and p.state = 'pending' and p.source = 'agent') draft on true
  left join channel_configs g on g.channel = c.channel and g.reply_window is not null
  left join lateral heard(c) h on g.channel is not null
  cross join lateral (
    select coalesce(l.pending, 0) > 0 as is_filed, coalesce(l.pending, 0) > 0 or coalesce(o.pending, 0) > 0 as is_worked_on,
           case when (c.handler = 'human' or draft.waits) and not (said.author is not distinct from 'person' and coalesce(o.pending, 0) > 0) then 'person'
                when l.pending > 0 then case when l.lease_until > now() then 'turn' else 'queue' end
                when said.is_under_way then 'delivery' else 'nobody' end as waits_for,
           case when c.handler = 'human' or draft.waits then coalesce(k.assignee, k.team)
                when l.pending > 0 or o.pending > 0 then 'agent' end as owner,
           -- a person's due time that lies before this wait was for an earlier word
           case when c.handler = 'human' or draft.waits then case when k.person_due_at >= c.waiting_since then k.person_due_at end
                when k.first_response_met_at is null then k.first_response_due_at
                else (select d.first_response_due_at from due_times(k.category, c.plan, c.waiting_since) d) end as due_at
    offset 0) w  -- each of them worked out once, though it is asked for several times
 where c.waiting_since is not null and not c.is_test
union all
-- a message that no turn has taken up yet, in a conversation that is new or was at rest
select c.id, k.reference, split_part(l.lane, ':', 1), c.customer_id, q.created_at, case when l.lease_until > now() then 'turn' else 'queue' end,
       case when c.handler = 'human' then coalesce(k.assignee, k.team) else 'agent' end, w.due_at, k.priority, null,
       l.attempts, l.last_error, false, coalesce(w.due_at < now(), false), null, l.lane
  from (select distinct x.lane from message_queue x where x.kind = 'inbound') filed join lanes l using (lane)
  left join conversations c on c.channel = split_part(l.lane, ':', 1) and c.thread_key = substr(l.lane, strpos(l.lane, ':') + 1)
  left join lateral (select * from tickets t where t.conversation_id = c.id order by t.created_at desc limit 1) k on true
  cross join lateral (select i.created_at from message_queue i
                       where i.lane = l.lane and i.kind = 'inbound'
                         and not exists (select from messages m where m.conversation_id = c.id and m.author = 'person' and m.sent_at > i.created_at)
                       order by i.id limit 1) q
  cross join lateral (
    select case when c.handler = 'human' then case when k.person_due_at >= q.created_at then k.person_due_at end
                when k.first_response_met_at is null then k.first_response_due_at
                else (select d.first_response_due_at from due_times(k.category, c.plan, q.created_at) d) end as due_at) w
 where l.pending > 0 and c.waiting_since is null and c.is_test is not true
union all
-- a message that was given up before anybody could be called
select c.id, k.reference, split_part(d.lane, ':', 1), c.customer_id, d.created_at, 'nobody', null, null, k.priority, 'dead_letter',
       d.attempts, d.error, true, true, null, d.lane
  from (select distinct on (g.lane) g.* from dead_letters g
         where g.kind = 'inbound'
           and not exists (select from messages m where m.channel = g.payload->>'channel' and m.external_id = g.payload->>'external_id')
           and not exists (select from message_queue q where q.lane = g.lane and q.kind = 'inbound')
         order by g.lane, g.id) d
  left join conversations c on c.channel = split_part(d.lane, ':', 1) and c.thread_key = substr(d.lane, strpos(d.lane, ':') + 1)
  left join lateral (select * from tickets t where t.conversation_id = c.id order by t.created_at desc limit 1) k on true
 where c.waiting_since is null and c.is_test is not true
   and not exists (select from messages m where m.conversation_id = c.id and m.author = 'person' and m.sent_at > d.created_at);
comment on view waiting_customers is 'Everyone whose last word has no answer yet, each once: what they wait for (queue, turn, delivery, person or nobody), who owes it, since when, and by when; null where no ticket promises a time. attempts and last_error are those of what they wait for. is_unseen: nobody owns it, it waits for a person and no time is set, or nothing will happen any more, so somebody must look. free_until: until when they may be written to freely; null: for ever, or not known yet. lane: the queue of their messages.';

create view inbox as
select w.conversation_id, w.reference, w.channel, coalesce(u.name, queued.name) as customer, coalesce(nullif(c.subject, ''), queued.subject, '') as subject,
       coalesce(queued.words, said.words, '') as words, w.waits_for, w.owner, k.assignee, w.waiting_since, w.due_at, w.is_overdue, w.is_unseen,
       w.priority, k.category, w.escalation_reason as reason, c.sentiment, c.language, coalesce(c.tags, '{}') as tags,
       c.snoozed_until, w.free_until, coalesce(k.warned_at >= w.waiting_since, false) as is_warned, d.draft
  from waiting_customers w
  left join lateral (select * from conversations x where x.id = w.conversation_id limit 1) c on true
  left join lateral (select * from customers x where x.id = w.customer_id limit 1) u on true
  left join lateral (select t.category, t.assignee, t.warned_at from tickets t where t.reference = w.reference limit 1) k on true
  left join lateral (select left(m.body, 240) as words from messages m
                      where m.conversation_id = w.conversation_id and m.direction = 'inbound' and m.kind is null
                      order by m.sent_at desc, m.id desc limit 1) said on true
  left join lateral (select q.payload->'customer'->>'name' as name, q.payload->>'subject' as subject, left(q.payload->>'body', 240) as words
                       from message_queue q where q.kind = 'inbound' and q.lane = w.lane
                      order by q.id desc limit 1) queued on true
  left join lateral (select x.source as draft from drafts x where x.conversation_id = w.conversation_id and x.state = 'pending'
                      order by x.source = 'correction', x.created_at limit 1) d on true
 order by w.is_unseen desc, w.due_at nulls last, w.priority desc nulls last, c.sentiment nulls last, w.waiting_since;
comment on view inbox is 'Everyone of waiting_customers with what the page /inbox shows of them, most urgent first: unseen, then by due time, priority and anger; the page has those who wait for a person before those the agent has. words: what they wrote last. assignee: the person who has it. snoozed_until: the page shows them elsewhere until then. is_warned: little of the promised time is left. draft: a suggestion that nobody has decided about, as drafts.source.';

create view unfinished as
with left_open as (
  (select c.id from conversations c where c.handler = 'human' and c.status <> 'resolved' and c.waiting_since is null
    order by c.updated_at desc limit 1000)
  union
  select d.conversation_id from drafts d where d.state = 'pending')
select c.id as conversation_id, k.reference, c.channel, u.name as customer, c.subject, coalesce(said.words, '') as words, k.assignee, k.priority,
       k.category, c.sentiment, c.language, c.tags, c.snoozed_until, c.status, c.updated_at, d.draft
  from left_open join conversations c using (id)
  left join customers u on u.id = c.customer_id
  left join lateral (select * from tickets t where t.conversation_id = c.id order by t.created_at desc limit 1) k on true
  left join lateral (select left(m.body, 240) as words from messages m where m.conversation_id = c.id order by m.sent_at desc, m.id desc limit 1) said on true
  left join lateral (select x.source as draft from drafts x where x.conversation_id = c.id and x.state = 'pending'
                      order by x.source = 'correction', x.created_at limit 1) d on true
 where c.waiting_since is null and not c.is_test and (k.assignee is not null or d.draft is not null)
 order by c.updated_at;
comment on view unfinished is 'Conversations whose customer waits for nothing and with which the team is not done: somebody has it and has not resolved it or given it back, or a suggestion waits for a decision (draft, as drafts.source). Of those somebody has, the thousand that changed last.';

create view autonomy_evidence as
with drafted as (
  select d.channel, d.category, count(*) as decided, count(*) filter (where d.state = 'approved') as unedited,
         count(*) filter (where d.state = 'edited') as edited, count(*) filter (where d.state = 'rejected') as rejected,
         percentile_cont(0.5) within group (order by d.distance) as median_distance
    from drafts d left join autonomy a using (channel, category)
   where d.source = 'agent' and d.state in ('approved', 'edited', 'rejected') and d.decided_at > coalesce(a.decided_at, '-infinity')
   group by d.channel, d.category
), answered as (
  select c.channel, k.category, count(*) as answers,
         count(*) filter (where exists (  -- what came next ended at a person
           select from agent_metrics later where later.conversation_id = m.conversation_id and later.finished_at > m.finished_at
              and later.finished_at < m.finished_at + interval '3 days' and later.outcome = 'escalated')
           or exists (select from csat s where s.conversation_id = m.conversation_id and s.about = 'agent' and s.score <= 2  -- or they were not content
                         and s.asked_at > m.finished_at and s.asked_at < m.finished_at + interval '3 days')) as troubled
    from agent_metrics m join conversations c on c.id = m.conversation_id and not c.is_test
    join lateral (select category from tickets t where t.conversation_id = c.id order by t.created_at desc limit 1) k on true
    left join autonomy a on a.channel = c.channel and a.category = k.category
   where m.outcome = 'answered' and m.finished_at > greatest(coalesce(a.decided_at, '-infinity'), now() - interval '30 days')
   group by c.channel, k.category
), seen as (
  select channel, category, mode_of(channel, category) as mode, coalesce(decided, 0) as decided, coalesce(unedited, 0) as unedited,
         coalesce(edited, 0) as edited, coalesce(rejected, 0) as rejected, median_distance, wilson_lower(unedited, decided) as surely_unedited,
         coalesce(answers, 0) as answers, coalesce(troubled, 0) as troubled, wilson_lower(troubled, answers) as surely_troubled
    from drafted full join answered using (channel, category)
)
select s.*, case when s.mode = 'draft' and s.decided >= l.approvals_from and s.surely_unedited > l.unedited_above then 'auto'
                 when s.mode = 'auto' and s.answers >= l.answers_from and s.surely_troubled > l.trouble_above then 'draft' end as proposal,
       format('%s of %s drafts approved as they were (surely %s %%); after %s of %s answers a person was needed, or the mark was bad', s.unedited, s.decided,
              coalesce(round(100 * s.surely_unedited), 0), s.troubled, s.answers) as why
  from seen s cross join autonomy_limits l;
comment on view autonomy_evidence is 'How the agent''s drafts and answers fared, by channel and category, since the last decision about them: how many drafts people decided, and how; how many answers of the last 30 days were followed by a person within three days or by a bad mark (1 or 2); surely_: the lower bound of the share (95 %). proposal: auto, for a manager to decide; draft, done by itself within the hour.';

create view mail_log as
select m.id, m.arrived_at, m.verdict, m.why, m.thread_key, k.reference, octet_length(m.raw) as bytes
  from mails m
  left join conversations c on c.channel = 'gmail' and c.thread_key = m.thread_key
  left join lateral (select reference from tickets t where t.conversation_id = c.id order by t.created_at desc limit 1) k on true
 order by m.arrived_at desc;
comment on view mail_log is 'What came in by mail and what was made of it, latest first: why a mail got no answer.';

create view turn_explained as
select t.id as turn_id, t.conversation_id, k.reference, t.started_at, t.state, t.outcome, s.step, s.model, s.request_id, s.latency_ms,
       (s.usage->>'input_tokens')::int as input_tokens, (s.usage->>'cached_tokens')::int as cached_tokens,
       (s.usage->>'output_tokens')::int as output_tokens, s.cost_usd, s.reserved_usd,
       (select string_agg(coalesce(i->>'name' || ' ' || (i->>'arguments'), i->>'text'), E'\n') from jsonb_array_elements(s.items) i
         where i->>'type' in ('tool_call', 'text')) as did,
       (select string_agg(r->>'output', E'\n') from jsonb_array_elements(s.results) r) as was_told,
       (select string_agg((p->>'k') || ' ' || (p->>'slug') || ' v' || (p->>'version') || ' ' || round((p->>'score')::numeric, 3), E'\n')
          from jsonb_array_elements(s.passages) p) as found,
       (select string_agg(case when pg_input_is_valid(r->>'output', 'jsonb') then (r->>'output')::jsonb->'error'->>'code' end, E'\n')
          from jsonb_array_elements(s.results) r where (r->>'refused')::boolean) as refused,
       s.error as step_error, t.error as turn_error, t.timings_ms, t.prompt_version
  from turns t
  left join turn_steps s on s.turn_id = t.id
  left join lateral (select reference from tickets x where x.conversation_id = t.conversation_id order by x.created_at desc limit 1) k on true
 order by t.started_at, t.id, s.step;
comment on view turn_explained is 'Why did it say that: one row per step of every turn, what the model did, what it was told, what it found, which check refused it (the next step is the repair), what it cost. Model policy: a step of our own rules. step_error: why a model gave no answer; the next step is another model''s.';

create view turn_costs as
select t.id as turn_id, t.conversation_id, t.started_at, t.finished_at, sum(s.cost_usd) as cost_usd,
       sum((s.usage->>'input_tokens')::int) as input_tokens, sum((s.usage->>'output_tokens')::int) as output_tokens,
       coalesce(bool_or(s.cost_usd is null and s.usage is not null and (s.usage->>'input_tokens')::int > 0), false) as is_part_unknown
  from turns t join conversations c on c.id = t.conversation_id and not c.is_test
  left join turn_steps s on s.turn_id = t.id group by t.id;
comment on view turn_costs is 'What each turn has cost in models, by its steps, also one of which nothing was sent. is_part_unknown: a model was asked whose price is not known, and cost_usd leaves it out.';

create view ticket_costs as
select k.reference, c.channel, k.status, k.escalation_reason, k.created_at, count(t.turn_id) as turns, sum(t.input_tokens) as input_tokens,
       sum(t.output_tokens) as output_tokens, sum(t.cost_usd) as cost_usd, count(t.turn_id) filter (where t.is_part_unknown) as turns_of_unknown_cost
  from tickets k join conversations c on c.id = k.conversation_id and not c.is_test
  left join turn_costs t on t.conversation_id = k.conversation_id and t.finished_at >= k.created_at
       and not exists (select from tickets next where next.conversation_id = k.conversation_id and next.created_at > k.created_at
                                                and next.created_at <= t.finished_at)
 group by k.id, c.channel;
comment on view ticket_costs is 'What each ticket has cost in models: a turn belongs to the newest ticket of its conversation that there was at its end. Turns of conversations without a ticket are in channel_costs alone.';

create view channel_costs as
select c.channel, date_trunc('day', t.started_at) as day, count(*) as turns, count(distinct c.id) as conversations,
       count(distinct c.id) filter (where c.status = 'resolved') as resolved, sum(t.cost_usd) as cost_usd, sum(t.cost_usd) / count(*) as cost_per_turn,
       sum(t.cost_usd) / count(distinct c.id) as cost_per_conversation,
       sum(t.cost_usd) / nullif(count(distinct c.id) filter (where c.status = 'resolved'), 0) as cost_per_resolution
  from turn_costs t join conversations c on c.id = t.conversation_id group by 1, 2 order by 2 desc, 1;
comment on view channel_costs is 'What turns cost in models, by channel and day: in all, per turn, per conversation, and per conversation that is resolved by now; null where nothing is known. Summaries are not in it: conversations.summary_usd.';

create view queue_overview as
select q.kind, l.priority, count(*) as waiting, count(*) filter (where l.lease_until > now()) as in_hand,
       count(*) filter (where (l.lease_until > now()) is not true and l.run_at <= now()) as due,
       count(*) filter (where l.lease_until is null and l.run_at > now()) as held_back, count(*) filter (where t.tries > 1) as retrying,
       min(q.created_at) as oldest, extract(epoch from now() - min(q.created_at))::int as oldest_seconds, max(t.tries) as most_attempts,
       case when q.kind = 'deliver' then (select count(*) from messages m where m.delivery = 'unknown') end as in_doubt
  from message_queue q join lanes l using (lane)
  left join lateral (select m.tries from messages m  -- of a delivery each try is counted there, also one that costs the lane none
                      where q.kind = 'deliver' and m.id = case when pg_input_is_valid(q.payload->>'message_id', 'uuid')
                                                               then (q.payload->>'message_id')::uuid end) m on true
  cross join lateral (select greatest(l.attempts, m.tries) as tries) t
 group by q.kind, l.priority;
comment on view queue_overview is 'What waits, by kind of work: how much is in hand, due, held back for a quiet time or a retry, how old the oldest is, and how many replies nobody knows the outcome of.';

create or replace function channel_metrics_since(since timestamptz)
returns table (channel text, received bigint, answered bigint, waiting bigint, escalation_rate double precision,
               queue_p50 double precision, queue_p95 double precision, thinking_p50 double precision, thinking_p95 double precision,
               delivery_p50 double precision, delivery_p95 double precision, total_p50 double precision, total_p95 double precision,
               sentiment_average double precision, sentiment_change double precision, cost_usd double precision,
               resolution_rate double precision, outcomes jsonb, n bigint) language sql stable as $$
  with spans as (
    select coalesce(m.channel, 'total') as channel, count(*) as n,
           count(*) filter (where m.outcome in ('answered', 'asked', 'acknowledged', 'refused', 'closed')) as answered,
           avg(m.escalated::int) filter (where m.outcome <> 'silent')::float8 as escalation_rate,
           percentile_cont(array[0.5, 0.95]) within group (order by m.waiting_ms) as queue,
           percentile_cont(array[0.5, 0.95]) within group (order by m.thinking_ms) as thinking,
           percentile_cont(array[0.5, 0.95]) within group (order by m.delivery_ms) as delivery,
           percentile_cont(array[0.5, 0.95]) within group (order by m.total_ms) as total,
           avg(m.sentiment_after)::float8 as sentiment_average, avg(m.sentiment_after - m.sentiment_before)::float8 as sentiment_change,
           sum(m.cost_usd)::float8 as cost_usd
      from agent_metrics m where m.finished_at >= since and not m.is_test group by grouping sets ((m.channel), ())
  ), ends as (
    select coalesce(o.channel, 'total') as channel, jsonb_object_agg(o.outcome, o.n) as outcomes
      from (select m.channel, m.outcome, count(*) as n from agent_metrics m
             where m.finished_at >= since and not m.is_test group by grouping sets ((m.channel, m.outcome), (m.outcome))) o group by 1
  ), heard as (
    select coalesce(h.channel, 'total') as channel, count(*) as received from (
      select m.channel from messages m join conversations c on c.id = m.conversation_id
       where m.direction = 'inbound' and m.created_at >= since and not c.is_test
      union all select q.payload->>'channel' from message_queue q where q.kind = 'inbound' and q.created_at >= since
         and coalesce(q.payload->>'is_test', 'false') <> 'true') h group by grouping sets ((h.channel), ())
  ), owed as (
    select coalesce(w.channel, 'total') as channel, count(*) as waiting from waiting_customers w group by grouping sets ((w.channel), ())
  ), solved as (
    select coalesce(c.channel, 'total') as channel,
           avg((c.status = 'resolved' or (c.handler = 'agent' and c.waiting_since is null and latest.outcome = 'answered'))::int)::float8 as rate
      from conversations c
      join lateral (select m.outcome from agent_metrics m where m.conversation_id = c.id and m.finished_at >= since
                     order by m.finished_at desc limit 1) latest on true
     where not c.is_test and c.updated_at >= since group by grouping sets ((c.channel), ())
  )
  select names.channel, coalesce(heard.received, 0), coalesce(spans.answered, 0), coalesce(owed.waiting, 0), spans.escalation_rate,
         queue[1], queue[2], thinking[1], thinking[2], delivery[1], delivery[2], total[1], total[2],
         spans.sentiment_average, spans.sentiment_change, spans.cost_usd, solved.rate, coalesce(ends.outcomes, '{}'), coalesce(spans.n, 0)
    from (select g.channel from channel_configs g union select 'total') names
    left join spans using (channel) left join ends using (channel) left join heard using (channel)
    left join owed using (channel) left join solved using (channel)
   order by names.channel = 'total', names.channel
$$;
comment on function channel_metrics_since(timestamptz) is 'The numbers for managers since a moment, per channel and in total; null where there was no traffic. Each number is defined under definitions in GET /metrics/channels.';

create view channel_metrics as select * from channel_metrics_since(now() - interval '24 hours');
comment on view channel_metrics is 'What GET /metrics/channels shows for the last 24 hours.';

create or replace function name_tickets(refs text[]) returns text language sql immutable as $$
  select coalesce(string_agg(ref, ', ' order by place), 'no tickets') || case when cardinality(array_remove(refs, null)) > 5 then ', …' else '' end
    from (select * from unnest(array_remove(refs, null)) with ordinality u (ref, place) limit 5) named
$$;
comment on function name_tickets(text[]) is 'The first five references, for a sentence.';

create view alarms as
with sessions as (
  -- without the right pg_read_all_stats, times and states of other users are null: their snapshots are told by their age in transactions
  select 'pid ' || pid as about, coalesce(nullif(application_name, ''), 'no name') || ', user ' || coalesce(usename, '?') as who, state, xact_start,
         state_change, greatest(age(backend_xmin), age(backend_xid)) as xids, format('select pg_terminate_backend(%s)', pid) as ending
    from pg_stat_activity
   where pid <> pg_backend_pid() and usename is not null and coalesce(backend_type, 'client backend') in ('client backend', 'walsender')
     and (datname = current_database() or datname is null)
  union all
  select 'prepared transaction ' || gid, 'user ' || owner, null, prepared, null, age(transaction), format('rollback prepared %L', gid)
    from pg_prepared_xacts where database = current_database()
  union all
  select 'replication slot ' || slot_name, case when active then 'in use' else 'not in use' end, null, null, null,
         greatest(age(xmin), age(catalog_xmin)), format('select pg_drop_replication_slot(%L)', slot_name) from pg_replication_slots
), undelivered as (
  -- the reply a waiting customer has not got: the first one on its way, else the last that was written
  select c.channel, k.reference, r.delivery, r.delivery_error, r.tries, r.sent_at, coalesce(r.last_try_at, r.created_at) as last_try_at,
         exists (select from message_queue q where q.dedupe_key = 'deliver:' || r.id) as is_queued
    from conversations c
    cross join lateral (
      select * from (
        (select m.*, 1 as choice from messages m where m.conversation_id = c.id and m.delivery in ('pending', 'sending', 'unknown')
          order by m.sent_at, m.part, m.id limit 1)
        union all
        (select m.*, 2 from messages m where m.conversation_id = c.id and m.direction = 'outbound' and m.delivery <> 'cancelled'
          order by m.sent_at desc, m.id desc limit 1)) m order by choice limit 1) r
    left join lateral (select t.reference from tickets t where t.conversation_id = c.id order by t.created_at desc limit 1) k on true
   where c.waiting_since is not null and not c.is_test
), measured (alarm, about, value, since, detail, what_to_do) as (
  select 'no_worker', 'workers', coalesce(extract(epoch from now() - max(heartbeat_at)), 'infinity'), max(heartbeat_at),
         coalesce('No worker has been heard of since ' || date_trunc('second', max(heartbeat_at)) || '.', 'No worker has been heard of.'),
         'Start one: python -m app worker. If one runs, its log says what keeps it from the database.' from workers
  union all
  select 'worker_silent', w.name, extract(epoch from now() - w.heartbeat_at), w.heartbeat_at,
         format('Worker %s has not been heard of; %s lanes were in its hands and nobody has taken them yet.', w.name,
                (select count(*) from lanes l where l.worker = w.name and l.lease_until is not null)),
         'Others take its lanes when their leases end. Look why it died: killed for memory, by a deploy, or cut off from the database.' from workers w
  union all
  select 'work_due', 'lanes', extract(epoch from now() - min(due.at)), min(due.at),
         'Work has been due since ' || date_trunc('second', min(due.at)) || ' and no worker has taken it.',
         'Start more workers, or raise WORKER_CONCURRENCY if they are idle: table queue_overview shows what waits.'
    from unnest(array[0, 1]) level cross join lateral (
      (select run_at from lanes where priority = level and pending > 0 and lease_until is null order by run_at limit 1)
      union all (select lease_until from lanes where lease_until is not null order by lease_until limit 1)) due (at)
  union all
  select 'oldest_waiting', q.kind, extract(epoch from now() - q.created_at), q.created_at,
         format('The oldest %s message has waited since %s, in lane %s, try %s%s.', q.kind, date_trunc('second', q.created_at), q.lane,
                greatest(l.attempts, m.tries), ', last error: ' || coalesce(m.delivery_error, l.last_error)),
         'table queue_overview shows whether all wait or only this one; its error' || coalesce(', or the log of worker ' || l.worker || ',', '')
         || ' shows why.'
    from (select * from message_queue where kind in ('inbound', 'deliver') order by id limit 1) q join lanes l using (lane)
    left join messages m on m.id = case when q.kind = 'deliver' and pg_input_is_valid(q.payload->>'message_id', 'uuid')
                                        then (q.payload->>'message_id')::uuid end
  union all
  select 'lanes_retrying', 'lanes', count(*), min(waiting_since),
         format('Lanes that have failed at least twice: %s. The worst is %s, try %s: %s.', count(*), (array_agg(lane order by attempts desc))[1],
                max(attempts), (array_agg(coalesce(last_error, 'the worker died') order by attempts desc))[1]),
         'One lane: after five tries a person is called. Many: a model or a vendor is down, or new code is broken; see the errors in table lanes.'
    from lanes where pending > 0 and attempts >= 3 having count(*) > 0
  union all
  select 'dead_letters', d.kind, count(*), min(d.failed_at),
         format('Given up for good and not seen to: %s of kind %s, the latest: %s.', count(*), d.kind, (array_agg(d.error order by d.id desc))[1]),
         'python -m app dead list; mend the cause, then dead retry ID, or answer the customer yourself.'
    from dead_letters d left join conversations c on d.kind = 'inbound'
         and c.channel = split_part(d.lane, ':', 1) and c.thread_key = substr(d.lane, strpos(d.lane, ':') + 1)
   where c.id is null or c.waiting_since is not null group by d.kind
  union all
  select 'waiting_unseen', w.channel, count(*), min(w.waiting_since), format('Customers who wait and whom nobody owns: %s on %s.', count(*), w.channel),
         'select * from waiting_customers where is_unseen: answer them, or give their tickets a team and a person_due_at.'
    from waiting_customers w where w.is_unseen group by w.channel
  union all
  select 'waiting_overdue', w.channel, count(*), min(w.due_at), format('Customers who wait longer than promised: %s on %s.', count(*), w.channel),
         'select * from waiting_customers where is_overdue order by due_at: their owners must answer.'
    from waiting_customers w where w.is_overdue group by w.channel
  union all
  select case u.delivery when 'failed' then 'delivery_refused' else 'delivery_in_doubt' end, u.channel, count(*), min(u.last_try_at),
         format(case u.delivery when 'failed' then 'A vendor refused a reply to customers on %s: %s (%s). The latest: %s.'
                                else 'Customers on %s whose reply may or may not have arrived: %s (%s). The latest: %s.' end,
                u.channel, count(*), name_tickets(array_agg(u.reference order by u.last_try_at)),
                coalesce((array_agg(u.delivery_error order by u.last_try_at desc))[1], 'no reason was given')),
         case u.delivery when 'failed' then 'It will not be sent again. Each conversation''s page says why, beside the reply: answer there in another way, or reach them elsewhere.'
              else 'Look at the vendor whether it arrived, and answer in the conversation if it did not.' end
    from undelivered u where u.delivery = 'failed' or u.delivery = 'unknown' and not u.is_queued group by u.delivery, u.channel
  union all
  select 'delivery_delayed', u.channel, count(*), min(u.sent_at),
         format('Replies on %s that are written and not with the vendor: %s (%s), at most %s tries, the latest error: %s.', u.channel, count(*),
                name_tickets(array_agg(u.reference order by u.sent_at)), max(u.tries),
                coalesce((array_agg(u.delivery_error order by u.last_try_at desc nulls last))[1], 'none')),
         'They are tried again by themselves. No error: look for a worker. Many: the vendor is down, or our credentials are wrong; see its status page, and table waiting_customers for who waits.'
    from undelivered u where u.is_queued and (u.tries >= 3 or u.sent_at < now() - interval '2 minutes') group by u.channel
  union all
  select 'idle_in_transaction', s.about, extract(epoch from now() - s.state_change), s.state_change,
         format('%s (%s) has left a transaction open and does nothing since %s; it keeps its locks.', s.about, s.who, date_trunc('second', s.state_change)),
         'Commit or close it where it was begun, or: ' || s.ending || '. Against the next one: idle_in_transaction_session_timeout.'
    from sessions s where s.state like 'idle in transaction%'
  union all
  select case when s.xact_start is null then 'old_snapshot_hidden' else 'old_snapshot' end, s.about,
         coalesce(extract(epoch from clock_timestamp() - s.xact_start), s.xids), s.xact_start,
         format('%s (%s) holds an old snapshot: deleted rows cannot be cleaned up and the queue slows down. Transactions since: %s.', s.about, s.who, s.xids),
         'If it is a dump or a report, let it end, and run the next one on a replica. Otherwise: ' || s.ending || '.'
    from sessions s where s.xids is not null
  union all
  select 'bloat', t.relname, t.n_dead_tup, greatest(t.last_vacuum, t.last_autovacuum),
         format('Table %s has %s dead rows beside %s live ones (%s); last cleaned %s.', t.relname, t.n_dead_tup, t.n_live_tup,
                pg_size_pretty(pg_total_relation_size(t.relid)), coalesce(date_trunc('second', greatest(t.last_vacuum, t.last_autovacuum))::text, 'never')),
         format('End old snapshots first, if any is named here; then: vacuum %s. If it comes back, autovacuum is off, or too slow for this disk.', t.relname)
    from pg_stat_user_tables t where t.relname in ('lanes', 'message_queue') and t.schemaname = current_schema() and t.n_dead_tup > t.n_live_tup
  union all
  select 'autovacuum_off', o.about, 1, null, format('Autovacuum is off for %s: dead rows pile up until every claim is slow.', o.about), o.what_to_do
    from (select 'the server' as about, 'alter system set autovacuum = on; alter system set track_counts = on; select pg_reload_conf()' as what_to_do
           where 'off' in (current_setting('autovacuum'), current_setting('track_counts'))
          union all
          select r.relname, format('alter table %s set (autovacuum_enabled = true)', r.relname) from pg_class r
           where r.oid in (to_regclass('lanes'), to_regclass('message_queue')) and exists (
             select from unnest(r.reloptions) option where option in ('autovacuum_enabled=false', 'autovacuum_enabled=off'))) o
  union all
  select 'watch_ends', g.channel, 1, g.watch_expires_at - interval '48 hours', format('The watch of %s ends %s, in less than 48 hours: it should have been renewed.', g.channel, date_trunc('second', g.watch_expires_at)),
         'A worker renews it every day: look for errors of the channel in its log, and at its credentials.'
    from channel_configs g where g.is_on and g.watch_expires_at < now() + interval '48 hours'
  union all
  select 'channel_red', g.channel, 1, g.red_since, format('The vendor of %s refuses us since %s: %s.', g.channel, date_trunc('second', g.red_since), g.red_reason),
         'Nothing is read or sent there meanwhile, and nothing is lost; it goes on by itself once this is mended.'
    from channel_configs g where g.is_on and g.red_since is not null
  union all
  select 'channel_unread', g.channel, extract(epoch from now() - g.synced_at), g.synced_at, format('%s was last read to its end %s.', g.channel, date_trunc('second', g.synced_at)),
         format('A worker reads it every few minutes: look whether one runs, and for errors of %s_sync in its log.', g.channel)
    from channel_configs g where g.is_on and g.synced_at is not null
  union all
  select 'window_closes', w.channel, count(*), min(w.free_until) - interval '2 hours',
         format('Customers on %s who wait for a person and can be written to freely for less than two hours: %s (%s).', w.channel, count(*),
                name_tickets(array_agg(w.reference order by w.free_until))),
         'select * from waiting_customers where free_until < now() + interval ''2 hours'': answer them before that time, later only an approved template reaches them.'
    from waiting_customers w where w.waits_for = 'person' and w.free_until between now() and now() + interval '2 hours'
     and not exists (select from conversations c where c.id = w.conversation_id and is_suppressed(c)) group by w.channel
  union all
  select case when p.last_error in ('quota', 'unauthorised') then 'provider_refused' else 'provider_open' end, p.provider, greatest(p.failures, 1), p.updated_at,
         format('%s is left alone until %s (%s).', p.provider, date_trunc('second', p.opened_until), p.last_error),
         case when p.last_error in ('quota', 'unauthorised') then 'Its key, model name or account is refused: mend that at the provider, or in the settings and start again. The next model of the chain answers meanwhile.'
              else 'It is tried again by itself, and the next model of the chain answers meanwhile. If it lasts, see its status page.' end
    from provider_health p where p.state = 'open' and p.opened_until > now() - interval '1 hour'  -- later: nobody asks it any more
  union all
  select 'budget_used', 'day', case when q.refused_at is null then least(100 * q.level / q.ceiling, 99) else 100 end, coalesce(q.refused_at, q.updated_at),
         format('Of today''s %s dollars for models %s are spent or set aside.', q.ceiling, round(q.level::numeric, 4)),
         'At 100 percent the offline model answers until midnight UTC: raise DAILY_BUDGET_USD if that is too soon; views channel_costs and turn_explained show what the money went to.'
    from quotas q where q.key = spend_day(now()) and q.ceiling > 0
  union all
  select 'mail_parked', 'gmail', count(*), min(x.arrived_at), format('Mails that could not be read: %s, the latest: %s.', count(*), (array_agg(x.why order by x.arrived_at desc))[1]),
         'Nobody answers them. select id, arrived_at, why from mails where verdict = ''parked''; look at them in Gmail, answer there, and then: update mails set verdict = ''person'' where id = ...'
    from mails x where x.verdict = 'parked' having count(*) > 0
  union all
  select 'nobody_told', 'team', count(*), min(n.made_at),
         format('Customers who wait for a person and of whom nobody was told: %s (%s), because %s.', count(*),
                name_tickets(array_agg(w.reference order by n.made_at)),
                coalesce((array_agg(n.error order by n.made_at desc) filter (where n.error is not null))[1], 'no way to tell them has worked for 15 minutes')),
         'Open /inbox. To be told the next time: set Gmail up and invite people or fill escalation_routes.notify, or add a webhook in /webhooks.'
    from notices n join waiting_customers w on w.conversation_id = n.conversation_id and w.waits_for = 'person'
   where n.seen_at is null and n.told_at is null and (n.error is not null or n.made_at < now() - interval '15 minutes') having count(*) > 0
)
select m.alarm, m.about, coalesce(m.value >= l.person_from, false) as needs_person, m.since, nullif(m.value, 'infinity')::float8 as value, l.unit,
       m.detail, m.what_to_do
  from measured m join alarm_limits l using (alarm) where m.value >= l.shown_from
 order by needs_person desc, m.since;
comment on view alarms is 'What is wrong now, worst first: since when, in words, and what to do about it. Computed when read, so that nobody has to be alive to keep it true; from what value on it is shown is in alarm_limits.';
