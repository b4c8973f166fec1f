-- What the agent may do alone, and the replies it may not send before somebody has approved them.

create or replace function mode_of(in_channel text, in_category text) returns text language sql stable as $$
  select coalesce((select mode from autonomy where channel = in_channel and category = in_category),
                  (select mode from channel_configs where channel = in_channel), 'auto')
$$;
comment on function mode_of(text, text) is 'Whether the agent answers alone (auto), writes for approval (draft) or leaves it to people (off).';

create or replace function supersede_drafts(in_conversation uuid, but_not uuid default null) returns void language sql as $$
  update drafts set state = 'superseded', decided_at = clock_timestamp()
   where conversation_id = in_conversation and state = 'pending' and source <> 'correction' and id is distinct from but_not;
  update draft_requests set state = 'dropped', ended_at = clock_timestamp() where conversation_id = in_conversation and state = 'open'
$$;
comment on function supersede_drafts(uuid, uuid) is 'Something was said since they were written, or asked for: nobody need decide about these any more.';

create or replace function due_before(ticket tickets, talk conversations) returns timestamptz language sql stable as $$
  select ticket.person_due_at where ticket.person_due_at >= talk.waiting_since and exists (
    select from turns t where t.conversation_id = talk.id and t.outcome = 'drafted' and t.finished_at >= talk.waiting_since)
$$;
comment on function due_before(tickets, conversations) is 'When a person''s word is due because of an earlier draft of the wait that goes on; null where there was none: what was answered is due anew.';

create or replace function category_after(talk conversations, t jsonb) returns text language sql stable as $$
  select coalesce(
    (select e->>'category' from jsonb_array_elements(t->'effects') with ordinality x (e, place) where e->>'kind' = 'create_ticket' order by place desc limit 1),
    (select coalesce(case when k.status in ('open', 'answered') and k.sorted_by is null
                           and not exists (select from examples e join messages m on m.id = e.message_id where m.conversation_id = talk.id)
                          then (select e->>'category' from jsonb_array_elements(t->'effects') e where e->>'kind' = 'assess' limit 1) end, k.category)
       from tickets k where k.conversation_id = talk.id order by k.created_at desc limit 1),
    t->'brief'->'assessment'->>'category', 'general')
$$;
comment on function category_after(conversations, jsonb) is 'What a conversation is about once the effects of a turn (as commit_turn takes it) hold.';

drop function if exists keep_draft_reply(conversations, uuid, text, jsonb);  -- it gave back how the turn ended, and called a person where the agent is off
create or replace function keep_draft_reply(talk conversations, turn uuid, about text, r jsonb) returns void language plpgsql as $$
declare ticket tickets; route escalation_routes; prefix text;
begin
  prefix := (select split_part(k.reference, '-', 1) from tickets k order by k.id desc limit 1);
  ticket := find_or_open_ticket(talk, prefix);
  route := route_of(about);
  insert into drafts (conversation_id, channel, category, source, body, citations, kind, turn_id)
  select talk.id, talk.channel, about, 'agent', string_agg(b.body, E'\n\n' order by b.place), coalesce(r->'citations', '[]'), r->>'kind', turn
    from jsonb_array_elements_text(r->'bodies') with ordinality b (body, place);
  update tickets set team = coalesce(team, route.team, 'support'), assignee = coalesce(assignee, route.assignee), updated_at = clock_timestamp(),
         status = case when status = 'resolved' then 'open' else status end, resolved_at = null,
         person_due_at = coalesce(due_before(tickets, talk), add_open_time(clock_timestamp(), coalesce(route.respond_within, interval '4 hours'), route.calendar)),
         category = about where id = ticket.id;
end $$;
comment on function keep_draft_reply(conversations, uuid, text, jsonb) is 'A reply that the agent may not send alone waits for approval, and its customer for a person. The caller holds the conversation.';

