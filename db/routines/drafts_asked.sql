-- Drafts that somebody of the team asks the agent for. Locks in one order: conversation, lane, request, turn, budgets.

create or replace function ask_for_draft(in_conversation uuid, who jsonb) returns text language plpgsql as $$
declare talk conversations; asked uuid;
begin
  select * into talk from conversations where id = in_conversation for update;
  if not found then return 'missing'; end if;
  if is_suppressed(talk) then return 'suppressed'; end if;
  if not exists (select from messages where conversation_id = talk.id and direction = 'inbound' and kind is null) then return 'unread'; end if;
  update draft_requests r set state = 'failed', ended_at = clock_timestamp() where r.conversation_id = talk.id and is_forsaken(r);
  if exists (select from draft_requests where conversation_id = talk.id and state = 'open')
     or exists (select from drafts where conversation_id = talk.id and state = 'pending' and source <> 'correction') then return 'repeated'; end if;
  insert into draft_requests (conversation_id, asked_by) values (talk.id, who->>'name') returning id into asked;
  perform add_work('draft:' || talk.id, 'draft', 1, 'draft:' || asked, jsonb_build_object('version', 1, 'request_id', asked));
  perform note_audit(who, 'asked for a draft', 'conversation:' || talk.id, jsonb_build_object('request', asked));
  return 'accepted';
end $$;
comment on function ask_for_draft(uuid, jsonb) is 'Queues a draft of the agent''s for whoever asks: nothing is sent, and nothing else of the conversation changes. accepted, repeated (one is there, or being written), suppressed, unread (no word of the customer has been taken up yet) or missing.';

create or replace function is_forsaken(r draft_requests) returns boolean language sql stable as $$
  select r.state = 'open' and not exists (select from message_queue where dedupe_key = 'draft:' || r.id)
$$;
comment on function is_forsaken(draft_requests) is 'Whether nobody will write it any more: its work was given up as a dead letter.';

create or replace function open_draft_turn(in_lane text, in_token bigint, requests uuid[], in_newest bigint, in_prompt text) returns jsonb language plpgsql as $$
declare asked draft_requests; talk conversations; running turns; fresh boolean := false; heard bigint;
begin
  perform from conversations where id in (select r.conversation_id from draft_requests r where r.id = any(requests)) for update;
  perform from lanes where lane = in_lane and token = in_token for update;
  if not found then return null; end if;
  select * into asked from draft_requests where id = any(requests) and state = 'open' for update;
  if not found then return '{}'; end if;
  select * into talk from conversations where id = asked.conversation_id;
  heard := count_said(talk);
  perform return_reserve(r.id) from turns r where r.lane = in_lane and r.state = 'running';
  -- steps that a crash left behind are of use only while the conversation is the one they read
  update turns set token = in_token, attempts = attempts + 1, prompt_version = in_prompt
   where lane = in_lane and state = 'running' and newest = in_newest and asked.said = heard returning * into running;
  if not found then
    update turns set state = 'abandoned', finished_at = clock_timestamp() where lane = in_lane and state = 'running';
    insert into turns (conversation_id, customer_id, lane, newest, token, epoch, prompt_version)
    values (talk.id, talk.customer_id, in_lane, in_newest, in_token, talk.epoch, in_prompt) returning * into running;
    update draft_requests set said = heard where id = asked.id;
    fresh := true;
  end if;
  return jsonb_build_object('thread_key', talk.thread_key, 'turn', jsonb_build_object(
    'turn_id', running.id, 'attempts', running.attempts, 'conversation_id', talk.id, 'customer_id', talk.customer_id,
    'epoch', talk.epoch, 'handler', talk.handler,
    'trust', case when talk.channel = 'gmail' then 0 else talk.trust end,  -- others may write in a thread of mails, and whose words were whose is not kept
    'plan', talk.plan, 'language', talk.language,
    'sentiment', talk.sentiment, 'summary', talk.summary, 'subject', talk.subject, 'is_test', talk.is_test, 'is_suppressed', is_suppressed(talk),
    -- whoever only claims an address is not told what its owner is called
    'customer_name', case when talk.trust >= 1 then (select name from customers where id = talk.customer_id) end,
    'config', (select to_jsonb(g) from channel_configs g where g.channel = talk.channel),
    'ticket', (select to_jsonb(k) from tickets k where k.conversation_id = talk.id and k.status <> 'resolved' order by k.created_at desc limit 1),
    'history', (select coalesce(jsonb_agg(to_jsonb(h) order by h.sent_at, h.id), '[]') from (
        select m.id, m.author, m.body, m.kind, m.citations, m.sent_at from messages m
         where m.conversation_id = talk.id and m.sent_at >= coalesce(talk.context_from, '-infinity')
           and m.delivery is distinct from 'cancelled' and m.kind is distinct from 'csat' and (m.direction = 'outbound' or m.kind is null)
         order by m.sent_at desc, m.id desc limit 12) h),
    'steps', (select coalesce(jsonb_agg(to_jsonb(s) order by s.step), '[]') from turn_steps s where s.turn_id = running.id and not fresh)));
