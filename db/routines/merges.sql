-- Two customers who are one person. What moves is written down, so that it can be moved back exactly.

create or replace function address_of(talk conversations) returns text language sql immutable as $$
  select case talk.channel when 'web' then talk.claimed_email
                           when 'gmail' then substr(talk.thread_key, strpos(talk.thread_key, ':') + 1)
                           else talk.thread_key end
$$;
comment on function address_of(conversations) is 'The identifier by which a conversation found its customer; null of web forms of before it was kept.';

create or replace function customer_now(in_customer uuid) returns uuid language plpgsql stable as $$
declare one uuid := in_customer; next uuid;
begin
  loop
    select kept_id into next from customer_merges where merged_id = one and state = 'merged';
    if not found then return one; end if;
    one := next;
  end loop;
end $$;
comment on function customer_now(uuid) is 'Who a customer is by now: themselves, or whom they were merged into.';

create or replace function is_merged(in_customer uuid) returns boolean language sql stable as $$
  select exists (select from customer_merges where kept_id = in_customer and state = 'merged')
$$;
comment on function is_merged(uuid) is 'Whether a person has said that this customer is also somebody we knew as another.';

create or replace function find_customer_by(other text) returns uuid language sql stable as $$
  select coalesce(
    (select customer_id from customer_identifiers where kind in ('email', 'phone', 'whatsapp') and value in (other, lower(other)) order by kind limit 1),
    (select c.customer_id from tickets t join conversations c on c.id = t.conversation_id where t.reference = upper(other)))
$$;
comment on function find_customer_by(text) is 'Whose this address or ticket reference is; null: nobody''s.';

create or replace function hold_customers(one uuid, other uuid) returns void language plpgsql as $$
begin
  -- in the one order of all: the addresses before the conversations. No turn begins for either of them meanwhile
  perform from customers where id in (one, other) order by id for update;
  perform from customer_identifiers where customer_id in (one, other) order by kind, value for update;
  perform from csat where customer_id in (one, other) order by id for update;
  perform from conversations where customer_id in (one, other) order by id for update;
end $$;
comment on function hold_customers(uuid, uuid) is 'Locks two customers with their addresses and conversations.';

create or replace function move_customer(giver uuid, taker uuid, addresses text[], talks uuid[]) returns void language plpgsql as $$
begin
  update customer_identifiers set customer_id = taker where customer_id = giver and kind || ':' || value = any(addresses);
  update conversations set customer_id = taker where id = any(talks) and customer_id = giver;
  update tickets set customer_id = taker where conversation_id = any(talks) and customer_id = giver;
  update messages set customer_id = taker where conversation_id = any(talks) and customer_id = giver;
  update csat set customer_id = taker where conversation_id = any(talks) and customer_id = giver;
  -- a turn in the making has read what it may no longer read, or less than it may now: it begins anew
  update conversations set epoch = epoch + 1 where customer_id in (giver, taker);
end $$;
comment on function move_customer(uuid, uuid, text[], uuid[]) is 'Gives addresses (kind:value) and conversations, with all that is in them, to another customer, and makes turns of both begin anew. The caller holds both.';

create or replace function say_addresses(addresses text[]) returns text language sql immutable as $$
  select coalesce(string_agg(substr(one, strpos(one, ':') + 1), ', ' order by one), 'somebody without an address') from unnest(addresses) one
$$;
comment on function say_addresses(text[]) is 'Addresses (kind:value) as people read them.';

create or replace function find_merge(in_conversation uuid, in_merge uuid) returns customer_merges language plpgsql as $$
declare m customer_merges; whose uuid;
begin
  select * into m from customer_merges where id = in_merge for update;
  select customer_id into whose from conversations where id = in_conversation;
  if whose in (customer_now(m.kept_id), customer_now(m.merged_id)) then return m; end if;
  return null;
end $$;
comment on function find_merge(uuid, uuid) is 'A merge, locked, that the customer of this conversation is a part of; else null.';

create or replace function propose_merge(in_conversation uuid, other text, in_reason text, who jsonb) returns jsonb language plpgsql as $$
declare talk conversations; meant uuid; made uuid;
begin
  select * into talk from conversations where id = in_conversation;
  if not found then return jsonb_build_object('outcome', 'missing'); end if;
  if talk.customer_id is null then return jsonb_build_object('outcome', 'nobody'); end if;
  meant := find_customer_by(other);
  if meant is null then return jsonb_build_object('outcome', 'stranger'); end if;
  if meant = talk.customer_id then return jsonb_build_object('outcome', 'same'); end if;
  insert into customer_merges (kept_id, merged_id, reason, proposed_by) values (talk.customer_id, meant, in_reason, who->>'name')
  on conflict (least(kept_id, merged_id), greatest(kept_id, merged_id)) where state = 'proposed' do nothing returning id into made;
  if made is null then return jsonb_build_object('outcome', 'proposed'); end if;
  perform note_audit(who, 'proposed a merge', 'customer:' || talk.customer_id, jsonb_build_object('merge', made, 'with', meant, 'conversation', talk.id));
  return jsonb_build_object('outcome', 'accepted', 'merge', made);
