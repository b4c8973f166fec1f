-- Sending what was committed: at most once where the vendor can be asked, in order, and visible where it is in doubt.
-- Locks are taken in one order everywhere: inbound lane, address of the customer, conversation, outbound lane, message.

create or replace function begin_delivery(in_lane text, in_token bigint, in_message uuid, lease interval, absence text default null)
returns jsonb language plpgsql as $$
declare talk conversations; m messages; act text;
begin
  select c.* into talk from conversations c join messages x on x.conversation_id = c.id where x.id = in_message for update of c;
  perform from lanes where lane = in_lane and token = in_token for update;
  if not found then return null; end if;
  select * into m from messages where id = in_message for update;
  act := case
    when m.id is null or m.delivery not in ('pending', 'sending', 'unknown') then 'done'
    when m.delivery <> 'pending' and absence is null then 'look_up'
    when m.kind is distinct from 'opt_out' and is_suppressed(talk) then 'suppress'
    -- a question whether they are content is not worth a template, and out of place once they have written again
    when m.kind = 'csat' and m.delivery = 'pending' and (talk.waiting_since is not null or free_until(talk) < clock_timestamp()) then 'cancel'
    -- they have said START since, and perhaps STOP again, which had a farewell of its own
    when m.kind = 'opt_out' and (suppressed_since(talk) <= m.sent_at) is not true then 'welcome'
    -- whatever became of the part before: it is off the queue, or this one would not be first
    when m.delivery = 'pending' and exists (select from messages p where p.reply_id = m.reply_id and p.part < m.part
                                               and p.delivery not in ('sent', 'delivered', 'read')) then 'cut'
    when m.delivery = 'pending' and m.author = 'agent' and m.sent_by is null and m.kind is distinct from 'opt_out' and talk.silenced_at > m.sent_at then 'cancel'
    when m.delivery = 'pending' then 'send'
    -- a second try: not after a person has spoken, and only one where a no of the vendor is no proof
    when m.author = 'agent' and m.sent_by is null and talk.silenced_at > m.sent_at then case absence when 'certain' then 'cancel' else 'park' end
    when absence = 'likely' and m.possible_duplicate then 'park'
    else 'send' end;
  -- whoever inherits the lane of a dead worker gets it before its time
  if act = 'send' and m.delivery = 'pending' and m.held_until > clock_timestamp() then
    perform release_lane(in_lane, in_token, m.held_until - clock_timestamp(), null);
    return null;
  end if;
  if act = 'send' and m.channel = 'web' then  -- the ticket page reads the row: there is nobody to send it to
    perform mark_sent(m.id, m.id::text, null);
    perform pg_notify('deskhand_reply', talk.thread_key);
    act := 'done';
  elsif act = 'send' then
    update lanes set lease_until = greatest(lease_until, clock_timestamp() + lease) where lane = in_lane;
    update messages set delivery = 'sending', tries = tries + 1, first_try_at = coalesce(first_try_at, clock_timestamp()),
           last_try_at = clock_timestamp(), possible_duplicate = possible_duplicate or coalesce(absence = 'likely', false),
           is_late = coalesce(free_until(talk) < clock_timestamp(), false)
     where id = m.id returning * into m;
  elsif act in ('cut', 'cancel', 'suppress', 'welcome') then
    update messages set delivery = case when act = 'suppress' and author = 'person' and delivery = 'pending' then 'failed' else 'cancelled' end, delivery_error = case act when 'cut' then 'an earlier part did not arrive'
           when 'suppress' then 'they asked us to stop' when 'welcome' then 'they want to hear from us again'
           else 'a person has spoken since' end where id = m.id;
    perform settle_by_person(talk.id);
    if act = 'suppress' and not is_called_off(m) then perform call_for_unsent(talk.id); end if;
    act := 'done';
  end if;
  return jsonb_build_object(
    'act', act, 'tried_ms_ago', extract(epoch from clock_timestamp() - m.last_try_at) * 1000,
    'first_tried_ms_ago', extract(epoch from clock_timestamp() - m.first_try_at) * 1000, 'message', jsonb_build_object(
    'id', m.id, 'token', m.idempotency_token, 'channel', m.channel, 'thread_key', talk.thread_key, 'subject', talk.subject, 'body', m.body,
    'part', m.part, 'parts', m.parts, 'tries', m.tries, 'draft_id', m.draft_id, 'first_try_at', m.first_try_at,
    'to', case m.channel when 'gmail' then substr(talk.thread_key, strpos(talk.thread_key, ':') + 1) else coalesce(talk.address, talk.thread_key) end,
    'is_late', m.is_late,
    'in_reply_to', (select b.external_id from messages b where b.conversation_id = talk.id and b.direction = 'inbound'
                     order by b.sent_at desc, b.id desc limit 1),
    'author', m.author, 'reference', (select t.reference from tickets t where t.conversation_id = talk.id order by t.created_at desc limit 1),
    'mail_thread', (select x.thread_id from mails x where x.thread_key = talk.thread_key and m.channel = 'gmail' and x.verdict in ('customer', 'late')
                     order by x.arrived_at desc limit 1),
    'references', (select coalesce(jsonb_agg(r.reference order by r.at), '[]') from (
        select x.message_id as reference, x.arrived_at as at from mails x where x.thread_key = talk.thread_key and x.message_id is not null
           and m.channel = 'gmail' and x.verdict in ('customer', 'late', 'person')
        union all select o.idempotency_token::text, o.sent_at from messages o where o.conversation_id = talk.id and m.channel = 'gmail'
           and o.direction = 'outbound' and o.id <> m.id and o.delivery in ('sent', 'delivered', 'read')
           and not exists (select from mails y where y.id = o.vendor_id and y.verdict = 'person')) r),
    'known_ids', (select coalesce(jsonb_agg(o.vendor_id), '[]') from messages o
                   -- a template is looked for by what it contains, and so may be any of them
                   where o.conversation_id = talk.id and o.id <> m.id and o.vendor_id is not null and (o.body = m.body or m.is_late))));
