-- What the agent remembers of a conversation beside its newest messages, and what it no longer does.

create or replace function list_unsummarised(talk conversations) returns setof messages language sql stable as $$
  select m.* from messages m
   where m.conversation_id = talk.id
     and m.sent_at >= coalesce(greatest(talk.context_from, (select t.sent_at from messages t where t.id = talk.summary_through)), '-infinity')
     and (talk.summary_through is null or (m.sent_at, m.id) > (select t.sent_at, t.id from messages t where t.id = talk.summary_through))
     and m.delivery is distinct from 'cancelled' and m.kind is distinct from 'csat' and (m.direction = 'outbound' or m.kind is null)
$$;
comment on function list_unsummarised(conversations) is 'The messages of a conversation that the agent may read and its summary does not hold.';

create or replace function queue_summary(in_conversation uuid) returns void language sql as $$
  select add_work('summary:' || c.id, 'summarise', 2, 'summarise:' || c.id, jsonb_build_object('version', 1, 'conversation_id', c.id))
    from conversations c where c.id = in_conversation and exists (select from list_unsummarised(c) offset 20)
$$;
comment on function queue_summary(uuid) is 'Queues the summary of a conversation of which it lacks more than 20 messages, unless that waits already.';

create or replace function newest_word(in_conversation uuid) returns messages language sql stable as $$
  select * from messages where conversation_id = in_conversation and direction = 'outbound' and delivery is distinct from 'cancelled' and kind is distinct from 'csat'
   order by sent_at desc, id desc limit 1
$$;
comment on function newest_word(uuid) is 'What the customer was told last, its last part.';

create or replace function leave_past(in_conversation uuid, over_at timestamptz) returns conversations language sql as $$
  -- what was said last is what they will come back to, unless it only named who would see to it
  update conversations c set summary = '', summary_through = null, summary_by = null, settled_at = null,
         context_from = greatest(c.context_from, case when w.kind in ('handoff', 'opt_out') then over_at else coalesce(
           (select min(p.sent_at) from messages p where p.conversation_id = c.id and p.reply_id = w.reply_id), w.sent_at, over_at) end)
    from newest_word(in_conversation) w where c.id = in_conversation returning c.*
$$;
comment on function leave_past(uuid, timestamptz) is 'A matter is over: of all that was said until then the agent reads no more than our last word on it. Returns the conversation as it is now.';
