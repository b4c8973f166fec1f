-- The people of the team: who is called, what they do, and how the agent falls silent.

create or replace function route_of(in_category text) returns escalation_routes language sql stable as $$
  select * from escalation_routes where category in (in_category, 'general') order by category = in_category desc limit 1
$$;
comment on function route_of(text) is 'Who sees to a category; the route of general where it has none of its own.';

create or replace function free_reopened() returns trigger language plpgsql as $$
begin
  if exists (select from people where email = new.assignee and not is_active) then
    new.assignee := null;
    new.team := coalesce(new.team, 'support');
  end if;
  return new;
end $$;
comment on function free_reopened() is 'The trigger of a ticket that is opened again: whoever has left the team does not have it.';
create or replace trigger ticket_is_reopened before update on tickets for each row
  when (old.status = 'resolved' and new.status <> 'resolved' and new.assignee is not null) execute function free_reopened();

create or replace function unanswered_since(talk conversations) returns timestamptz language sql as $$
  select coalesce(least(talk.waiting_since, (select max(created_at) from messages where conversation_id = talk.id and direction = 'inbound' and kind is null)),
                  clock_timestamp())
$$;
comment on function unanswered_since(conversations) is 'Since when a customer waits whose reply will not come: at least since their last word that was taken up.';

create or replace function find_or_open_ticket(talk conversations, prefix text) returns tickets language plpgsql as $$
declare ticket tickets;
begin
  select * into ticket from tickets where conversation_id = talk.id order by status = 'resolved', created_at desc limit 1;
  if not found then
    insert into tickets (reference, conversation_id, customer_id, subject, plan, first_response_due_at, resolution_due_at)
    select new_reference(coalesce(prefix, 'TF')), talk.id, talk.customer_id, talk.subject, talk.plan, d.first_response_due_at, d.resolution_due_at
      from (select) one left join due_times('general', talk.plan, clock_timestamp()) d on true returning * into ticket;
  end if;
  return ticket;
end $$;
comment on function find_or_open_ticket(conversations, text) is 'The ticket by which people see to a conversation: an open one before a resolved one, a new one where there is none.';

create or replace function call_person(in_conversation uuid, reason text, note text, prefix text) returns text language plpgsql as $$
declare talk conversations; ticket tickets; route escalation_routes; now_at timestamptz := clock_timestamp();
begin
  select * into talk from conversations where id = in_conversation for update;
  ticket := find_or_open_ticket(talk, prefix);
  route := route_of(ticket.category);
  update tickets set status = 'escalated', team = coalesce(ticket.team, route.team, 'support'), assignee = coalesce(ticket.assignee, route.assignee),
         escalation_reason = reason, handoff_note = concat_ws(E'\n', nullif(ticket.handoff_note, ''), nullif(note, '')),
         priority = greatest(ticket.priority, 7), priority_why = case when ticket.priority < 7 then reason else ticket.priority_why end,
         person_due_at = add_open_time(now_at, coalesce(route.respond_within, interval '4 hours'), route.calendar),
         resolved_at = null, updated_at = now_at where id = ticket.id;
  update conversations set handler = 'human', epoch = epoch + 1, status = 'open', snoozed_until = null, updated_at = now_at,
         waiting_since = unanswered_since(talk) where id = talk.id;
  perform note_needed(talk.id, reason);
  return ticket.reference;
end $$;
comment on function call_person(uuid, text, text, text) is 'Gives a conversation to a person where the agent cannot go on: a ticket with owner and due time, and the agent silent. Returns the reference.';

create or replace function silence_agent(in_conversation uuid) returns int language plpgsql as $$
declare cancelled int;
begin
  -- the epoch moves even if a person had it already: a turn in the making must not speak after this
  update conversations set handler = 'human', epoch = epoch + 1, silenced_at = clock_timestamp(), updated_at = clock_timestamp()
   where id = in_conversation;
  update messages set delivery = 'cancelled', delivery_error = 'a person took over'
   where conversation_id = in_conversation and author = 'agent' and sent_by is null and delivery = 'pending' and kind is distinct from 'opt_out';
  get diagnostics cancelled = row_count;
  perform note_seen(in_conversation);
  return cancelled;