end $$;
comment on function begin_delivery(text, bigint, uuid, interval, text) is 'What is to be done about a message that waits to be sent. act send: it is marked as being sent, the lease is fresh, and it may be sent now; look_up: an earlier try has no outcome, ask the vendor and come back with absence certain or likely when it has nothing; park: nobody can tell, a person must; done: nothing. Null when the lease was lost, or given up because the message may still be taken back: the lane is due when it may not.';

create or replace function call_for_unsent(in_conversation uuid) returns void language plpgsql as $$
begin
  perform call_person(c.id, 'opted_out', 'A reply was not sent: they want no more of us here.',
                      (select split_part(k.reference, '-', 1) from tickets k order by k.id desc limit 1))
     from conversations c
    where c.id = in_conversation and c.waiting_since is not null
      and not (c.handler = 'human' and exists (select from tickets k where k.conversation_id = c.id and k.status = 'escalated'));
end $$;
comment on function call_for_unsent(uuid) is 'A customer waits for a reply that must not be sent to them: a person finds out how to reach them, unless one has it to do already. The caller holds the conversation.';

create or replace function keep_draft(in_lane text, in_token bigint, in_message uuid, in_draft text) returns boolean language sql as $$
  with held as (select from lanes where lane = in_lane and token = in_token for share),
  kept as (update messages set draft_id = in_draft where id = in_message and exists (select from held) returning 1)
  select exists (select from kept)
$$;
comment on function keep_draft(text, bigint, uuid, text) is 'Stores the vendor''s draft of a message before it is sent. False when the lease was lost: then it must not be sent.';

create or replace function settle_wait(m messages) returns void language sql as $$
  update conversations c set updated_at = clock_timestamp(), waiting_since = (
           -- since the first word taken up after this message was written, that was no mere thanks and no person has answered
           select min(w.said_at) from (
             select q.created_at, q.created_at from message_queue q where q.lane = c.channel || ':' || c.thread_key and q.kind = 'inbound'
             -- what reached us long after it was written, nobody had read when they wrote in between
             union all select i.sent_at, case when i.created_at - i.sent_at > interval '1 hour' then i.created_at else i.sent_at end from messages i where i.conversation_id = c.id and i.direction = 'inbound' and i.kind is null
                 and i.created_at > m.created_at and i.turn_id is distinct from m.turn_id
                 and not exists (select from turns t where t.id = i.turn_id and t.outcome = 'closed')) w (said_at, read_at)
            where not exists (select from messages p where p.conversation_id = c.id and p.author = 'person' and p.sent_at > w.read_at))
   where c.id = m.conversation_id and not exists (  -- nothing more is on its way
           select from messages o join message_queue q on q.dedupe_key = 'deliver:' || o.id
            where o.conversation_id = c.id and o.delivery in ('pending', 'sending', 'unknown') and o.kind is distinct from 'csat')