end $$;
comment on function propose_merge(uuid, text, text, jsonb) is 'Says that the customer of a conversation and whoever has another address or ticket are one person; nothing moves. {outcome, merge}: accepted, proposed (it was already), same (they are one customer), stranger (nobody has it), nobody (the conversation has no customer yet) or missing.';

create or replace function accept_merge(in_conversation uuid, in_merge uuid, who jsonb) returns text language plpgsql as $$
declare m customer_merges := find_merge(in_conversation, in_merge); moved text[]; talks uuid[];
begin
  if m.id is null then return 'missing'; end if;
  if who->>'kind' = 'key' then return 'machine'; end if;
  if m.state <> 'proposed' then return 'decided'; end if;
  perform hold_customers(m.kept_id, m.merged_id);
  if exists (select from customer_merges where state = 'merged' and merged_id in (m.kept_id, m.merged_id)) then return 'outdated'; end if;
  moved := array(select kind || ':' || value from customer_identifiers where customer_id = m.merged_id order by 1);
  talks := array(select id from conversations where customer_id = m.merged_id order by id);
  update customer_merges set state = 'merged', decided_by = who->>'name', decided_at = clock_timestamp(), identifiers = moved, conversations = talks
   where id = m.id;
  perform move_customer(m.merged_id, m.kept_id, moved, talks);
  perform note_audit(who, 'merged customers', 'customer:' || m.kept_id, jsonb_build_object(
    'merge', m.id, 'merged', m.merged_id, 'identifiers', cardinality(moved), 'conversations', cardinality(talks)));
  insert into notes (conversation_id, author, body)
  values (in_conversation, who->>'name', concat_ws(': ', 'Merged: one person with ' || say_addresses(moved), nullif(m.reason, '')));
  return 'accepted';
end $$;
comment on function accept_merge(uuid, uuid, jsonb) is 'The two are one person from now on: all of the one is the other''s. accepted, decided (somebody was faster), outdated (one of them is part of somebody else by now), machine (only a person may) or missing.';

create or replace function decline_merge(in_conversation uuid, in_merge uuid, who jsonb) returns text language plpgsql as $$
declare m customer_merges := find_merge(in_conversation, in_merge);
begin
  if m.id is null then return 'missing'; end if;
  if m.state <> 'proposed' then return 'decided'; end if;
  update customer_merges set state = 'declined', decided_by = who->>'name', decided_at = clock_timestamp() where id = m.id;
  perform note_audit(who, 'declined a merge', 'customer:' || m.kept_id, jsonb_build_object('merge', m.id, 'with', m.merged_id));
  return 'accepted';
end $$;
comment on function decline_merge(uuid, uuid, jsonb) is 'They are two. accepted, decided (somebody was faster) or missing.';

create or replace function undo_merge(in_conversation uuid, in_merge uuid, who jsonb) returns text language plpgsql as $$
declare m customer_merges := find_merge(in_conversation, in_merge); talks uuid[];
begin
  if m.id is null then return 'missing'; end if;
  if m.state <> 'merged' then return 'decided'; end if;
  perform hold_customers(m.kept_id, m.merged_id);
  if exists (select from customer_merges where state = 'merged' and merged_id = m.kept_id) then return 'chained'; end if;
  -- what came since by an address that moved is whose the address is
  talks := m.conversations || array(
    select c.id from conversations c
     where c.customer_id = m.kept_id and c.id <> all(m.conversations)
       and address_of(c) in (select substr(one, strpos(one, ':') + 1) from unnest(m.identifiers) one));
  update customer_merges set state = 'undone', undone_by = who->>'name', undone_at = clock_timestamp() where id = m.id;
  perform move_customer(m.kept_id, m.merged_id, m.identifiers, talks);
  -- what was said is said; what waits for somebody's approval may tell one of them of the other
  update drafts d set note = concat_ws(E'\n', d.note, 'Written while this customer was merged with another, which was undone: it may tell of the other one.')
    from conversations c where c.customer_id in (m.kept_id, m.merged_id) and d.conversation_id = c.id
     and d.state = 'pending' and d.source <> 'correction' and d.created_at >= m.decided_at;
  update draft_requests r set state = 'dropped', ended_at = clock_timestamp()
    from conversations c where c.customer_id in (m.kept_id, m.merged_id) and r.conversation_id = c.id and r.state = 'open';
  perform note_audit(who, 'undid a merge', 'customer:' || m.kept_id, jsonb_build_object(
    'merge', m.id, 'merged', m.merged_id, 'identifiers', cardinality(m.identifiers), 'conversations', cardinality(talks)));
  insert into notes (conversation_id, author, body)
  values (in_conversation, who->>'name', 'The merge with ' || say_addresses(m.identifiers) || ' is undone: they are two.');
  return 'accepted';
end $$;
comment on function undo_merge(uuid, uuid, jsonb) is 'They were two after all: what moved goes back, and what came since by the addresses that moved goes with them. accepted, decided (it is not in force), chained (the customer who was kept has been merged further: undo that first) or missing.';