end $$;
comment on function silence_agent(uuid) is 'From here on only people speak in a conversation: what the agent is making is dropped, what was not yet handed to the vendor is not sent. Returns how many replies that were. The caller holds the conversation.';

create or replace function take_over(in_reference text, who jsonb default null) returns text language plpgsql as $$
declare ticket tickets; talk conversations; route escalation_routes; cancelled int; named text := person_named(who);
begin
  select * into ticket from tickets where reference = in_reference;
  select * into talk from conversations where id = ticket.conversation_id for update;
  if not found then return 'missing'; end if;
  cancelled := silence_agent(talk.id);
  if cancelled > 0 then  -- the customer is without the reply that was on its way
    update conversations set status = 'open', waiting_since = unanswered_since(talk) where id = talk.id;
  end if;
  if talk.handler = 'human' and (named is null or ticket.assignee is not distinct from named) then return 'repeated'; end if;
  perform note_audit(who, 'took over', 'conversation:' || talk.id);
  if talk.handler = 'human' then
    update tickets set assignee = named, updated_at = clock_timestamp() where id = ticket.id;
    return 'accepted';
  end if;
  route := route_of(ticket.category);
  update tickets set status = case when status in ('open', 'answered') then 'escalated' else status end, team = coalesce(team, route.team, 'support'),
         assignee = coalesce(named, assignee, route.assignee), escalation_reason = 'taken_over', updated_at = clock_timestamp(),
         person_due_at = add_open_time(clock_timestamp(), coalesce(route.respond_within, interval '4 hours'), route.calendar)
   where id = ticket.id;
  return 'accepted';
end $$;
comment on function take_over(text, jsonb) is 'Somebody of the team takes a conversation: the agent is silent from now on, and the ticket is theirs. accepted, repeated (they have it already, or nobody says who they are and a person has it) or missing.';

create or replace function hand_back(in_reference text, who jsonb default null) returns text language plpgsql as $$
declare ticket tickets; talk conversations; word messages;
begin
  select * into ticket from tickets where reference = in_reference;
  select * into talk from conversations where id = ticket.conversation_id for update;
  if not found then return 'missing'; end if;
  if talk.handler = 'agent' then return 'repeated'; end if;
  if is_suppressed(talk) then  -- nothing can be sent here: whoever has reached them otherwise, or cannot, is done
    update conversations set waiting_since = null where id = talk.id returning * into talk;
  end if;
  if talk.waiting_since is not null and (  -- unless all that waits for an answer is still on the queue, for the agent to take up
       not exists (select from message_queue where lane = talk.channel || ':' || talk.thread_key and kind = 'inbound')
       or exists (select from messages where conversation_id = talk.id and direction = 'inbound' and kind is null and created_at >= talk.waiting_since)) then
    return 'waiting';
  end if;
  perform note_audit(who, 'handed back', 'conversation:' || talk.id);
  update conversations set handler = 'agent', epoch = epoch + 1, snoozed_until = null, updated_at = clock_timestamp() where id = talk.id;
  word := newest_word(talk.id);  -- who took it over and said nothing has settled nothing
  if word.author = 'person' or word.kind in ('handoff', 'opt_out') then perform leave_past(talk.id, clock_timestamp()); end if;
  update tickets set status = case when talk.waiting_since is null then 'answered' else 'open' end, person_due_at = null, updated_at = clock_timestamp()
   where conversation_id = talk.id and status in ('open', 'escalated');
  return 'accepted';
end $$;
comment on function hand_back(text, jsonb) is 'Gives a conversation back to the agent. accepted, repeated (it has it already), waiting (the customer''s last word has no answer yet: answer it first) or missing.';

drop function if exists settle_elsewhere(text, jsonb);  -- it did not ask what they had before them
create or replace function settle_elsewhere(in_reference text, who jsonb default null, seen int default null) returns text language plpgsql as $$
declare ticket tickets; talk conversations; now_at timestamptz := clock_timestamp();
begin
  select * into ticket from tickets where reference = in_reference;
  select * into talk from conversations where id = ticket.conversation_id for update;
  if not found then return 'missing'; end if;
  if seen <> count_said(talk) then return 'conflict'; end if;
  if talk.handler = 'agent' and talk.waiting_since is null and talk.status = 'resolved' then return 'repeated'; end if;
  perform note_audit(who, 'resolved', 'conversation:' || talk.id);
  perform supersede_drafts(talk.id);
  perform silence_agent(talk.id);
  update conversations set handler = 'agent', waiting_since = null, snoozed_until = null, status = 'resolved', updated_at = now_at where id = talk.id;
  perform leave_past(talk.id, now_at);
  update tickets set status = 'resolved', resolved_at = now_at, person_due_at = null, updated_at = now_at
   where conversation_id = talk.id and status <> 'resolved';
  return 'accepted';