$$;
comment on function settle_wait(messages) is 'A message has reached the customer: they wait no longer, unless they have written since. The caller holds the locks.';

create or replace function settle_by_person(in_conversation uuid) returns void language sql as $$
  select settle_wait(p) from (
    select * from messages where conversation_id = in_conversation and author = 'person' and delivery <> 'cancelled'
     order by sent_at desc, part desc limit 1) p
   where p.delivery in ('sent', 'delivered', 'read')
$$;
comment on function settle_by_person(uuid) is 'What the agent had on its way is settled, and kept a person''s answer from ending the wait: it ends now. The caller holds the locks.';

create or replace function mark_sent(in_message uuid, in_vendor_id text, prefix text) returns void language plpgsql as $$
declare m messages; now_at timestamptz := clock_timestamp(); report delivery_events;
begin
  select * into m from messages where id = in_message;
  if m.vendor_id = in_vendor_id then return; end if;
  if m.vendor_id is not null then  -- the vendor took it twice
    update messages set possible_duplicate = true where id = m.id;
    insert into delivery_events (channel, vendor_id, message_id, status) values (m.channel, in_vendor_id, m.id, 'taken twice');
    return;
  end if;
  perform pg_advisory_xact_lock(hashtextextended('vendor:' || in_vendor_id, 0));  -- a report that comes now waits for us, or we see it
  update messages set vendor_id = in_vendor_id, delivery = 'sent', delivery_error = null where id = m.id;
  if m.part = m.parts and m.sent_by is null then  -- how long a person thought about a draft is no delivery
    update agent_metrics set delivery_ms = extract(epoch from now_at - finished_at) * 1000,
           total_ms = waiting_ms + thinking_ms + extract(epoch from now_at - finished_at) * 1000 where turn_id = m.turn_id;
  end if;
  if m.part = m.parts and m.kind not in ('handoff', 'opt_out', 'csat', 'correction') then
    update tickets set first_response_met_at = coalesce(first_response_met_at, now_at), updated_at = now_at
     where conversation_id = m.conversation_id and (status <> 'resolved' or resolved_at >= m.created_at);
    perform case when c.handler = 'agent' or m.author = 'person' or m.sent_by is not null then settle_wait(m) else settle_by_person(c.id) end
       from conversations c where c.id = m.conversation_id;
  end if;
  update delivery_events set message_id = m.id where channel = m.channel and vendor_id = in_vendor_id and message_id is null;
  for report in select * from delivery_events e where e.message_id = m.id order by e.id loop
    perform apply_status(m.id, report.status, report.error, prefix);
  end loop;
end $$;
comment on function mark_sent(uuid, text, text) is 'The vendor has taken a message: its id, the time it took, the customer waits no longer, and what was reported before the id was known. The caller holds the locks.';

create or replace function apply_status(in_message uuid, in_status text, in_error text, in_prefix text) returns void language plpgsql as $$
declare m messages; rank jsonb := '{"sent": 2, "failed": 2, "delivered": 3, "read": 4}';
begin
  select * into m from messages where id = in_message;
  if in_status = 'failed' and m.delivery in ('sending', 'unknown', 'sent') then
    update messages set delivery = 'failed', delivery_error = in_error where id = m.id;
    if is_called_off(m) then return; end if;
    perform call_person(m.conversation_id, 'delivery_failed', coalesce(in_error, 'The vendor could not deliver a reply.'), in_prefix);
  elsif coalesce((rank->>in_status)::int, 0) > coalesce((rank->>m.delivery)::int, 0) then
    update messages set delivery = in_status, delivery_error = null where id = m.id;  -- a person who was called stays called
  end if;
end $$;
comment on function apply_status(uuid, text, text, text) is 'Moves a message to what the vendor reports; only up, except that a failure ends what was only sent. The caller holds the locks.';

