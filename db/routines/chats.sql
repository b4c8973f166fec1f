-- What a chat has and no other channel: words that are only kept, words that end it, and a time in which to answer.

create or replace function heard(talk conversations) returns table (heard_at timestamptz) language sql stable as $$
  select greatest(
    (select max(m.sent_at) from messages m where m.conversation_id = talk.id and m.direction = 'inbound' and m.kind is distinct from 'reaction'),
    (select max(case when pg_input_is_valid(q.payload->>'sent_at', 'timestamptz') then (q.payload->>'sent_at')::timestamptz else q.created_at end)
       from message_queue q where q.lane = talk.channel || ':' || talk.thread_key and q.kind = 'inbound'))
$$;
comment on function heard(conversations) is 'As last_heard, one row: for a query over many, which then contains this one instead of calling it.';

create or replace function last_heard(talk conversations) returns timestamptz language sql stable as $$
  select heard_at from heard(talk)
$$;
comment on function last_heard(conversations) is 'When the customer last wrote, also what no turn has taken up yet. A reaction is no word.';

create or replace function free_until(talk conversations) returns timestamptz language sql stable as $$
  select case when g.reply_window is not null then coalesce(last_heard(talk) + g.reply_window, talk.created_at) end from channel_configs g where g.channel = talk.channel
$$;
comment on function free_until(conversations) is 'Until when the customer may be written to freely; null: for ever; where they never wrote a word, the time is over from the beginning.';

create or replace function suppressed_since(talk conversations) returns timestamptz language sql stable as $$
  select min(i.suppressed_at) from customer_identifiers i
   where i.customer_id = talk.customer_id and i.value = case talk.channel when 'whatsapp' then talk.thread_key end
$$;
comment on function suppressed_since(conversations) is 'Since when nothing is to be sent to the customer here; null: it may be.';

create or replace function is_suppressed(talk conversations) returns boolean language sql stable as $$
  select suppressed_since(talk) is not null
$$;
comment on function is_suppressed(conversations) is 'Whether nothing is to be sent to the customer here: they said so, or the vendor did.';

create or replace function suppress(talk conversations, why text) returns void language sql as $$
  update customer_identifiers set suppressed_at = clock_timestamp(), suppressed_why = why
   where customer_id = talk.customer_id and value = talk.thread_key and suppressed_at is null
$$;
comment on function suppress(conversations, text) is 'From now on nothing is sent to the customer here.';

create or replace function hold_address(in_conversation uuid) returns void language sql as $$
  select from customer_identifiers i join conversations c on c.customer_id = i.customer_id and c.thread_key = i.value
   where c.id = in_conversation for update of i
$$;
comment on function hold_address(uuid) is 'Locks the address a conversation is held with: for whoever may come to it with the conversation in hand, because everybody else takes the address first.';

create or replace function is_called_off(m messages) returns boolean language sql stable as $$
  select coalesce(m.kind in ('opt_out', 'csat'), false) or exists (
    select from conversations c join messages s on s.conversation_id = c.id and s.direction = 'inbound' and s.kind = 'opt_out'
     where c.id = m.conversation_id and s.created_at > m.created_at and is_suppressed(c))
$$;
comment on function is_called_off(messages) is 'Whether nobody misses a message of ours that does not arrive: the customer has asked us to stop since, it is the word that says we have, or it only asked whether they were content.';

create or replace function keep_aside(m jsonb) returns conversations language plpgsql as $$
declare talk conversations; who uuid := resolve_customer(m->'customer');
begin
  insert into conversations as c (channel, thread_key, customer_id, trust, status, address)
  values (m->>'channel', m->>'thread_key', who, (m->>'trust')::smallint, 'waiting', m->>'address')
  on conflict (channel, thread_key) do update set customer_id = coalesce(c.customer_id, who), address = coalesce(excluded.address, c.address)
  returning * into talk;
  insert into messages (conversation_id, customer_id, channel, direction, author, external_id, body, kind, sent_at)
  values (talk.id, talk.customer_id, talk.channel, 'inbound', 'customer', m->>'external_id', m->>'body', m->>'kind', (m->>'sent_at')::timestamptz)
  on conflict (channel, external_id) do nothing;
  if not found then return null; end if;
  return talk;
end $$;
comment on function keep_aside(jsonb) is 'Keeps what a customer sent and nobody is to answer, such as a reaction or a sticker: in the log, without a turn. Null when it was kept before.';

