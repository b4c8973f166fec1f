-- What a mailbox holds becomes work, or is only kept.

create or replace function place_mail(m jsonb) returns text language plpgsql as $$
declare key text; sender text := m->'customer'->>'value'; trusted boolean := (m->>'trust')::int > 0;
begin
  -- an answer to a mail of ours, by the one it was sent to
  select c.thread_key into key from jsonb_array_elements_text(m->'tokens') with ordinality t (token, place)
    join messages o on o.idempotency_token = t.token::uuid and o.channel = 'gmail'
    join conversations c on c.id = o.conversation_id and (trusted or c.trust = 0)
   where substr(c.thread_key, strpos(c.thread_key, ':') + 1) = sender
   order by t.place desc limit 1;
  if found then return key; end if;
  key := (m->>'thread_id') || ':' || sender;
  -- whoever only claims to be somebody does not speak in that somebody's conversation
  if not trusted and exists (select from conversations where channel = 'gmail' and thread_key = key and trust > 0) then
    key := (m->>'thread_id') || '?:' || sender;
  end if;
  return key;
end $$;
comment on function place_mail(jsonb) is 'The conversation a customer''s mail belongs to: the one that one of our own Message-IDs it names belongs to, else the one of its Gmail thread, thread:address; in both only with the same sender. Mail nobody vouches for never joins a conversation with somebody who was vouched for: it goes to thread?:address.';

create or replace function store_mail(m jsonb, in_raw bytea, quiet interval, quiet_cap interval, prefix text) returns text language plpgsql as $$
declare key text; trust int := (m->>'trust')::int; verdict text := m->>'verdict'; talk conversations;
begin
  if verdict in ('customer', 'late') and is_to_team(m) then
    verdict := 'own';
    m := m || '{"why": "answers a mail to the team", "tokens": []}';
  end if;
  insert into mails (id, thread_id, message_id, verdict, why, arrived_at, raw)
  values (m->>'id', m->>'thread_id', m->>'message_id', verdict, m->>'why', (m->>'arrived_at')::timestamptz, in_raw)
  on conflict (id) do nothing;
  if not found then return 'known'; end if;
  if verdict in ('customer', 'late') then
    key := place_mail(m);
    update mails set thread_key = key where id = m->>'id';
    select * into talk from conversations where channel = 'gmail' and thread_key = key;
    perform add_work('gmail:' || key, 'inbound', 1, 'gmail:' || (m->>'id'), jsonb_build_object(
      'version', 1, 'channel', 'gmail', 'thread_key', key, 'external_id', m->>'id', 'body', m->>'body', 'subject', m->>'subject',
      'category', null, 'sent_at', m->>'arrived_at', 'customer', m->'customer',
      -- a proven sender who has a mail of ours is the one we wrote to
      'trust', trust + (trust = 1 and exists (
        select from messages o join jsonb_array_elements_text(m->'tokens') t on o.idempotency_token = t::uuid where o.conversation_id = talk.id))::int),
      quiet, quiet_cap);
    if verdict = 'late' then
      perform call_before_turn(m, key, 'late', 'It came ' || (m->>'arrived_at') || ' and could not be read until now.', prefix);
    elsif talk.id is null and exists (select from mails x where x.thread_id = m->>'thread_id' and x.verdict = 'person') then
      perform call_before_turn(m, key, 'taken_over', 'Somebody of the team began this thread in Gmail.', prefix);
    end if;
  elsif verdict = 'bounce' then
    perform bounce_mail(m, prefix);
  elsif verdict = 'own' then
    perform record_status(jsonb_build_object('channel', 'gmail', 'vendor_id', m->>'id', 'token', t.token, 'status', 'sent', 'payload', null, 'prefix', prefix))
       from jsonb_array_elements_text(m->'tokens') t (token) limit 1;
  elsif verdict = 'person' then
    perform keep_typed_reply(m, prefix);
  end if;
  return 'stored';
end $$;
comment on function store_mail(jsonb, bytea, interval, interval, text) is 'Keeps a mail and does what follows from its verdict: a customer''s is queued, a bounce fails the message it is about, our own one proves that it was sent, one that somebody typed in Gmail silences the agent. known: it was kept before, and nothing happens twice.';

create or replace function call_before_turn(m jsonb, key text, reason text, note text, prefix text) returns void language plpgsql as $$
declare from_channel text := coalesce(m->>'channel', 'gmail'); wrote_at timestamptz := coalesce(m->>'arrived_at', m->>'sent_at')::timestamptz; talk conversations;
begin
  insert into conversations as c (channel, thread_key, customer_id, subject, trust, waiting_since, address)
  values (from_channel, key, resolve_customer(m->'customer'), m->>'subject', (m->>'trust')::smallint, wrote_at, m->>'address')
  on conflict (channel, thread_key) do update set address = coalesce(excluded.address, c.address) returning * into talk;
  perform call_person(talk.id, reason, note, prefix);
  -- they wait for an answer to this, not to what was taken up before
  update conversations set waiting_since = least(talk.waiting_since, wrote_at) where id = talk.id;
