-- A desk that has been used for two years, part by part; bench/inbox_filling.py runs each and says how long it took.
-- There are before: size (conversations, customers), texts (n, body).

---- ids
create function pg_temp.make_id(at timestamptz, key text) returns uuid language sql immutable as $$
  select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || substr(md5(key), 14))::uuid
$$;
create function pg_temp.customer_id(n int) returns uuid language sql immutable as $$
  select pg_temp.make_id('2020-01-01', 'customer' || n)
$$;

---- talks
create temp table talks as
with drawn as materialized (
  select n, random() as when_, random() as who, random() as many, n % 1000 = 999 as is_long,
         case when n % 20 < 9 then 'web' when n % 20 < 17 then 'gmail' else 'whatsapp' end as channel,
         case when n <= 300 then 'person' when n <= 350 then 'queue' when n <= 375 then 'turn'
              when n <= 400 then 'delivery' end as waits_for
    from size, generate_series(1, conversations) n
), placed as (
  select *,  -- one conversation per number; elsewhere some customers write far more often than others
         case channel when 'whatsapp' then n / 20 * 3 + n % 20 - 16
                      else 1 + floor((select customers from size) * who ^ 1.5)::int end as customer,
         case when is_long then now() - interval '700 days'
              else now() - when_ * case when waits_for is null then interval '730 days' else interval '2 days' end end as began,
         -- the customer has the last word where they wait for ours, except where that is on its way
         case when waits_for <> 'delivery' then 1 + 2 * floor(many * 5)::int when is_long then 400
              else 2 * (1 + floor(-ln(1 - many) * case channel when 'whatsapp' then 12 else 3.1 end)::int) end as said
    from drawn
), spread as (
  select *, 'TF-' || to_char(began, 'YYYYMMDD') || '-' || (
           select string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', ((n >> shift) & 31) + 1, 1), '' order by shift desc)
             from unnest(array[0, 5, 10, 15]) shift) as reference,
         least(case channel when 'whatsapp' then interval '300 days' else interval '8 days' end, now() - began) as span
    from placed
)
select *, pg_temp.make_id(began, 'talk' || n) as id, pg_temp.customer_id(customer) as customer_id,
       began + span * ((said - 1)::float8 / said) as last_at,
       (array['general', 'technical', 'billing', 'account', 'feedback', 'technical', 'general', 'security'])[1 + n % 8] as category,
       case channel when 'web' then reference when 'gmail' then md5(n::text) else '+4915' || lpad(customer::text, 9, '0') end
         as thread_key
  from spread;
create index on talks (n);
analyze talks;

---- customers
insert into customers (id, name, plan, language, created_at)
select pg_temp.customer_id(n), (array['Ana', 'Ben', 'Chen', 'Dina', 'Emre', 'Femi', 'Gita'])[1 + n % 7] || ' '
         || (array['Lima', 'Marsh', 'Novak', 'Okoro', 'Pretz'])[1 + n % 5],
       (array['free', 'pro', 'business'])[1 + n % 3], (array['en', 'en', 'en', 'de', 'es'])[1 + n % 5], now() - interval '731 days'
  from size, generate_series(1, customers) n;

---- identifiers
insert into customer_identifiers (kind, value, customer_id, proof)
select 'email', 'customer' || n || '@example.com', pg_temp.customer_id(n), 'claimed' from size, generate_series(1, customers) n
union all
select 'whatsapp', thread_key, customer_id, 'provider' from talks where channel = 'whatsapp';

---- conversations
insert into conversations (id, channel, thread_key, customer_id, subject, status, handler, epoch, trust, plan, language,
                           sentiment, waiting_since, created_at, updated_at)
select id, channel, thread_key, customer_id, case channel when 'whatsapp' then '' else 'A question about ' || category end,
       case when waits_for is not null then 'open' when n % 5 = 0 then 'waiting' else 'resolved' end,
       case when waits_for = 'person' then 'human' else 'agent' end, n % 3, 1, 'pro',
       (array['en', 'en', 'en', 'de', 'es'])[1 + n % 5], sin(n)::real,
       case when waits_for is not null then last_at end, began, last_at
  from talks order by began;

---- messages
insert into messages (id, conversation_id, customer_id, channel, direction, author, external_id, body, kind, turn_id,
                      idempotency_token, reply_id, delivery, vendor_id, sent_by, sent_at, created_at)
select pg_temp.make_id(s.sent_at, k || 'message' || t.n), t.id, t.customer_id, t.channel,
       case s.author when 'customer' then 'inbound' else 'outbound' end, s.author,
       case s.author when 'customer' then 'bench' || t.n || ':' || k end,
       x.body || case when k % 10 = 1 then ' number ' || t.n * 1000::bigint + k else '' end,
       case s.author when 'customer' then null else 'answer' end,
       case when s.author = 'agent' and (t.is_long or t.waits_for is not null or t.n % 6 = 3 and k = 2)
            then pg_temp.make_id(s.sent_at, k || 'turn' || t.n) end,
       s.token, s.token, s.delivery, case s.delivery when 'delivered' then 'vendor' || t.n || ':' || k end,
       case s.author when 'person' then 'kim@example.com' end, s.sent_at, s.sent_at
  from talks t
  cross join lateral generate_series(1, t.said) k
  cross join lateral (
    select t.began + t.span * ((k - 1)::float8 / t.said) as sent_at,
           case when k % 2 = 1 then 'customer' when k % 6 = 0 then 'person' else 'agent' end as author,
           case when k % 2 = 0 then md5(t.n || 'token' || k)::uuid end as token,
           case when k % 2 = 1 then null when t.waits_for = 'delivery' and k = t.said then 'pending'
                when t.channel = 'web' then 'sent' else 'delivered' end as delivery) s
  join texts x on x.n = 1 + (hashint8(t.n * 1000::bigint + k) & 2147483647) % (select max(n) from texts)
 order by s.sent_at;

