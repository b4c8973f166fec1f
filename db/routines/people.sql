-- The people of the team: who is called, what they do, and how the agent falls silent.

create or replace function route_of(in_category text) returns escalation_routes language sql stable as $$
  select * from escalation_routes where category in (in_category, 'general') order by category = in_category desc limit 1
$$;
comment on function route_of(text) is 'Who sees to a category; the route of general where it has none of its own.';

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
  update conversations set handler = 'human', epoch = epoch + 1, status = 'open', updated_at = now_at,
         waiting_since = unanswered_since(talk) where id = talk.id;
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
   where conversation_id = in_conversation and author = 'agent' and delivery = 'pending' and kind is distinct from 'opt_out';
  get diagnostics cancelled = row_count;
  return cancelled;
end $$;
comment on function silence_agent(uuid) is 'From here on only people speak in a conversation: what the agent is making is dropped, what was not yet handed to the vendor is not sent. Returns how many replies that were. The caller holds the conversation.';

create or replace function take_over(in_reference text) returns text language plpgsql as $$
declare ticket tickets; talk conversations; route escalation_routes; cancelled int;
begin
  select * into ticket from tickets where reference = in_reference;
  select * into talk from conversations where id = ticket.conversation_id for update;
  if not found then return 'missing'; end if;
  cancelled := silence_agent(talk.id);
  if cancelled > 0 then  -- the customer is without the reply that was on its way
    update conversations set status = 'open', waiting_since = unanswered_since(talk) where id = talk.id;
  end if;
  if talk.handler = 'human' then return 'repeated'; end if;
  route := route_of(ticket.category);
  update tickets set status = case when status in ('open', 'answered') then 'escalated' else status end, team = coalesce(team, route.team, 'support'),
         assignee = coalesce(assignee, route.assignee), escalation_reason = 'taken_over', updated_at = clock_timestamp(),
         person_due_at = add_open_time(clock_timestamp(), coalesce(route.respond_within, interval '4 hours'), route.calendar)
   where id = ticket.id;
  return 'accepted';
end $$;
comment on function take_over(text) is 'Somebody of the team takes a conversation: the agent is silent from now on. accepted, repeated (a person has it already) or missing.';

create or replace function hand_back(in_reference text) returns text language plpgsql as $$
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
  update conversations set handler = 'agent', epoch = epoch + 1, updated_at = clock_timestamp() where id = talk.id;
  word := newest_word(talk.id);  -- who took it over and said nothing has settled nothing
  if word.author = 'person' or word.kind in ('handoff', 'opt_out') then perform leave_past(talk.id, clock_timestamp()); end if;
  update tickets set status = case when talk.waiting_since is null then 'answered' else 'open' end, person_due_at = null, updated_at = clock_timestamp()
   where conversation_id = talk.id and status in ('open', 'escalated');
  return 'accepted';
end $$;
comment on function hand_back(text) is 'Gives a conversation back to the agent. accepted, repeated (it has it already), waiting (the customer''s last word has no answer yet: answer it first) or missing.';

create or replace function settle_elsewhere(in_reference text) returns text language plpgsql as $$
declare ticket tickets; talk conversations; now_at timestamptz := clock_timestamp();
begin
  select * into ticket from tickets where reference = in_reference;
  select * into talk from conversations where id = ticket.conversation_id for update;
  if not found then return 'missing'; end if;
  if talk.handler = 'agent' and talk.waiting_since is null then return 'repeated'; end if;
  perform silence_agent(talk.id);
  update conversations set handler = 'agent', waiting_since = null, status = 'resolved', updated_at = now_at where id = talk.id;
  perform leave_past(talk.id, now_at);
  update tickets set status = 'resolved', resolved_at = now_at, person_due_at = null, updated_at = now_at
   where conversation_id = talk.id and status <> 'resolved';
  return 'accepted';
end $$;
comment on function settle_elsewhere(text) is 'Nothing more is owed here: somebody has reached the customer in another way, or nobody can. They wait no longer, and what they write next is the agent''s. accepted, repeated or missing.';

create or replace function add_person_message(in_reference text, bodies text[], idempotency uuid) returns text language plpgsql as $$
declare ticket tickets; talk conversations; now_at timestamptz := clock_timestamp(); is_page boolean;
begin
  select * into ticket from tickets where reference = in_reference;
  select * into talk from conversations where id = ticket.conversation_id for update;
  if not found then return 'missing'; end if;
  if exists (select from messages where reply_id = idempotency or idempotency_token = idempotency) then return 'repeated'; end if;
  if is_suppressed(talk) then return 'suppressed'; end if;
  is_page := talk.channel = 'web';  -- the ticket page reads the row: the commit is the delivery
  perform silence_agent(talk.id);
  perform add_reply(talk, 'person', idempotency, null, jsonb_build_object(
    'bodies', to_jsonb(bodies), 'kind', 'answer', 'delivery', case when is_page then 'sent' else 'pending' end));
  update conversations set status = 'waiting', updated_at = now_at,
         waiting_since = case when not is_page then coalesce(waiting_since, (  -- until the vendor has taken it
           select min(q.created_at) from message_queue q where q.lane = talk.channel || ':' || talk.thread_key and q.kind = 'inbound')) end
   where id = talk.id;
  update tickets set status = 'answered', updated_at = now_at, resolved_at = null,
         first_response_met_at = case when is_page then coalesce(first_response_met_at, now_at) else first_response_met_at end
   where id = ticket.id;
  return 'accepted';
end $$;
comment on function add_person_message(text, text[], uuid) is 'What somebody of the team answers, in as many parts as the channel needs: it takes the conversation over from the agent, and a reply in the making is dropped. accepted, repeated or missing.';