end $$;
comment on function call_before_turn(jsonb, text, text, text, text) is 'A person has a message before the agent could take it up: it is too old for a machine''s answer, or the thread is a person''s.';

create or replace function bounce_mail(m jsonb, prefix text) returns void language plpgsql as $$
declare about messages; talk conversations;
begin
  select o.* into about from messages o
   where o.channel = 'gmail' and o.direction = 'outbound' and (
           o.idempotency_token in (select t::uuid from jsonb_array_elements_text(m->'tokens') t)
           or o.vendor_id in (select x.id from mails x where x.message_id = m->>'about'))
   order by o.created_at desc limit 1;
  if not found then
    perform note_returned(m);
    return;
  end if;
  select * into talk from conversations where id = about.conversation_id;
  update mails set thread_key = talk.thread_key where id = m->>'id';
  -- for good, and about the one it was sent to: anybody may have it forwarded to an address that does not exist
  if (m->>'status' like '5%' or m->>'status' = '')
     and coalesce(m->>'recipient', '') in ('', substr(talk.thread_key, strpos(talk.thread_key, ':') + 1)) then
    perform record_status(jsonb_build_object('channel', 'gmail', 'vendor_id', coalesce(about.vendor_id, 'bounced-' || (m->>'id')),
      'token', about.idempotency_token, 'status', 'failed', 'error', 'it came back ' || (m->>'status'),
      'payload', jsonb_build_object('mail', m->>'id'), 'prefix', prefix));
  end if;
end $$;
comment on function bounce_mail(jsonb, text) is 'A mail of ours came back: for good (status 5.x.x) its message has failed and a person is called; for now, or for somebody it was passed on to, the bounce is only kept.';

create or replace function keep_typed_reply(m jsonb, prefix text) returns void language plpgsql as $$
declare key text; talk conversations; said messages; ticket tickets;
begin
  -- whoever of the thread it is written to; a word to somebody else, such as a colleague, answers no customer
  select x.thread_key into key from mails x
   where x.thread_id = m->>'thread_id' and x.verdict in ('customer', 'late')
     and substr(x.thread_key, strpos(x.thread_key, ':') + 1) in (select jsonb_array_elements_text(m->'to'))
   order by x.arrived_at desc limit 1;
  if not found then return; end if;
  insert into conversations (channel, thread_key, subject, waiting_since) values ('gmail', key, m->>'subject', null)
  on conflict (channel, thread_key) do nothing;  -- the agent had not come to it yet
  select * into talk from conversations where channel = 'gmail' and thread_key = key for update;
  update mails set thread_key = key where id = m->>'id';
  ticket := find_or_open_ticket(talk, prefix);
  perform supersede_drafts(talk.id);
  perform silence_agent(talk.id);
  insert into messages (conversation_id, customer_id, channel, direction, author, body, kind, idempotency_token, reply_id, delivery, vendor_id, sent_at)
  values (talk.id, talk.customer_id, 'gmail', 'outbound', 'person', m->>'body', 'answer', gen_random_uuid(), gen_random_uuid(), 'sent', m->>'id',
          clock_timestamp())  -- it answers what was read before it, whatever the clocks say
  returning * into said;
  perform settle_wait(said);
  update conversations set status = 'waiting', snoozed_until = null, updated_at = clock_timestamp() where id = talk.id;
  update tickets set status = 'answered', resolved_at = null, updated_at = clock_timestamp(), first_response_met_at = coalesce(first_response_met_at, said.sent_at)
   where id = ticket.id;
end $$;
comment on function keep_typed_reply(jsonb, text) is 'Somebody of the team answered in Gmail itself: that is what the customer got, and the agent is silent from then on.';

create or replace function advance_cursor(in_channel text, reached text) returns void language sql as $$
  update channel_configs set synced_at = clock_timestamp(), red_since = null, red_reason = null, updated_at = clock_timestamp(),
         cursor = greatest(cursor::numeric, reached::numeric)::text  -- Gmail's ids may have more than 64 bits
   where channel = in_channel
$$;
comment on function advance_cursor(text, text) is 'The channel was read up to here, and the vendor lets us read it. Never goes back.';

create or replace function turn_red(in_channel text, reason text) returns void language sql as $$
  update channel_configs set red_since = coalesce(red_since, clock_timestamp()), red_reason = reason, updated_at = clock_timestamp()
   where channel = in_channel and red_reason is distinct from reason
$$;
comment on function turn_red(text, text) is 'The vendor refuses us until somebody does something about it.';

create or replace function stop_reading(in_channel text) returns void language sql as $$
  update channel_configs set synced_at = null, red_since = null, red_reason = null, updated_at = clock_timestamp()
   where channel = in_channel and (synced_at is not null or red_since is not null)
$$;
comment on function stop_reading(text) is 'Nobody reads the channel here any more: no alarm follows from that. Its cursor stays, for when somebody does again.';
