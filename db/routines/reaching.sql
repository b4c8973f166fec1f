-- Telling people. The lane notify:CONVERSATION is locked last: after it a transaction waits for no lock that a holder of it has.

create or replace function note_needed(in_conversation uuid, in_reason text) returns void language plpgsql as $$
declare made uuid; can_tell boolean := exists (select from people where is_active) or exists (select from escalation_routes where notify <> '{}')
                                       or exists (select from webhooks where is_on and 'person_needed' = any(events));
begin
  insert into notices (conversation_id, reason, error)
  select id, in_reason, case when not can_tell then 'nobody is set up to be told' end from conversations where id = in_conversation and not is_test
  on conflict (conversation_id) where seen_at is null do nothing returning id into made;
  if made is null or not can_tell then return; end if;
  perform queue_notice(in_conversation, 'person_needed', made);
end $$;
comment on function note_needed(uuid, text) is 'A customer needs a person: unless that was said and nobody has looked since, it is noted and telling people is queued. The caller holds the conversation.';

create or replace function queue_notice(in_conversation uuid, in_kind text, in_id uuid) returns void language sql as $$
  select add_work('notify:' || in_conversation, 'notify', 1, 'notify:' || in_id,
                  jsonb_build_object('version', 1, 'id', in_id, 'kind', in_kind, 'at', clock_timestamp(), 'conversation_id', in_conversation))
$$;
comment on function queue_notice(uuid, text, uuid) is 'Queues telling people and webhooks that something happened in a conversation. The caller holds the conversation.';

create or replace function say_to_webhooks(in_conversation uuid, in_kind text) returns void language sql as $$
  select queue_notice(c.id, in_kind, new_id()) from conversations c
   where c.id = in_conversation and not c.is_test and exists (select from webhooks w where w.is_on and in_kind = any(w.events))
$$;
comment on function say_to_webhooks(uuid, text) is 'Queues telling the webhooks, where one wants to know. The caller holds the conversation.';

create or replace function say_resolved() returns trigger language plpgsql as $$
begin
  perform say_to_webhooks(new.id, 'resolved');
  return null;
end $$;
comment on function say_resolved() is 'The trigger of a conversation that is resolved.';
drop trigger if exists resolved_is_told on conversations;
create trigger resolved_is_told after update of status on conversations
  for each row when (new.status = 'resolved' and old.status <> 'resolved') execute function say_resolved();

create or replace function say_answered() returns trigger language plpgsql as $$
begin
  perform say_to_webhooks(new.conversation_id, 'answered_by_person');
  return null;
end $$;
comment on function say_answered() is 'The trigger of a person''s answer that is with the vendor, or on the page, in all its parts.';
drop trigger if exists answer_is_told on messages;
create trigger answer_is_told after update of delivery on messages for each row
  when (new.author = 'person' and new.part = new.parts and new.delivery = 'sent' and old.delivery <> 'sent') execute function say_answered();
drop trigger if exists answer_at_once_is_told on messages;
create trigger answer_at_once_is_told after insert on messages for each row
  when (new.author = 'person' and new.part = new.parts and new.delivery = 'sent') execute function say_answered();

create or replace function list_recipients(in_conversation uuid) returns text[] language sql stable as $$
  with ticket as (select assignee, category from tickets where conversation_id = in_conversation order by created_at desc limit 1),
  owner as (select array_agg(p.email) as emails from people p join ticket k on k.assignee = p.email where p.is_active),
  listed as (select nullif((route_of(coalesce((select category from ticket), 'general'))).notify, '{}') as emails),
  everybody as (select array_agg(email order by email) as emails from people where is_active)
  select coalesce((select emails from owner), (select emails from listed), (select emails from everybody), '{}')
$$;
comment on function list_recipients(uuid) is 'Who gets the mail that a customer needs a person: whoever of the team has the ticket, else the route''s list, else everybody active.';

create or replace function spread_notice(in_lane text, in_token bigint, in_job bigint, base_url text) returns boolean language plpgsql as $$
declare w jsonb; body jsonb; hook uuid; hooks int := 0; note notices; to_whom text[]; mail uuid;
begin
  perform from lanes where lane = in_lane and token = in_token for update;
  if not found then return false; end if;
  select payload into w from message_queue where lane = in_lane and id = in_job;
  select jsonb_build_object('id', w->'id', 'kind', w->'kind', 'at', w->'at', 'conversation', c.id, 'reference', k.reference, 'channel', c.channel,
           'reason', n.reason, 'due_at', case when w->>'kind' = 'person_needed' then k.person_due_at end, 'url', base_url || '/conversations/' || c.id) into body
    from conversations c left join notices n on n.id = (w->>'id')::uuid
    left join lateral (select * from tickets t where t.conversation_id = c.id order by t.created_at desc limit 1) k on true
   where c.id = (w->>'conversation_id')::uuid;
  -- in the order of their ids, as everybody does who takes several of these lanes
  for hook in select id from webhooks where is_on and w->>'kind' = any(events) and body is not null order by id loop
    perform queue_post(hook, body);
    hooks := hooks + 1;
  end loop;
  select * into note from notices where id = (w->>'id')::uuid and seen_at is null;
  if found then
    to_whom := list_recipients(note.conversation_id);
    if to_whom <> '{}' then
      insert into team_mails (notice_id, recipients) values (note.id, to_whom) returning id into mail;
      perform queue_mail(mail);
    elsif hooks = 0 then
      update notices set error = 'nobody is set up to be told' where id = note.id;
    end if;
  end if;
  return finish_work(in_lane, in_token, array[in_job]);