create or replace function end_delivery(d jsonb) returns text language plpgsql as $$
declare talk uuid; held boolean; m messages; gone int; outcome text := d->>'outcome';
begin
  select conversation_id into talk from messages where id = (d->>'message_id')::uuid;
  if (d->>'is_blocked')::boolean then perform hold_address(talk); end if;
  perform from conversations where id = talk for update;
  select true into held from lanes where lane = d->>'lane' and token = (d->>'token')::bigint for update;
  select * into m from messages where id = (d->>'message_id')::uuid for update;
  if outcome = 'given_up' then outcome := case m.delivery when 'pending' then 'failed' when 'sending' then 'parked' when 'unknown' then 'parked' else 'done' end; end if;
  if outcome = 'sent' then
    perform mark_sent(m.id, d->>'vendor_id', d->>'prefix');  -- true, whoever has the lane by now
  elsif held and m.delivery in ('pending', 'sending', 'unknown') then
    update messages set delivery_error = coalesce(d->>'error', delivery_error),
           -- a second try that was surely not taken says nothing about the first
           delivery = case outcome when 'not_sent' then case when m.possible_duplicate then 'unknown' else 'pending' end when 'failed' then 'failed' when 'unknown' then 'unknown'
                                   when 'parked' then 'unknown' else delivery end where id = m.id;
    if (d->>'is_blocked')::boolean then
      perform suppress(c, d->>'error') from conversations c where c.id = talk;
    end if;
    if outcome in ('failed', 'parked') and not is_called_off(m) then
      perform call_person(talk, case outcome when 'failed' then 'delivery_failed' else 'delivery_unknown' end, coalesce(d->>'error', ''), d->>'prefix');
    end if;
  end if;
  if held is null then return 'lost'; end if;
  if outcome in ('sent', 'failed', 'parked', 'done') then
    delete from message_queue where lane = d->>'lane' and id = (d->>'job_id')::bigint;
    get diagnostics gone = row_count;
    update lanes set pending = pending - gone, attempts = 0, last_error = null, waiting_since = clock_timestamp() where lane = d->>'lane';
  end if;
  if (d->>'is_last')::boolean then
    update lanes set lease_until = null, token = null, worker = null, run_at = greatest(run_at, clock_timestamp()) where lane = d->>'lane';
  end if;
  return 'kept';
end $$;
comment on function end_delivery(jsonb) is 'What became of a try: sent (with the vendor''s id), not_sent (surely not), unknown, failed (refused for good), parked (nobody can tell: a person must), given_up (failed or parked, as the message stands), done (nothing was to do). A settled message leaves the queue; with is_last the lane is freed. lost: another worker has the lane; an acceptance is kept even then.';

create or replace function record_status(s jsonb) returns text language plpgsql as $$
declare known messages; status text := case s->>'status' when 'sending' then 'sent' else s->>'status' end;
begin
  known := find_reported(s);
  if known.id is null then
    perform pg_advisory_xact_lock(hashtextextended('vendor:' || (s->>'vendor_id'), 0));
    known := find_reported(s);
  end if;
  if known.id is not null then
    if (s->>'is_blocked')::boolean then perform hold_address(known.conversation_id); end if;
    perform from conversations where id = known.conversation_id for update;
    perform from messages where id = known.id for update;
    perform mark_sent(known.id, s->>'vendor_id', s->>'prefix');  -- whatever it reports, the vendor has it
    -- a report that comes again undoes no START that came between
    if (s->>'is_blocked')::boolean and not exists (select from delivery_events e where e.message_id = known.id and e.status = s->>'status') then
      perform suppress(c, s->>'error') from conversations c where c.id = known.conversation_id;
    end if;
  end if;
  insert into delivery_events (channel, vendor_id, message_id, status, error, payload)
  values (s->>'channel', s->>'vendor_id', known.id, status, s->>'error', coalesce(nullif(s->'payload', 'null'), '{}'));
  if known.id is null then return 'unknown'; end if;
  if exists (select from messages where id = known.id and vendor_id = s->>'vendor_id') then
    perform apply_status(known.id, status, s->>'error', s->>'prefix');
  end if;
  return 'known';
end $$;
comment on function record_status(jsonb) is 'Keeps what a vendor reports about a message, and moves the message there. The report proves that the vendor has it, also when our own try ended without an answer. unknown: no such message yet; the report is joined to it later.';

create or replace function find_reported(s jsonb) returns messages language sql stable as $$
  select * from messages where channel = s->>'channel' and (vendor_id = s->>'vendor_id' or idempotency_token = (s->>'token')::uuid)
   order by vendor_id = s->>'vendor_id' desc nulls last limit 1
$$;
comment on function find_reported(jsonb) is 'The message a report is about, by the vendor''s id or else by the token we gave the vendor.';