end $$;
comment on function settle_elsewhere(text, jsonb, int) is 'Nothing more is owed here: it is solved, somebody has reached the customer in another way, or nobody can. They wait no longer, and what they write next is the agent''s. seen: as add_person_message. accepted, repeated, conflict or missing.';

create or replace function count_said(talk conversations) returns bigint language sql stable as $$
  select (select count(*) from messages where conversation_id = talk.id)
       + (select count(*) from message_queue where lane = talk.channel || ':' || talk.thread_key and kind = 'inbound')
$$;
comment on function count_said(conversations) is 'How many messages a conversation has, those too that no turn has taken up yet: taking one up says nothing new.';

create or replace function add_person_message(in_reference text, bodies text[], idempotency uuid, who jsonb default null,
                                              seen int default null, hold interval default '0') returns text language plpgsql as $$
declare ticket tickets; talk conversations; now_at timestamptz := clock_timestamp(); is_page boolean;
begin
  select * into ticket from tickets where reference = in_reference;
  select * into talk from conversations where id = ticket.conversation_id for update;
  if not found then return 'missing'; end if;
  if exists (select from messages where reply_id = idempotency or idempotency_token = idempotency) then return 'repeated'; end if;
  if is_suppressed(talk) then return 'suppressed'; end if;
  -- nothing is ever taken out of the log, so as many messages are the same messages
  if seen <> count_said(talk) then return 'conflict'; end if;
  is_page := talk.channel = 'web' and hold = '0';  -- the ticket page reads the row: the commit is the delivery
  perform note_audit(who, 'answered', 'conversation:' || talk.id, jsonb_build_object('reply', idempotency));
  perform supersede_drafts(talk.id);
  perform silence_agent(talk.id);
  perform add_reply(talk, 'person', idempotency, null, jsonb_build_object(
    'bodies', to_jsonb(bodies), 'kind', 'answer', 'delivery', case when is_page then 'sent' else 'pending' end,
    'sent_by', who->>'name', 'hold_seconds', extract(epoch from hold)));
  update conversations set status = 'waiting', updated_at = now_at, snoozed_until = null,
         waiting_since = case when not is_page then coalesce(waiting_since, (  -- until the vendor has taken it
           select min(q.created_at) from message_queue q where q.lane = talk.channel || ':' || talk.thread_key and q.kind = 'inbound')) end
   where id = talk.id;
  update tickets set status = 'answered', updated_at = now_at, resolved_at = null, assignee = coalesce(assignee, person_named(who)),
         first_response_met_at = case when is_page then coalesce(first_response_met_at, now_at) else first_response_met_at end
   where id = ticket.id;
  return 'accepted';
end $$;
comment on function add_person_message(text, text[], uuid, jsonb, int, interval) is 'What somebody of the team answers, in as many parts as the channel needs: it takes the conversation over from the agent, and a reply in the making is dropped. seen: how many messages of the conversation they had before them, null if nobody knows; hold: how long it may be taken back. accepted, repeated, suppressed, conflict (something was said that they had not seen: nothing is kept) or missing.';