end $$;
comment on function spread_notice(text, bigint, bigint, text) is 'Queues the mail and the posts to webhooks by which people are told, and finishes that work, in one commit. False when the lease was lost: then nothing changed.';

create or replace function queue_post(in_webhook uuid, body jsonb) returns void language sql as $$
  select add_work('hook:' || in_webhook, 'post', 1, 'post:' || in_webhook || ':' || (body->>'id'),
                  jsonb_build_object('version', 1, 'webhook_id', in_webhook, 'body', body))
$$;
comment on function queue_post(uuid, jsonb) is 'Queues telling one webhook one thing: each has a lane, so that one that is down holds up no other and is asked once at a time.';

create or replace function queue_mail(in_mail uuid) returns void language sql as $$
  select add_work('mail:' || in_mail, 'team_mail', 1, 'mail:' || in_mail, jsonb_build_object('version', 1, 'mail_id', in_mail))
$$;
comment on function queue_mail(uuid) is 'Queues sending a mail to the team.';

create or replace function note_told(in_notice uuid, in_error text) returns void language sql as $$
  update notices set told_at = case when in_error is null then coalesce(told_at, clock_timestamp()) else told_at end, error = coalesce(in_error, error)
   where id = in_notice
$$;
comment on function note_told(uuid, text) is 'Somebody was told (no error), or one of the ways failed.';

create or replace function end_team_mail(m jsonb) returns boolean language plpgsql as $$
declare kept team_mails; error text := m->>'error';
begin
  perform from lanes where lane = m->>'lane' and token = (m->>'token')::bigint for update;
  if not found and m->>'state' <> 'sent' then return false; end if;  -- an acceptance is true, whoever has the lane by now
  update team_mails set state = m->>'state', vendor_id = coalesce(m->>'vendor_id', vendor_id), error = m->>'error',
         sent_at = case when m->>'state' = 'sent' then coalesce(sent_at, clock_timestamp()) end
   where id = (m->>'mail_id')::uuid and state <> 'sent' returning * into kept;
  perform note_told(kept.notice_id, error) where (m->>'is_needless')::boolean is not true;
  return finish_work(m->>'lane', (m->>'token')::bigint, array[(m->>'job_id')::bigint],
                     case when m->>'state' in ('failed', 'unknown') then error end);
end $$;
comment on function end_team_mail(jsonb) is 'What became of a mail to the team: sent, skipped (is_needless: nobody misses it), failed or unknown; the last two leave a dead letter. False when the lease was lost.';

create or replace function keep_team_draft(in_lane text, in_token bigint, in_mail uuid, in_draft text) returns boolean language sql as $$
  with held as (select from lanes where lane = in_lane and token = in_token for share),
  kept as (update team_mails set draft_id = in_draft where id = in_mail and exists (select from held) returning 1)
  select exists (select from kept)
$$;
comment on function keep_team_draft(text, bigint, uuid, text) is 'Stores Gmail''s draft of a mail to the team before it is sent. False when the lease was lost: then it must not be sent.';

create or replace function is_to_team(m jsonb) returns boolean language sql stable as $$
  select exists (select from team_mails x join jsonb_array_elements_text(coalesce(nullif(m->'tokens', 'null'), '[]')) t on x.id = t::uuid
                  where m->'customer'->>'value' = any(select lower(r) from unnest(x.recipients) r))
$$;
comment on function is_to_team(jsonb) is 'Whether a mail answers one that was sent to the team itself, and comes from somebody it was sent to: no customer''s word.';

create or replace function note_returned(m jsonb) returns void language sql as $$
  with returned as (
    update team_mails set error = 'it came back from ' || coalesce(nullif(m->>'recipient', ''), 'an address')
     where id in (select t::uuid from jsonb_array_elements_text(coalesce(nullif(m->'tokens', 'null'), '[]')) t)
       and (m->>'status' like '5%' or m->>'status' = '') returning notice_id, error)
  update notices n set error = r.error from returned r where n.id = r.notice_id