create or replace function approve_draft(in_conversation uuid, in_draft uuid, bodies text[], how_far real, idempotency uuid, who jsonb, seen int default null, hold interval default '0')
returns text language plpgsql as $$
declare d drafts; talk conversations; ticket tickets; outcome text;
begin
  select * into d from drafts where id = in_draft and conversation_id = in_conversation;
  select * into talk from conversations where id = d.conversation_id for update;
  if not found then return 'missing'; end if;
  if exists (select from messages where reply_id = idempotency or idempotency_token = idempotency) then return 'repeated'; end if;
  select * into d from drafts where id = in_draft for update;
  if d.state <> 'pending' then return 'decided'; end if;
  if is_suppressed(talk) then return 'suppressed'; end if;
  if seen <> count_said(talk) then return 'conflict'; end if;
  if how_far = 0 and is_outdated(d.citations) then return 'outdated'; end if;  -- computed here, so no way of changing an article misses it
  perform note_audit(who, case when how_far = 0 then 'approved a draft' else 'edited a draft' end, 'conversation:' || talk.id,
                     jsonb_build_object('draft', d.id, 'reply', idempotency, 'distance', how_far));
  update drafts set state = case when how_far = 0 then 'approved' else 'edited' end, decided_by = who->>'name', decided_at = clock_timestamp(),
         sent_reply = idempotency, distance = how_far where id = d.id;
  if d.source = 'asked' then  -- whoever had it written answers with it
    outcome := add_person_message(ticket_of(talk.id, null), bodies, idempotency, who, seen, hold);
    update messages set citations = d.citations where conversation_id = talk.id and reply_id = idempotency;
    return outcome;
  end if;
  if d.source = 'agent' then perform supersede_drafts(talk.id, d.id); end if;
  -- a turn in the making knows nothing of this: it begins anew
  update conversations set status = case when d.source = 'agent' then 'waiting' else status end, epoch = epoch + 1, updated_at = clock_timestamp(),
         snoozed_until = case when d.source = 'correction' then snoozed_until end where id = talk.id;
  perform add_reply(talk, 'agent', idempotency, d.turn_id, jsonb_build_object('bodies', to_jsonb(bodies), 'kind', case d.source when 'correction' then 'correction' else d.kind end, 'citations', d.citations,
    'delivery', 'pending', 'sent_by', who->>'name', 'hold_seconds', extract(epoch from hold)));
  update tickets set status = case when status = 'escalated' then status else 'answered' end, updated_at = clock_timestamp()
   where conversation_id = talk.id and status <> 'resolved' and d.source = 'agent';
  return 'accepted';
end $$;
comment on function approve_draft(uuid, uuid, text[], real, uuid, jsonb, int, interval) is 'Sends a draft, as it was or in other words (how_far: 0 nothing changed, 1 everything): as the agent''s, or, where somebody asked for it, as their own answer. Otherwise as add_person_message; decided: somebody was faster, or something was said since; outdated: it stands on a passage that has changed, and nobody has changed a word of it.';

create or replace function reject_draft(in_conversation uuid, in_draft uuid, who jsonb) returns text language plpgsql as $$
declare d drafts; talk conversations;
begin
  select * into d from drafts where id = in_draft and conversation_id = in_conversation;
  select * into talk from conversations where id = d.conversation_id for update;
  if not found then return 'missing'; end if;
  update drafts set state = 'rejected', decided_by = who->>'name', decided_at = clock_timestamp(), distance = 1
   where id = in_draft and state = 'pending';
  if not found then return 'decided'; end if;
  perform note_audit(who, 'rejected a draft', 'conversation:' || talk.id, jsonb_build_object('draft', d.id));
  if d.source = 'agent' and talk.handler = 'agent' then
    perform take_over((select reference from tickets where conversation_id = talk.id order by status = 'resolved', created_at desc limit 1), who);
  end if;
  return 'accepted';
end $$;
comment on function reject_draft(uuid, uuid, jsonb) is 'A draft is not sent; of an answer of the agent, whoever refused it answers instead. accepted, decided or missing.';

create or replace function wilson_lower(hits bigint, n bigint) returns float8 language sql immutable as $$
  select case when n > 0 then (hits::float8 / n + 1.9208 / n - 1.96 * sqrt(hits::float8 / n * (1 - hits::float8 / n) / n + 0.9604 / (n::float8 * n))) / (1 + 3.8416 / n) end
$$;
comment on function wilson_lower(bigint, bigint) is 'The share that is at least behind so many hits of n, with 95 % confidence (Wilson score interval); null without any.';

create or replace function decide_autonomy(in_channel text, in_category text, in_mode text, in_why text, who jsonb) returns void language sql as $$
  select note_audit(who, 'let the agent ' || in_mode, 'autonomy:' || in_channel || ':' || in_category,
                    jsonb_build_object('from', mode_of(in_channel, in_category), 'to', in_mode, 'why', in_why));
  insert into autonomy (channel, category, mode, why, decided_by) values (in_channel, in_category, in_mode, in_why, who->>'name')
  on conflict (channel, category) do update set mode = excluded.mode, why = excluded.why, decided_by = excluded.decided_by, decided_at = clock_timestamp()
$$;
comment on function decide_autonomy(text, text, text, text, jsonb) is 'How much the agent may do alone in a category of a channel, from now on.';

create or replace function fall_back() returns int language plpgsql as $$
declare one record; fell int := 0;
begin
  for one in select * from autonomy_evidence where proposal = 'draft' loop
    perform decide_autonomy(one.channel, one.category, 'draft', one.why, jsonb_build_object('kind', 'agent', 'id', null, 'name', 'Deskhand'));
    update autonomy set decided_by = null where channel = one.channel and category = one.category;
    fell := fell + 1;
  end loop;
  return fell;
end $$;
comment on function fall_back() is 'Categories whose answers were followed by too much trouble are drafted again until a manager decides otherwise. How many that were.';