end $$;
comment on function open_draft_turn(text, bigint, uuid[], bigint, text) is 'Begins or resumes the turn that writes the one of these requests that is open: {thread_key, turn}, the turn as open_turn gives it. Null when the lease was lost, {} where none of them is wanted any more.';

create or replace function end_draft_request(t jsonb) returns jsonb language plpgsql as $$
declare asked draft_requests; talk conversations; verdict text := t->>'state'; now_at timestamptz := clock_timestamp();
begin
  select * into asked from draft_requests where id in (select jsonb_array_elements_text(t->'requests')::uuid) order by state = 'open' desc limit 1;
  select * into talk from conversations where id = asked.conversation_id for update;
  perform from lanes where lane = t->>'lane' and token = (t->>'token')::bigint for update;
  if not found then return jsonb_build_object('verdict', 'lost'); end if;
  select * into asked from draft_requests where id = asked.id for update;
  perform from turns where lane = t->>'lane' and state = 'running' for update;
  if t->'last_step' <> 'null' then perform write_step((t->>'turn_id')::uuid, t->'last_step'); end if;  -- paid for, so kept whatever follows
  if asked.state <> 'open' or (verdict <> 'failed' and asked.said is distinct from count_said(talk)) then verdict := 'dropped'; end if;
  if exists (select from drafts where conversation_id = talk.id and state = 'pending' and source <> 'correction') then verdict := 'dropped'; end if;  -- one that was taken back
  if verdict = 'written' then
    insert into drafts (conversation_id, channel, category, source, body, citations, kind, turn_id, note)
    values (talk.id, talk.channel, t->>'category', 'asked', t->>'body', t->'citations', t->>'kind', (t->>'turn_id')::uuid, t->>'note');
  end if;
  update draft_requests set state = verdict, why = case when verdict <> 'dropped' then t->>'why' end, ended_at = now_at where id = asked.id and state = 'open';
  perform return_reserve(r.id) from turns r where r.lane = t->>'lane' and r.state = 'running';
  update turns set state = 'done', outcome = 'suggested', model = t->>'model', timings_ms = t->'timings_ms', input_tokens = (t->>'input_tokens')::int,
         output_tokens = (t->>'output_tokens')::int, cost_usd = (t->>'cost_usd')::numeric, error = t->>'error', finished_at = now_at
   where id = (t->>'turn_id')::uuid and state = 'running';
  update turns set state = 'abandoned', finished_at = now_at where lane = t->>'lane' and state = 'running';
  perform finish_work(t->>'lane', (t->>'token')::bigint, array(select jsonb_array_elements_text(t->'covers')::bigint));
  return jsonb_build_object('verdict', verdict, 'thread_key', talk.thread_key);
end $$;
comment on function end_draft_request(jsonb) is 'What became of a request, its draft and its turn, and the work off the queue, or nothing of it: {verdict, thread_key}. verdict: written, nothing, failed; dropped, where something was said meanwhile or it is not wanted any more; lost (another worker has the lane). Nothing is sent, and the conversation and its ticket stay as they are.';