create or replace function opt_out(m jsonb, farewell text) returns boolean language plpgsql as $$
declare talk conversations; knew boolean; now_at timestamptz := clock_timestamp();
begin
  talk := keep_aside(m || '{"kind": "opt_out"}');
  if talk.id is null then return false; end if;
  knew := is_suppressed(talk);
  perform suppress(talk, m->>'body');
  -- the epoch moves: a turn in the making must not speak after this
  update conversations set epoch = epoch + 1, silenced_at = now_at, waiting_since = case when handler = 'human' then waiting_since end,
         status = case when handler = 'human' then status else 'resolved' end, updated_at = now_at where id = talk.id;
  update messages set delivery = case author when 'person' then 'failed' else 'cancelled' end, delivery_error = 'they asked us to stop'
   where conversation_id = talk.id and delivery = 'pending' and (kind is distinct from 'opt_out' or not knew);
  if talk.handler = 'human' and talk.waiting_since is not null then  -- what a person owes them stays owed: there are other ways than this one
    update tickets set status = 'escalated', updated_at = now_at where conversation_id = talk.id and status in ('open', 'answered');
  else
    update tickets set status = 'resolved', resolved_at = now_at, updated_at = now_at where conversation_id = talk.id and status in ('open', 'answered');
  end if;
  if farewell is not null and not knew then
    perform add_reply(talk, 'agent', gen_random_uuid(), null, jsonb_build_object('bodies', jsonb_build_array(farewell), 'kind', 'opt_out', 'delivery', 'pending'));
  end if;
  return true;
end $$;
comment on function opt_out(jsonb, text) is 'A customer wants no more of us here: it is kept, what was on its way is not sent, and nothing is from now on but the farewell that says so, once (null: the vendor has said it). False when it was kept before.';

create or replace function opt_in(m jsonb) returns void language plpgsql as $$
declare since timestamptz; talk conversations; now_at timestamptz := clock_timestamp();
begin
  select suppressed_at into since from customer_identifiers
   where kind = m->'customer'->>'kind' and value = m->'customer'->>'value' and suppressed_at is not null for update;
  if not found then return; end if;
  update customer_identifiers set suppressed_at = null, suppressed_why = null
   where kind = m->'customer'->>'kind' and value = m->'customer'->>'value';
  -- who went to a person only because nothing could be sent has the agent again, unless a person has spoken
  select * into talk from conversations where channel = m->>'channel' and thread_key = m->>'thread_key' for update;
  if talk.handler = 'human' and exists (select from turns t where t.conversation_id = talk.id and t.error = 'limit: opted_out' and t.started_at > since)
     and not exists (select from messages p where p.conversation_id = talk.id and p.author = 'person' and p.sent_at > since) then
    update tickets set status = 'open', person_due_at = null, updated_at = now_at where conversation_id = talk.id and status = 'escalated';
    update conversations set handler = 'agent', epoch = epoch + 1, updated_at = now_at where id = talk.id;
    update messages set delivery = 'cancelled', delivery_error = 'the assistant has it again'
     where conversation_id = talk.id and author = 'agent' and delivery = 'pending' and kind = 'handoff';
  end if;
end $$;
comment on function opt_in(jsonb) is 'A customer wants to hear from us again, and whom the agent had given to a person only because it could not write to them, it has again. The caller holds the lane.';

create or replace function store_missed(m jsonb, quiet interval, quiet_cap interval, late_after interval, prefix text) returns boolean language plpgsql as $$
declare added bigint; lane_name text := (m->>'channel') || ':' || (m->>'thread_key');
begin
  added := add_work(lane_name, 'inbound', 1, (m->>'channel') || ':' || (m->>'external_id'), m, quiet, quiet_cap);
  if added is null then return false; end if;
  if (m->>'sent_at')::timestamptz < clock_timestamp() - late_after then
    perform call_before_turn(m, m->>'thread_key', 'late', 'It was sent ' || (m->>'sent_at') || ' and reached us only now.', prefix);
  end if;
  return true;
end $$;
comment on function store_missed(jsonb, interval, interval, interval, text) is 'Takes in a message that the vendor has and never brought to us; a person is called at once where it is too old for a machine''s answer. False when it is here already.';

create or replace function remind_windows(ahead interval) returns int language plpgsql as $$
declare due record; closes timestamptz; reminded int := 0;
begin
  for due in
    select c.id from conversations c join channel_configs g using (channel)
     where g.reply_window is not null and c.handler = 'human' and c.waiting_since is not null and not c.is_test
       and not is_suppressed(c) and free_until(c) between clock_timestamp() and clock_timestamp() + ahead order by c.id
  loop
    -- who has the conversation in hand may be answering it: it is looked at again in a few minutes
    perform from conversations where id = due.id for update skip locked;
    continue when not found;
    select free_until(c) into closes from conversations c where c.id = due.id and c.handler = 'human' and c.waiting_since is not null;
    continue when closes is null or closes > clock_timestamp() + ahead;  -- answered meanwhile, or they wrote again
    update tickets set reminded_at = clock_timestamp(), updated_at = clock_timestamp(), person_due_at = least(person_due_at, closes),
           priority = greatest(priority, 8), priority_why = case when priority < 8 then 'window_closes' else priority_why end,
           handoff_note = concat_ws(E'\n', nullif(handoff_note, ''),
             'Answer before ' || to_char(closes at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC: later only an approved template reaches them here.')
     where id = (select t.id from tickets t where t.conversation_id = due.id and t.status = 'escalated' order by t.created_at desc limit 1)
       and (reminded_at is null or reminded_at < closes - ahead);
    if found then reminded := reminded + 1; end if;
  end loop;
  return reminded;
end $$;
comment on function remind_windows(interval) is 'Reminds the owners of conversations whose customer waits for a person and can be written to freely only for so long: once per window, in the ticket, whose due time is then the end of the window at the latest. How many that were.';
