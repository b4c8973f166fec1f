-- Were they content: whom to ask, once, and what they answered.

create or replace function list_to_ask() returns table (conversation_id uuid, ticket_id uuid, channel text, language text, about text)
language sql stable as $$
  select c.id, k.id, c.channel, coalesce(c.language, 'en'), case when s.by_person then 'person' else 'agent' end
    from conversations c join channel_configs g on g.channel = c.channel and g.asks_csat and g.is_on
    left join lateral (select * from tickets t where t.conversation_id = c.id order by t.status = 'resolved', t.created_at desc limit 1) k on true
    cross join lateral (  -- whoever heard nothing from us has nothing to judge
      select count(*) as answers, bool_or(m.author = 'person') as by_person from messages m
       where m.conversation_id = c.id and m.direction = 'outbound' and m.delivery in ('sent', 'delivered', 'read')
         and m.kind not in ('handoff', 'opt_out', 'csat') and m.sent_at >= coalesce(k.created_at, c.settled_at - interval '7 days')) s
   where c.status = 'resolved' and not c.is_test and c.waiting_since is null and s.answers > 0 and not is_suppressed(c)
     and coalesce(k.status, 'resolved') = 'resolved'
     -- a few minutes later, for they may not be done; and not of what was over long ago
     and coalesce(k.resolved_at, c.settled_at) between now() - interval '1 day' and now() - interval '5 minutes'
     and (free_until(c) is null or free_until(c) > now() + interval '5 minutes')
     and not exists (select from message_queue q where q.lane = c.channel || ':' || c.thread_key and q.kind = 'inbound')
     and not exists (select from csat a where a.ticket_id = k.id)
     and not exists (select from csat a where a.asked_at > now() - interval '7 days' and (a.conversation_id = c.id or a.customer_id = c.customer_id))
$$;
comment on function list_to_ask() is 'Whose matter was resolved in the last day by an answer of ours, and who may be asked how content they are: about says whose answer it was.';

create or replace function ask_csat(in_conversation uuid, in_id uuid, question text) returns boolean language plpgsql as $$
declare talk conversations; one record;
begin
  select * into talk from conversations where id = in_conversation for update;
  perform pg_advisory_xact_lock(hashtextextended('csat:' || coalesce(talk.customer_id, talk.id), 0));  -- two conversations of one customer
  select * into one from list_to_ask() l where l.conversation_id = talk.id;
  if not found then return false; end if;  -- they wrote again, or were asked
  insert into csat (id, conversation_id, customer_id, ticket_id, channel, about, language)
  values (in_id, talk.id, talk.customer_id, one.ticket_id, talk.channel, one.about, one.language);
  if talk.channel <> 'web' then  -- the ticket page asks by itself
    perform add_reply(talk, 'agent', in_id, null, jsonb_build_object('bodies', jsonb_build_array(question), 'kind', 'csat', 'delivery', 'pending'));
  end if;
  return true;
end $$;
comment on function ask_csat(uuid, uuid, text) is 'Asks a customer how content they are, in these words; on the web the ticket page does it. False where they are not to be asked any more.';

create or replace function keep_score(in_id uuid, in_score int, in_comment text) returns text language plpgsql as $$
declare was csat;
begin
  select * into was from csat where id = in_id for update;
  if not found then return 'missing'; end if;
  if coalesce(was.answered_at + interval '7 days', was.asked_at + interval '30 days') < clock_timestamp() then return 'closed'; end if;
  update csat set score = in_score, comment = coalesce(nullif(in_comment, ''), comment), answered_at = coalesce(answered_at, clock_timestamp()),
         changed_at = case when was.answered_at is not null then clock_timestamp() end where id = in_id;
  update conversations set updated_at = clock_timestamp() where id = was.conversation_id;
  return 'accepted';
end $$;
comment on function keep_score(uuid, int, text) is 'What a customer answered; an empty comment leaves the one there is. For 30 days, and after the first answer for a week. accepted, closed or missing.';

create or replace function count_csat(since timestamptz) returns table (channel text, about text, average double precision, n bigint) language sql stable as $$
  select coalesce(s.channel, 'total'), s.about, avg(s.score)::float8, count(*) from csat s join conversations c on c.id = s.conversation_id and not c.is_test
   where s.score is not null and s.answered_at >= since group by grouping sets ((s.channel, s.about), (s.about))
$$;
comment on function count_csat(timestamptz) is 'Marks given since then, by channel and in total, of the agent and of people apart.';