$$;
comment on function note_returned(jsonb) is 'A mail to the team came back for good from one of its addresses.';

create or replace function queue_digest(in_lane text, in_token bigint, in_job bigint) returns boolean language plpgsql as $$
declare mail uuid;
begin
  perform from lanes where lane = in_lane and token = in_token for update;
  if not found then return false; end if;
  insert into team_mails (recipients)
  select emails from (select array_agg(email order by email) as emails from people where is_active and role in ('manager', 'admin')) p
   where emails is not null and exists (select from inbox) returning id into mail;
  if mail is not null then perform queue_mail(mail); end if;
  return finish_work(in_lane, in_token, array[in_job]);
end $$;
comment on function queue_digest(text, bigint, bigint) is 'Queues the list of who waits, for managers and admins, where somebody waits; finishes that work in the same commit. False when the lease was lost.';

--- Webhooks ----------------------------------------------------------------------------------------------------------

create or replace function add_webhook(who jsonb, in_url text, in_secret text, in_events text[]) returns uuid language plpgsql as $$
declare added uuid;
begin
  insert into webhooks (url, secret, events, created_by) values (in_url, in_secret, in_events, who->>'name') returning id into added;
  perform note_audit(who, 'webhook_added', 'webhook:' || added, jsonb_build_object('url', in_url, 'events', in_events));
  return added;
end $$;
comment on function add_webhook(jsonb, text, text, text[]) is 'Adds a webhook, switched on, and returns its id.';

create or replace function remove_webhook(who jsonb, in_webhook uuid) returns boolean language plpgsql as $$
declare gone webhooks;
begin
  delete from webhooks where id = in_webhook returning * into gone;
  if not found then return false; end if;
  perform note_audit(who, 'webhook_removed', 'webhook:' || in_webhook, jsonb_build_object('url', gone.url));
  return true;
end $$;
comment on function remove_webhook(jsonb, uuid) is 'Removes a webhook; what waits for it is dropped. False when there is none.';

create or replace function switch_webhook(who jsonb, in_webhook uuid, in_on boolean) returns boolean language plpgsql as $$
begin
  perform from webhooks where id = in_webhook for update;
  if not found then return false; end if;
  update webhooks set is_on = in_on, failures = case when in_on then 0 else failures end where id = in_webhook and is_on <> in_on;
  if found then perform note_audit(who, case when in_on then 'webhook_on' else 'webhook_off' end, 'webhook:' || in_webhook); end if;
  return true;
end $$;
comment on function switch_webhook(jsonb, uuid, boolean) is 'Tells a webhook what happens from now on, or nothing more; what waits for one that is off is dropped. False when there is none.';

create or replace function test_webhook(who jsonb, in_webhook uuid, base_url text) returns text language plpgsql as $$
declare hook webhooks;
begin
  select * into hook from webhooks where id = in_webhook;
  if not found then return 'missing'; end if;
  if not hook.is_on then return 'off'; end if;
  perform note_audit(who, 'webhook_tested', 'webhook:' || in_webhook);
  perform queue_post(in_webhook, jsonb_build_object('id', new_id(), 'kind', 'test', 'at', clock_timestamp(), 'conversation', null, 'reference', null,
                                                    'channel', null, 'reason', null, 'due_at', null, 'url', base_url || '/webhooks'));
  return 'accepted';
end $$;
comment on function test_webhook(jsonb, uuid, text) is 'Queues a word of kind test for a webhook. accepted, off or missing.';

create or replace function note_post(in_webhook uuid, in_status int, in_error text) returns void language sql as $$
  update webhooks set last_at = clock_timestamp(), last_status = in_status, last_error = in_error,
         failures = case when in_error is null then 0 else failures + 1 end, is_on = is_on and in_status is distinct from 410
   where id = in_webhook
$$;
comment on function note_post(uuid, int, text) is 'How a try to tell a webhook ended: its status, null for no answer, and the error, null where it took it. 410 switches it off.';

create or replace function end_post(p jsonb) returns boolean language plpgsql as $$
begin
  perform from lanes where lane = p->>'lane' and token = (p->>'token')::bigint for update;
  if not found then return false; end if;
  perform note_post((p->>'webhook_id')::uuid, (p->>'status')::int, p->>'error');
  perform note_told((p->>'notice_id')::uuid, p->>'error');
  return finish_work(p->>'lane', (p->>'token')::bigint, array[(p->>'job_id')::bigint], case when (p->>'is_dead')::boolean then p->>'error' end);
end $$;
comment on function end_post(jsonb) is 'A webhook took what it was told, refused it for good (410) or was given up, which leaves a dead letter. False when the lease was lost.';
