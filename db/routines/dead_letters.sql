-- What was given up: a person is called for whoever waits behind it, and it can be queued again.

create or replace function answer_for_dead() returns trigger language plpgsql as $$
declare talk conversations; who uuid; known text; from_channel text := split_part(new.lane, ':', 1);
begin
  select customer_id into who from conversations where channel = from_channel and thread_key = substr(new.lane, strpos(new.lane, ':') + 1);
  if who is null then  -- else the conversation may be locked here already, and an address is locked before it
    begin
      who := resolve_customer(nullif(new.payload->'customer', 'null'));
    exception when others then  -- whatever made the message fail must not keep a person from being called
      who := null;
    end;
  end if;
  insert into conversations as c (channel, thread_key, customer_id, subject, waiting_since)
  values (from_channel, substr(new.lane, strpos(new.lane, ':') + 1), who, coalesce(new.payload->>'subject', ''), new.created_at)
  on conflict (channel, thread_key) do update set waiting_since = coalesce(c.waiting_since, new.created_at),
                                                 customer_id = coalesce(c.customer_id, who)
  returning * into talk;
  insert into messages (conversation_id, customer_id, channel, direction, author, external_id, body, sent_at)
  select talk.id, talk.customer_id, talk.channel, 'inbound', 'customer', new.payload->>'external_id', new.payload->>'body',
         case when pg_input_is_valid(new.payload->>'sent_at', 'timestamptz') then (new.payload->>'sent_at')::timestamptz else new.created_at end
   where new.payload->>'external_id' is not null and new.payload->>'body' is not null on conflict (channel, external_id) do nothing;
  if not exists (select from tickets k where k.conversation_id = talk.id and k.status = 'escalated' and k.person_due_at >= talk.waiting_since
                    and talk.handler = 'human' and coalesce(k.assignee, k.team) is not null) then
    select split_part(reference, '-', 1) into known from tickets order by id desc limit 1;
    perform call_person(talk.id, 'given_up', format('The agent could not take up a message (%s). See it with: python -m app dead list', new.error), known);
  end if;
  return null;
end $$;
comment on function answer_for_dead() is 'Gives the conversation of a message that was given up to a person: with its text in the log where it can be read, a ticket, an owner and a due time. Nothing to do where the turn that gave it up has called one.';

drop trigger if exists dead_letter_calls_a_person on dead_letters;
-- at the end of the commit, when a turn that hands over has done so itself
create constraint trigger dead_letter_calls_a_person after insert or update on dead_letters deferrable initially deferred
  for each row when (new.kind = 'inbound' and strpos(new.lane, ':') > 0 and new.payload->>'is_test' is distinct from 'true')
  execute function answer_for_dead();

create or replace function revive_dead(dead_id bigint) returns boolean language plpgsql as $$
declare letter dead_letters; talk conversations;
begin
  select * into letter from dead_letters where id = dead_id;
  if not requeue_dead(dead_id) then return false; end if;
  if letter.kind <> 'inbound' then return true; end if;
  select * into talk from conversations where channel = split_part(letter.lane, ':', 1)
     and thread_key = substr(letter.lane, strpos(letter.lane, ':') + 1) for update;
  if talk.handler = 'human' and not exists (select from messages m where m.conversation_id = talk.id and m.author = 'person' and m.sent_at > letter.created_at) then
    update tickets set status = 'open', person_due_at = null, updated_at = clock_timestamp()
     where conversation_id = talk.id and status = 'escalated' and escalation_reason in ('given_up', 'tool_failure');
    update conversations set handler = 'agent', epoch = epoch + 1, updated_at = clock_timestamp() where id = talk.id and found;
  end if;
  return true;
end $$;
comment on function revive_dead(bigint) is 'Queues a dead letter again. Where a person was called only because it failed, and has not spoken yet, the agent has the conversation again. False when there is none of that id.';
