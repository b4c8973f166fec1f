-- What people read. Dropped first, because a view cannot change its columns in place.

drop view if exists waiting_customers, turn_explained, queue_overview, channel_metrics;

create view waiting_customers as
-- a conversation whose customer waits
select c.id as conversation_id, k.reference, c.channel, c.customer_id, c.waiting_since, w.waits_for, w.owner, w.due_at,
       k.priority, k.escalation_reason, l.attempts, l.last_error,
       case w.waits_for when 'person' then not w.is_filed and (w.owner is null or w.due_at is null) else not w.is_worked_on end as is_unseen,
       coalesce(w.due_at < now(), false) as is_overdue
  from conversations c
  left join lateral (select * from tickets t where t.conversation_id = c.id order by t.created_at desc limit 1) k on true
  left join lanes l on l.lane = c.channel || ':' || c.thread_key
  left join lanes o on o.lane = 'out:' || c.id
  left join lateral (select m.author, m.delivery in ('pending', 'sending', 'unknown', 'failed') as is_under_way from messages m
                      where m.conversation_id = c.id and m.direction = 'outbound' and m.delivery <> 'cancelled'
                      order by m.sent_at desc, m.id desc limit 1) said on true
  left join lateral (select d.first_response_due_at from due_times(k.category, c.plan, c.waiting_since) d
                      where c.handler = 'agent' and k.first_response_met_at is not null) again on true
  cross join lateral (
    select coalesce(l.pending, 0) > 0 as is_filed, coalesce(l.pending, 0) > 0 or coalesce(o.pending, 0) > 0 as is_worked_on,
           case when c.handler = 'human' and not (said.author is not distinct from 'person' and coalesce(o.pending, 0) > 0) then 'person'
                when l.pending > 0 then case when l.lease_until > now() then 'turn' else 'queue' end
                when said.is_under_way then 'delivery' else 'nobody' end as waits_for,
           case when c.handler = 'human' then coalesce(k.assignee, k.team)
                when l.pending > 0 or o.pending > 0 then 'agent' end as owner,
           -- a person's due time that lies before this wait was for an earlier word
           case when c.handler = 'human' then case when k.person_due_at >= c.waiting_since then k.person_due_at end
                when k.first_response_met_at is null then k.first_response_due_at else again.first_response_due_at end as due_at) w
 where c.waiting_since is not null and not c.is_test
union all
-- a message that no turn has taken up yet, in a conversation that is new or was at rest
select c.id, k.reference, split_part(l.lane, ':', 1), c.customer_id, q.created_at, case when l.lease_until > now() then 'turn' else 'queue' end,
       case when c.handler = 'human' then coalesce(k.assignee, k.team) else 'agent' end, null, k.priority, null,
       l.attempts, l.last_error, false, false
  from lanes l
  left join conversations c on c.channel = split_part(l.lane, ':', 1) and c.thread_key = substr(l.lane, strpos(l.lane, ':') + 1)
  left join lateral (select * from tickets t where t.conversation_id = c.id order by t.created_at desc limit 1) k on true
  cross join lateral (select i.created_at from message_queue i
                       where i.lane = l.lane and i.kind = 'inbound' and i.payload->>'is_test' is distinct from 'true'
                         and not exists (select from messages m where m.conversation_id = c.id and m.author = 'person' and m.sent_at > i.created_at)
                       order by i.id limit 1) q
 where l.pending > 0 and c.waiting_since is null and c.is_test is not true
union all
-- a message that was given up before anybody could be called
select c.id, k.reference, split_part(d.lane, ':', 1), c.customer_id, d.created_at, 'nobody', null, null, k.priority, 'dead_letter',
       d.attempts, d.error, true, true
  from (select distinct on (g.lane) g.* from dead_letters g
         where g.kind = 'inbound' and g.payload->>'is_test' is distinct from 'true'
           and not exists (select from messages m where m.channel = g.payload->>'channel' and m.external_id = g.payload->>'external_id')
           and not exists (select from message_queue q where q.lane = g.lane and q.kind = 'inbound')
         order by g.lane, g.id) d
  left join conversations c on c.channel = split_part(d.lane, ':', 1) and c.thread_key = substr(d.lane, strpos(d.lane, ':') + 1)
  left join lateral (select * from tickets t where t.conversation_id = c.id order by t.created_at desc limit 1) k on true
 where c.waiting_since is null and c.is_test is not true
   and not exists (select from messages m where m.conversation_id = c.id and m.author = 'person' and m.sent_at > d.created_at);
comment on view waiting_customers is 'Everyone whose last word has no answer yet, each once: what they wait for (queue, turn, delivery, person or nobody), who owes it, since when, and by when. is_unseen: nobody owns it, no time is set or nothing will happen any more, so somebody must look.';

create view turn_explained as
select t.id as turn_id, t.conversation_id, k.reference, t.started_at, t.state, t.outcome, s.step, s.model, s.latency_ms, s.cost_usd,
       (select string_agg(coalesce(i->>'name' || ' ' || (i->>'arguments'), i->>'text'), E'\n') from jsonb_array_elements(s.items) i
         where i->>'type' in ('tool_call', 'text')) as did,
       (select string_agg(r->>'output', E'\n') from jsonb_array_elements(s.results) r) as was_told,
       (select string_agg((p->>'k') || ' ' || (p->>'slug') || ' v' || (p->>'version') || ' ' || round((p->>'score')::numeric, 3), E'\n')
          from jsonb_array_elements(s.passages) p) as found,
       s.error as step_error, t.error as turn_error, t.timings_ms, t.prompt_version
  from turns t
  left join turn_steps s on s.turn_id = t.id
  left join lateral (select reference from tickets x where x.conversation_id = t.conversation_id order by x.created_at desc limit 1) k on true
 order by t.started_at, t.id, s.step;
comment on view turn_explained is 'Why did it say that: one row per step of every turn, what the model did, what it was told, what it found.';

create view queue_overview as
select q.kind, l.priority, count(*) as waiting, count(*) filter (where l.lease_until > now()) as in_hand,
       count(*) filter (where (l.lease_until > now()) is not true and l.run_at <= now()) as due,
       count(*) filter (where l.lease_until is null and l.run_at > now()) as held_back, count(*) filter (where l.attempts > 1) as retrying,
       min(q.created_at) as oldest, extract(epoch from now() - min(q.created_at))::int as oldest_seconds, max(l.attempts) as most_attempts,
       case when q.kind = 'deliver' then (select count(*) from messages m where m.delivery = 'unknown') end as in_doubt
  from message_queue q join lanes l using (lane) group by q.kind, l.priority;
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