create or replace function take_back(in_reference text, reply uuid, who jsonb) returns text language plpgsql as $$
declare ticket tickets; talk conversations; route escalation_routes; waits timestamptz; now_at timestamptz := clock_timestamp();
begin
  select * into ticket from tickets where reference = in_reference;
  select * into talk from conversations where id = ticket.conversation_id for update;
  if not exists (select from messages where conversation_id = talk.id and reply_id = reply and sent_by is not null) then return 'missing'; end if;
  perform from lanes where lane = 'out:' || talk.id for update;
  perform from messages where conversation_id = talk.id and reply_id = reply for update;
  if exists (select from messages where conversation_id = talk.id and reply_id = reply and delivery <> 'pending') then return 'late'; end if;
  perform note_audit(who, 'took an answer back', 'conversation:' || talk.id, jsonb_build_object('reply', reply));
  update messages set delivery = 'cancelled', delivery_error = 'taken back' where conversation_id = talk.id and reply_id = reply;
  -- what was taken back is evidence of nothing, also where another one waits by now
  update drafts d set (state, decided_at) = (select case when count(*) = 0 then 'pending' else 'superseded' end, case when count(*) > 0 then now_at end
           from drafts o where o.conversation_id = d.conversation_id and o.source = d.source and o.state = 'pending'),
         decided_by = null, sent_reply = null, distance = null where sent_reply = reply;
  -- it may have been resolved on the strength of that answer
  waits := coalesce(talk.waiting_since, case when exists (
    select from messages i where i.conversation_id = talk.id and i.direction = 'inbound' and i.kind is null and i.created_at > coalesce(
      (select max(o.sent_at) from messages o where o.conversation_id = talk.id and o.direction = 'outbound' and o.delivery <> 'cancelled'
          and o.kind not in ('handoff', 'csat', 'correction')), '-infinity')
       and not exists (select from turns t where t.id = i.turn_id and t.outcome = 'closed')) then unanswered_since(talk) end);
  route := route_of(ticket.category);
  -- a turn in the making has read it as said: it begins anew
  update conversations set epoch = epoch + 1, updated_at = now_at, waiting_since = waits,
         handler = case when talk.status = 'resolved' and waits is not null then 'human' else handler end,
         status = case when waits is not null then 'open' else status end where id = talk.id returning * into talk;
  if waits is not null then
    update tickets set status = case when talk.handler = 'human' then 'escalated' else 'open' end, resolved_at = null, updated_at = now_at,
           team = coalesce(team, route.team, 'support'), assignee = coalesce(assignee, route.assignee),
           person_due_at = case when person_due_at >= waits then person_due_at
                                else add_open_time(now_at, coalesce(route.respond_within, interval '4 hours'), route.calendar) end where id = ticket.id;
  end if;
  return 'accepted';
end $$;
comment on function take_back(text, uuid, jsonb) is 'A person''s reply is taken back, by them or a colleague, before any of it is on its way. accepted, late (the vendor has it, or may have) or missing.';

create or replace function person_named(who jsonb) returns text language sql immutable as $$
  select who->>'name' where who->>'kind' = 'person'
$$;
comment on function person_named(jsonb) is 'The e-mail of a person; null for keys and for nobody.';

create or replace function ticket_of(in_conversation uuid, prefix text) returns text language plpgsql as $$
declare talk conversations; ticket tickets;
begin
  select reference into ticket.reference from tickets where conversation_id = in_conversation order by status = 'resolved', created_at desc limit 1;
  if ticket.reference is null then
    select * into talk from conversations where id = in_conversation for update;
    if found then ticket := find_or_open_ticket(talk, prefix); end if;
  end if;
  return ticket.reference;
end $$;
comment on function ticket_of(uuid, text) is 'The reference of the ticket by which people see to a conversation, opened where there is none; null without the conversation.';

create or replace function assign_ticket(in_reference text, to_person text, who jsonb) returns text language plpgsql as $$
declare ticket tickets;
begin
  select * into ticket from tickets where reference = in_reference for update;
  if not found then return 'missing'; end if;
  perform from people where email = to_person and is_active for share;  -- or they leave meanwhile, and take it with them
  if to_person is not null and not found then return 'unknown'; end if;
  if ticket.assignee is not distinct from to_person then return 'repeated'; end if;
  perform note_audit(who, 'assigned', 'conversation:' || ticket.conversation_id, jsonb_build_object('from', ticket.assignee, 'to', to_person));
  update tickets set assignee = to_person, updated_at = clock_timestamp() where id = ticket.id;
  return 'accepted';
end $$;
comment on function assign_ticket(text, text, jsonb) is 'Gives a ticket to a person by e-mail, or to nobody. accepted, repeated, unknown (no such person) or missing.';

