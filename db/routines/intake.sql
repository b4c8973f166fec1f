-- What customers send in.

create or replace function submit_form(f jsonb) returns jsonb language plpgsql as $$
declare
  existing tickets; opened tickets; talk uuid; wait interval; config channel_configs; due record;
begin
  select * into config from channel_configs where channel = 'web';
  perform pg_advisory_xact_lock(hashtextextended(f->>'submission_key', 0));  -- two clicks on one button become one ticket
  select * into existing from tickets where submission_key = f->>'submission_key';
  if found then
    if existing.submission_hash <> decode(f->>'submission_hash', 'hex') then return jsonb_build_object('outcome', 'mismatch'); end if;
    return jsonb_build_object('outcome', 'repeated', 'reference', existing.reference, 'plan', existing.plan,
                              'first_response_due_at', existing.first_response_due_at);
  end if;
  if not config.is_on then return jsonb_build_object('outcome', 'off'); end if;
  if f->>'plan' is not null and not exists (select 1 from plans p where p.plan = f->>'plan') then
    return jsonb_build_object('outcome', 'unknown_plan', 'plans', (select jsonb_agg(p.plan order by p.rank) from plans p));
  end if;
  wait := coalesce(win_quota('web:ip:' || (f->>'ip_key'), config.rate_per_ip, config.rate_window),
                   win_quota('web:address:' || (f->>'address_key'), config.rate_per_address, config.rate_window));
  if wait is not null then
    return jsonb_build_object('outcome', 'limited', 'retry_after_seconds', ceil(extract(epoch from wait)));
  end if;
  select * into due from due_times(f->>'category', f->>'plan', now());
  insert into conversations (channel, thread_key, subject, plan, waiting_since, is_test, claimed_email)
  values ('web', new_reference(f->>'prefix'), f->>'subject', f->>'plan', now(), coalesce((f->>'is_test')::boolean, false), f->>'email')
  returning id into talk;
  insert into tickets (reference, conversation_id, subject, category, plan, first_response_due_at, resolution_due_at, submission_key, submission_hash)
  select c.thread_key, talk, f->>'subject', coalesce(f->>'category', 'general'), f->>'plan', due.first_response_due_at, due.resolution_due_at,
         f->>'submission_key', decode(f->>'submission_hash', 'hex') from conversations c where c.id = talk
  returning * into opened;
  perform add_work('web:' || opened.reference, 'inbound', 1, 'web:' || (f->>'external_id'), jsonb_build_object(
    'version', 1, 'channel', 'web', 'thread_key', opened.reference, 'external_id', f->>'external_id', 'body', f->>'message',
    'subject', f->>'subject', 'category', f->>'category', 'trust', 0, 'sent_at', now(),
    'is_test', coalesce((f->>'is_test')::boolean, false),
    'customer', jsonb_build_object('kind', 'email', 'value', f->>'email', 'proof', 'claimed', 'name', f->>'name', 'plan', f->>'plan')));
  return jsonb_build_object('outcome', 'accepted', 'reference', opened.reference, 'plan', opened.plan,
                            'first_response_due_at', opened.first_response_due_at);
end $$;
comment on function submit_form(jsonb) is 'Takes in a web form: the ticket with its due time and the message on the queue, in one commit. Outcome accepted, repeated, mismatch, unknown_plan, limited or off.';

create or replace function add_web_message(m jsonb) returns jsonb language plpgsql as $$
declare ticket tickets; config channel_configs; wait interval; talk conversations; lane_name text; known text;
begin
  select * into config from channel_configs where channel = 'web';
  select * into ticket from tickets where reference = m->>'reference';
  select * into talk from conversations where id = ticket.conversation_id and channel = 'web';
  if not found then return jsonb_build_object('outcome', 'missing'); end if;
  lane_name := 'web:' || talk.thread_key;
  -- an external id is key-hash: the same key with another hash is another text, which must not be lost in silence
  perform pg_advisory_xact_lock(hashtextextended(m->>'submission_key', 0));
  select said.external_id into known from (
    select external_id from messages where conversation_id = talk.id and direction = 'inbound'
    union all select payload->>'external_id' from message_queue where lane = lane_name
    union all select payload->>'external_id' from dead_letters where lane = lane_name) said
   where split_part(said.external_id, '-', 1) = m->>'submission_key' limit 1;
  if known = m->>'external_id' then return jsonb_build_object('outcome', 'repeated', 'reference', ticket.reference); end if;
  if known is not null then return jsonb_build_object('outcome', 'mismatch'); end if;
  if not config.is_on then return jsonb_build_object('outcome', 'off'); end if;
  wait := coalesce(win_quota('web:ip:' || (m->>'ip_key'), config.rate_per_ip, config.rate_window),
                   win_quota('web:ticket:' || (m->>'reference'), config.rate_per_address, config.rate_window));
  if wait is not null then
    return jsonb_build_object('outcome', 'limited', 'retry_after_seconds', ceil(extract(epoch from wait)));
  end if;
  perform add_work(lane_name, 'inbound', 1, 'web:' || (m->>'external_id'), jsonb_build_object(
    'version', 1, 'channel', 'web', 'thread_key', talk.thread_key, 'external_id', m->>'external_id', 'body', m->>'message',
    'subject', talk.subject, 'category', null, 'trust', 0, 'sent_at', now(),
    'customer', null),  -- the conversation knows who writes
    make_interval(secs => (m->>'quiet_seconds')::real), make_interval(secs => config.quiet_cap_seconds));
  -- the conversation first, as everybody else: two orders would be a deadlock
  update conversations set status = 'open', waiting_since = coalesce(waiting_since, now()) where id = talk.id;
  update tickets set status = 'open', resolved_at = null where id = ticket.id and status in ('answered', 'resolved');
  return jsonb_build_object('outcome', 'accepted', 'reference', ticket.reference);
end $$;
comment on function add_web_message(jsonb) is 'Takes in what a customer adds to a ticket of the web form. Outcome accepted, repeated, mismatch, missing, limited or off.';