---- tickets
insert into tickets (id, reference, conversation_id, customer_id, subject, category, priority, status, plan, team, assignee,
                     escalation_reason, handoff_note, first_response_due_at, first_response_met_at, resolved_at,
                     person_due_at, created_at, updated_at)
select pg_temp.make_id(began, 'ticket' || n), reference, id, customer_id, 'A question about ' || category, category, 1 + n % 10,
       case when waits_for = 'person' then 'escalated' when waits_for is not null then 'open'
            when n % 5 = 0 then 'answered' else 'resolved' end,
       'pro', p.team, case when n % 3 = 0 then p.assignee end, (array['billing_dispute', 'asked_for_a_person', 'anger'])[p.least + n % 3],
       p.note, began + interval '4 hours', case when said > 1 then began + interval '1 minute' end,
       case when waits_for is null and n % 5 <> 0 then last_at end, case when n % 10 <> 0 then last_at + p.time end, began, last_at
  from talks t
  left join (values ('person', 'support', 'kim@example.com', 1, interval '1 day',
                     'They were told twice that it would be mended, and it was not.')) p (waits_for, team, assignee, least, time, note)
       using (waits_for)
 order by began;

---- lanes
insert into lanes (lane, pending, waiting_since, run_at, lease_until, worker, token)
select channel || ':' || thread_key, (waits_for is not null and waits_for in ('queue', 'turn'))::int, last_at, last_at,
       case waits_for when 'turn' then now() + interval '1 day' end, case waits_for when 'turn' then 'bench' end,
       case waits_for when 'turn' then n end
  from talks
union all
select 'out:' || id, (waits_for is not null and waits_for = 'delivery')::int, last_at, last_at, null, null, null
  from talks where channel <> 'web' or waits_for = 'delivery';

---- queue
insert into message_queue (lane, kind, dedupe_key, payload, created_at)
select channel || ':' || thread_key, 'inbound', 'bench' || n, jsonb_build_object(
         'version', 1, 'channel', channel, 'thread_key', thread_key, 'external_id', 'queued' || n, 'sent_at', last_at,
         'subject', 'A question', 'body', 'Is anybody there? I have not heard from you about number ' || n,
         'customer', jsonb_build_object('kind', 'email', 'value', 'customer' || customer || '@example.com', 'proof', 'claimed',
                                        'name', 'Ana Lima')), last_at
  from talks where waits_for in ('queue', 'turn')
union all
select 'out:' || t.id, 'deliver', 'deliver' || n, jsonb_build_object('message_id', m.id), last_at
  from talks t join messages m on m.conversation_id = t.id and m.delivery = 'pending' where waits_for = 'delivery';

---- turns
insert into turns (id, conversation_id, customer_id, lane, newest, token, epoch, state, outcome, model, timings_ms,
                   input_tokens, output_tokens, cost_usd, started_at, finished_at)
select turn_id, conversation_id, customer_id, channel || ':bench', 1, 1, 0, 'done', 'answered', 'script',
       '{"waiting": 40, "thinking": 2100, "total": 2200}', 3600, 180, 0.004, sent_at - interval '2 seconds', sent_at
  from messages where turn_id is not null;

---- steps
insert into turn_steps (turn_id, step, model, items, results, passages, usage, cost_usd, latency_ms)
select t.id, step, 'script',
       jsonb_build_array(jsonb_build_object('type', 'tool_call', 'id', 'c' || step, 'name', s.tool,
                                            'arguments', jsonb_build_object(s.argument, x.body)::text)),
       jsonb_build_array(jsonb_build_object('call_id', 'c' || step, 'output', repeat(x.body || ' ', s.times))),
       coalesce((select jsonb_agg(jsonb_build_object('k', 'K' || p, 'slug', 'article-' || p, 'version', 1, 'score', 0.5,
                                                     'title', 'Article', 'text', x.body))
                   from generate_series(1, s.times - 1) p), '[]'),
       '{"input_tokens": 1800, "output_tokens": 90}', 0.002, 1000
  from turns t
  cross join (values (1, 'search_knowledge_base', 'query', 5), (2, 'send_response', 'body', 1)) s (step, tool, argument, times)
  join texts x on x.n = 1 + (hashtext(t.id::text) & 2147483647) % (select max(n) from texts);

---- notes
insert into notes (conversation_id, author, body)
select id, 'kim@example.com', 'Looked at it, waiting for the others.' from talks, generate_series(1, 3) where waits_for = 'person';