drop function if exists snooze(text, timestamptz, jsonb);  -- it did not ask what they had before them
create or replace function snooze(in_reference text, until timestamptz, who jsonb, seen int default null) returns text language plpgsql as $$
declare talk conversations;
begin
  select c.* into talk from conversations c join tickets t on t.conversation_id = c.id where t.reference = in_reference for update of c;
  if not found then return 'missing'; end if;
  if until is not null and talk.waiting_since is null then return 'idle'; end if;
  if until is not null and seen <> count_said(talk) then return 'conflict'; end if;
  perform note_audit(who, case when until is null then 'woke' else 'snoozed' end, 'conversation:' || talk.id, jsonb_build_object('until', until));
  update conversations set snoozed_until = until, updated_at = clock_timestamp() where id = talk.id;
  return 'accepted';
end $$;
comment on function snooze(text, timestamptz, jsonb, int) is 'Puts a conversation aside until then, or until the customer writes again; null: back at once. seen: as add_person_message. accepted, idle (nobody waits there), conflict or missing.';

create or replace function sort_ticket(in_reference text, in_category text, in_priority int, in_tags text[], who jsonb) returns text language plpgsql as $$
declare ticket tickets; before text[];
begin
  select * into ticket from tickets where reference = in_reference;
  select tags into before from conversations where id = ticket.conversation_id for update;
  if not found then return 'missing'; end if;
  perform note_audit(who, 'sorted', 'conversation:' || ticket.conversation_id, jsonb_build_object(
    'from', jsonb_build_object('category', ticket.category, 'priority', ticket.priority, 'tags', before),
    'to', jsonb_build_object('category', in_category, 'priority', in_priority, 'tags', in_tags)));
  update conversations set tags = in_tags, updated_at = clock_timestamp() where id = ticket.conversation_id;
  update tickets set category = in_category, priority_why = case when priority = in_priority then priority_why else 'a person' end,
         priority = in_priority, sorted_by = coalesce(who->>'name', 'nobody named'), updated_at = clock_timestamp() where id = ticket.id;
  return 'accepted';
end $$;
comment on function sort_ticket(text, text, int, text[], jsonb) is 'Says what a ticket is about, how much it matters, and its tags. accepted or missing.';

create or replace function add_note(in_conversation uuid, in_body text, who jsonb) returns void language sql as $$
  select note_audit(who, 'noted', 'conversation:' || in_conversation);
  insert into notes (conversation_id, author, body) values (in_conversation, who->>'name', in_body);
  update conversations set updated_at = clock_timestamp() where id = in_conversation
$$;
comment on function add_note(uuid, text, jsonb) is 'Keeps what the team tells itself about a conversation.';

create or replace function note_presence(in_conversation uuid, in_who text) returns void language sql as $$
  insert into presences (conversation_id, who) values (in_conversation, in_who)
  on conflict (conversation_id, who) do update set seen_at = clock_timestamp()
$$;
comment on function note_presence(uuid, text) is 'Somebody has a conversation open.';

drop function if exists keep_canned(text, text, jsonb);  -- it overwrote what had the same name
create or replace function keep_canned(in_name text, in_body text, who jsonb, in_was text) returns text language plpgsql as $$
declare old_body text;
begin
  if in_was is null then
    insert into canned_replies (name, body, updated_by) values (in_name, in_body, who->>'name') on conflict do nothing;
    if not found then return 'taken'; end if;
    perform note_audit(who, 'wrote a canned reply', 'canned:' || in_name, jsonb_build_object('to', in_body));
    return 'accepted';
  end if;
  select body into old_body from canned_replies where name = in_was for update;
  if not found then return 'gone'; end if;
  update canned_replies set name = in_name, body = in_body, updated_by = who->>'name', updated_at = now() where name = in_was;
  perform note_audit(who, 'changed a canned reply', 'canned:' || in_name,
                     jsonb_build_object('was', in_was, 'from', old_body, 'to', in_body));
  return 'accepted';
exception when unique_violation then return 'taken';
end $$;
comment on function keep_canned(text, text, jsonb, text) is 'Writes a canned reply (in_was null), or changes the one of the name in_was. accepted, taken (another has this name) or gone (there is none of the name in_was).';

create or replace function drop_canned(in_name text, who jsonb) returns boolean language plpgsql as $$
declare was text;
begin
  delete from canned_replies where name = in_name returning body into was;
  if not found then return false; end if;
  perform note_audit(who, 'dropped a canned reply', 'canned:' || in_name, jsonb_build_object('from', was));
  return true;
end $$;
comment on function drop_canned(text, jsonb) is 'Removes a canned reply; false when there is none of this name.';
