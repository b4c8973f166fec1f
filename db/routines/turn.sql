-- The two ends of a turn, each one round trip: what it begins with, and the one commit it ends with.

create or replace function resolve_customer(who jsonb) returns uuid language plpgsql as $$
declare known uuid; created uuid;
begin
  select customer_id into known from customer_identifiers where kind = who->>'kind' and value = who->>'value';
  if known is null then
    -- a plan that anybody may have typed holds for that form, not for whoever owns the address
    insert into customers (name, plan) values (who->>'name', case when who->>'proof' <> 'claimed' then who->>'plan' end) returning id into created;
    insert into customer_identifiers (kind, value, customer_id, proof, proven_at)
    values (who->>'kind', who->>'value', created, who->>'proof', case when who->>'proof' <> 'claimed' then now() end)
    on conflict (kind, value) do nothing returning customer_id into known;
    if known is null then  -- another lane of the same person was quicker
      delete from customers where id = created;
      select customer_id into known from customer_identifiers where kind = who->>'kind' and value = who->>'value';
    end if;
  end if;
  if who->>'proof' <> 'claimed' then
    update customer_identifiers set proof = who->>'proof', proven_at = now()
     where kind = who->>'kind' and value = who->>'value' and proof in ('claimed', who->>'proof') returning customer_id into known;
  end if;
  if who->>'proof' = 'claimed' or not found then  -- locked in any case: a merge moves it before this turn or after it
    select customer_id into known from customer_identifiers where kind = who->>'kind' and value = who->>'value' for share;
  end if;
  return known;
end $$;
comment on function resolve_customer(jsonb) is 'Finds or creates the customer behind {kind, value, proof, name, plan}; a stronger proof replaces a weaker one.';

create or replace function open_turn(t jsonb) returns jsonb language plpgsql as $$
declare
  talk conversations; who uuid; running turns; held boolean; fresh boolean := false; proven smallint;
begin
  select true into held from lanes where lane = t->>'lane' and token = (t->>'token')::bigint for update;
  if held is null then return null; end if;
  if t->'customer' <> 'null' then who := resolve_customer(t->'customer'); end if;
  insert into conversations as c (channel, thread_key, customer_id, subject, trust, plan, is_test, waiting_since, address)
  values (t->>'channel', t->>'thread_key', who, t->>'subject', (t->>'trust')::smallint, t->'customer'->>'plan',
          coalesce((t->>'is_test')::boolean, false), now(), t->>'address')
  on conflict (channel, thread_key) do update
     set customer_id = coalesce(c.customer_id, who), address = coalesce(excluded.address, c.address), plan = coalesce(c.plan, excluded.plan),
         trust = case when who is null or who = c.customer_id then greatest(c.trust, excluded.trust) else c.trust end,
         waiting_since = coalesce(c.waiting_since, case when not exists (  -- unless a person has answered this already
           select from messages m where m.conversation_id = c.id and m.author = 'person' and m.sent_at > (
             select max(q.created_at) from message_queue q where q.lane = t->>'lane' and q.id <= (t->>'newest')::bigint)) then now() end)
  returning * into talk;
  if talk.settled_at < now() - interval '1 day' then select * into talk from leave_past(talk.id, talk.settled_at); end if;
  -- what was proven of the thread counts only for what its own customer says, and only as far as this burst proves it too
  proven := case when who is distinct from talk.customer_id and who is not null then 0
                 else least(talk.trust, (t->>'trust')::smallint) end;
  update tickets set customer_id = talk.customer_id where conversation_id = talk.id and customer_id is null;
  -- mail and chats name no plan: what is known of whoever is proven to write
  if talk.plan is null and proven >= 1 then
    update conversations set plan = (select plan from customers where id = talk.customer_id) where id = talk.id returning plan into talk.plan;
  end if;

  perform return_reserve(r.id) from turns r where r.lane = t->>'lane' and r.state = 'running';
  update turns set token = (t->>'token')::bigint, attempts = attempts + 1, prompt_version = t->>'prompt_version'
   where lane = t->>'lane' and state = 'running' and newest = (t->>'newest')::bigint and epoch = talk.epoch
  returning * into running;
  if not found then
    update turns set state = 'abandoned', finished_at = clock_timestamp() where lane = t->>'lane' and state = 'running';
    insert into turns (conversation_id, customer_id, lane, newest, token, epoch, prompt_version)
    values (talk.id, talk.customer_id, t->>'lane', (t->>'newest')::bigint, (t->>'token')::bigint, talk.epoch, t->>'prompt_version')
    returning * into running;
    fresh := true;
  end if;
  return jsonb_build_object(
    'turn_id', running.id, 'attempts', running.attempts, 'conversation_id', talk.id, 'customer_id', talk.customer_id,
    'epoch', talk.epoch, 'handler', talk.handler, 'trust', proven, 'plan', talk.plan, 'language', talk.language,
    'sentiment', talk.sentiment, 'summary', talk.summary, 'subject', talk.subject, 'is_test', talk.is_test,
    'is_suppressed', is_suppressed(talk),
    -- whoever only claims an address is called what they call themselves, not what its owner is called
    'customer_name', case when proven >= 1 or t->'customer' = 'null' then (select name from customers where id = talk.customer_id)
                          else t->'customer'->>'name' end,
    'spent_today_usd', 0, 'spent_here_usd', 0,  -- for workers of the last version, until a deploy is through: budgets are reserved now
    'config', (select to_jsonb(g) from channel_configs g where g.channel = talk.channel),
    'ticket', (select to_jsonb(k) from tickets k where k.conversation_id = talk.id and k.status <> 'resolved'
                order by k.created_at desc limit 1),
    'history', (select coalesce(jsonb_agg(to_jsonb(h) order by h.sent_at, h.id), '[]') from (
        select m.id, m.author, m.body, m.kind, m.citations, m.sent_at from messages m
         where m.conversation_id = talk.id and m.sent_at >= coalesce(talk.context_from, '-infinity')
           and m.delivery is distinct from 'cancelled' and m.kind is distinct from 'csat' and (m.direction = 'outbound' or m.kind is null)
           and (m.external_id is null or not (t->'covers_external') ? m.external_id)
         order by m.sent_at desc, m.id desc limit 12) h),
    'steps', (select coalesce(jsonb_agg(to_jsonb(s) order by s.step), '[]') from turn_steps s where s.turn_id = running.id and not fresh));
end $$;
comment on function open_turn(jsonb) is 'Begins or resumes the turn of a claimed lane: who writes, what was said, what the channel allows, and after a crash the steps already taken. Null when the lease was lost.';

create or replace function write_step(in_turn uuid, s jsonb) returns void language sql as $$
  with written as (
    insert into turn_steps (turn_id, step, model, items, results, effects, passages, usage, cost_usd, latency_ms, request_id, error, reserved_usd)
    values (in_turn, (s->>'step')::smallint, s->>'model', s->'items', s->'results', s->'effects', s->'passages', nullif(s->'usage', 'null'),
            (s->>'cost_usd')::numeric, (s->>'latency_ms')::real, s->>'request_id', s->>'error', (s->>'reserved_usd')::numeric)
    on conflict (turn_id, step) do nothing returning cost_usd, reserved_usd, error),
  settled as (
    update turns t set reserved_usd = greatest(t.reserved_usd - w.reserved_usd, 0) from written w where t.id = in_turn and w.reserved_usd is not null)
  -- an answer nobody counted may have cost all that was set aside for it
  select charge_budgets(t.conversation_id, t.customer_id, coalesce(w.cost_usd, case when w.error is null then w.reserved_usd end, 0) - coalesce(w.reserved_usd, 0), spend_day(t.started_at))
    from written w join turns t on t.id = in_turn where w.cost_usd is not null or w.reserved_usd is not null
$$;
comment on function write_step(uuid, jsonb) is 'Adds a step to the journal of a turn and counts what it cost, less what was set aside for it; the caller holds the fence.';

create or replace function record_step(in_turn uuid, in_token bigint, s jsonb) returns boolean language plpgsql as $$
begin
  perform from turns r join lanes l on l.lane = r.lane and l.token = r.token
    where r.id = in_turn and r.token = in_token and r.state = 'running' for share of l;
  if not found then return false; end if;
  perform write_step(in_turn, s);
  return true;
end $$;
comment on function record_step(uuid, bigint, jsonb) is 'Writes one step into the journal. False when the lease was lost: drop everything.';

create or replace function win_reply(talk conversations) returns boolean language plpgsql as $$
declare config channel_configs; domain text;
begin
  select * into config from channel_configs where channel = talk.channel;
  if win_quota('replies:' || talk.id, config.replies_per_thread, config.replies_window) is not null then return false; end if;
  if config.replies_per_address is not null and talk.customer_id is not null
     and win_quota('replies:' || talk.channel || ':' || talk.customer_id, config.replies_per_address, interval '1 day') is not null then return false; end if;
  if config.replies_per_domain is null then return true; end if;
  select split_part(value, '@', 2) into domain from customer_identifiers where customer_id = talk.customer_id and kind = 'email'
   order by value is not distinct from address_of(talk) desc, created_at limit 1;  -- one who was merged has several
  return domain is null or win_quota('replies:' || talk.channel || ':' || domain, config.replies_per_domain, config.replies_window) is null;
end $$;
comment on function win_reply(conversations) is 'The loop brake: whether the agent may reply once more in this conversation, to this customer, and to this mail domain.';

create or replace function add_reply(talk conversations, author text, reply uuid, turn uuid, r jsonb) returns void language plpgsql as $$
declare part int := 0; one text; added uuid; parts int := jsonb_array_length(r->'bodies'); hold interval := make_interval(secs => coalesce((r->>'hold_seconds')::float8, 0));
begin
  for one in select jsonb_array_elements_text(r->'bodies') loop
    part := part + 1;
    insert into messages (conversation_id, customer_id, channel, direction, author, body, kind, citations, turn_id, idempotency_token,
                          reply_id, part, parts, delivery, degraded, sent_at, sent_by, held_until)
    values (talk.id, talk.customer_id, talk.channel, 'outbound', author, one, r->>'kind', coalesce(r->'citations', '[]'), turn,
            case part when 1 then reply else md5(reply || ':' || part)::uuid end, reply, part, parts,
            r->>'delivery', coalesce((r->>'degraded')::boolean, false), clock_timestamp(), r->>'sent_by',
            clock_timestamp() + nullif(hold, '0')) returning id into added;
    if r->>'delivery' = 'pending' then
      perform add_work('out:' || talk.id, 'deliver', 0, 'deliver:' || added, jsonb_build_object('version', 1, 'message_id', added),
                       hold, interval '1 day');
    end if;
  end loop;
end $$;
comment on function add_reply(conversations, text, uuid, uuid, jsonb) is 'Writes a reply into the log, {bodies, kind, citations, delivery, degraded, sent_by, hold_seconds}: one message per body, each with its own token, and where a vendor has to take them (delivery pending) the work of sending them, in order.';

create or replace function is_owed(talk conversations, but jsonb) returns boolean language sql stable as $$
  select talk.handler = 'human' and exists (
    select from messages m
     where m.conversation_id = talk.id and m.direction = 'inbound' and m.kind is null and m.created_at >= talk.waiting_since
       and m.external_id not in (select word->>'external_id' from jsonb_array_elements(but) word)
       and not exists (select from turns t where t.id = m.turn_id and t.outcome = 'closed')
       and not exists (
         select from messages r
          where r.conversation_id = talk.id and r.direction = 'outbound' and coalesce(r.kind, '') not in ('handoff', 'csat', 'opt_out', 'correction') and r.sent_at >= m.created_at
          group by r.reply_id having bool_and(r.delivery in ('sent', 'delivered', 'read') or r.author = 'person' and r.delivery in ('pending', 'sending'))))
$$;
comment on function is_owed(conversations, jsonb) is 'Whether a person has the conversation and an earlier word of the customer than those of this burst, [{external_id}], has no reply that arrived, nor a person''s on its way.';

create or replace function commit_turn(t jsonb) returns text language plpgsql as $$
declare
  held lanes; talk conversations; this turns; gone int; reply jsonb := nullif(t->'reply', 'null');
  effect jsonb; covers bigint[] := array(select jsonb_array_elements_text(t->'covers')::bigint);
  answered boolean := reply is not null and reply->>'kind' in ('answer', 'clarifying_question', 'acknowledgement', 'refusal');
  is_delivered boolean := coalesce(reply->>'delivery' = 'sent', false);  -- the page reads the row; a vendor has yet to take it
  first_at timestamptz; left_over timestamptz; now_at timestamptz := clock_timestamp(); verdict text;
  about text; mode text; needed text; ending text := t->>'outcome'; solves boolean := coalesce((t->>'resolves')::boolean, false);
begin
  select * into held from lanes where lane = t->>'lane' and token = (t->>'token')::bigint for update;
  if not found then return 'lost'; end if;
  select * into this from turns where id = (t->>'turn_id')::uuid and state = 'running' for update;
  if not found then return 'lost'; end if;
  if t->>'dead_error' is not null then perform hold_address(this.conversation_id); end if;  -- its letters call a person, see answer_for_dead
  select * into talk from conversations where id = this.conversation_id for update;
  about := category_after(talk, t);
  if answered and not talk.is_test then mode := mode_of(talk.channel, about); end if;
  verdict := case
    when talk.epoch <> this.epoch then 'silenced'  -- a person took over
    when held.superseded < 2 and exists (select 1 from message_queue where lane = held.lane and id > this.newest) then 'superseded'
    when mode = 'off' then 'off'
    when reply->>'kind' <> 'handoff' and not win_reply(talk) then 'braked'
    else 'done' end;
  if t->'last_step' <> 'null' then perform write_step(this.id, t->'last_step'); end if;  -- paid for, so kept whatever follows
  if verdict in ('off', 'braked') then return verdict; end if;  -- the turn goes on: it ends at a person instead
  if verdict <> 'done' then  -- nothing else of this turn is kept, the lane is free for a new one
    update turns set state = verdict, finished_at = now_at, error = case verdict when 'silenced' then 'epoch moved' end where id = this.id;
    update lanes set lease_until = null, token = null, worker = null, attempts = 0, run_at = greatest(run_at, now_at),
           superseded = case verdict when 'superseded' then held.superseded + 1 else held.superseded end where lane = held.lane;
    return verdict;
  end if;

  select min(created_at) into first_at from message_queue where lane = held.lane and id = any(covers);
  insert into messages (conversation_id, customer_id, channel, direction, author, external_id, body, turn_id, sent_at)
  select talk.id, talk.customer_id, talk.channel, 'inbound', 'customer', m->>'external_id', m->>'body', this.id, (m->>'sent_at')::timestamptz
    from jsonb_array_elements(t->'inbound') m on conflict (channel, external_id) do nothing;
  if t->>'dead_error' is not null then
    insert into dead_letters (lane, kind, dedupe_key, payload, attempts, error, created_at)
    select lane, kind, dedupe_key, payload, held.attempts, t->>'dead_error', created_at
      from message_queue where lane = held.lane and id = any(covers) on conflict (dedupe_key) do nothing;
  end if;
  delete from message_queue where lane = held.lane and id = any(covers);
  get diagnostics gone = row_count;
  select min(created_at) into left_over from message_queue where lane = held.lane;
  update lanes set pending = pending - gone, lease_until = null, token = null, worker = null, attempts = 0, superseded = 0,
         last_error = null, waiting_since = coalesce(left_over, now_at), run_at = greatest(run_at, now_at) where lane = held.lane;

  for effect in select * from jsonb_array_elements(t->'effects') loop
    if effect->>'kind' = 'create_ticket' then
      insert into tickets (reference, conversation_id, customer_id, subject, category, priority, priority_why, plan,
                           first_response_due_at, resolution_due_at, handoff_note)
      select effect->>'reference', talk.id, talk.customer_id, effect->>'subject', effect->>'category', (effect->>'priority')::smallint,
             effect->>'priority_why', talk.plan, d.first_response_due_at, d.resolution_due_at, effect->>'summary'
        from (select) one left join due_times(effect->>'category', talk.plan, coalesce(first_at, now_at)) d on true
      on conflict (reference) do nothing;
    elsif effect->>'kind' = 'escalate' then
      update tickets set status = 'escalated', category = effect->>'category', team = effect->>'team',
             assignee = (select effect->>'assignee' where not exists (select from people where email = effect->>'assignee' and not is_active)),  -- who left meanwhile
             priority = greatest(priority, (effect->>'priority')::smallint), priority_why = effect->>'priority_why',
             escalation_reason = effect->>'reason', handoff_note = effect->>'handoff_note',
             person_due_at = least((effect->>'due_at')::timestamptz, due_before(tickets, talk)), updated_at = now_at
       where reference = effect->>'reference';
    elsif effect->>'kind' = 'assess' then
      update tickets set category = effect->>'category', priority = greatest(priority, (effect->>'priority')::smallint),
             priority_why = effect->>'priority_why', updated_at = now_at
       where conversation_id = talk.id and status in ('open', 'answered') and sorted_by is null
         and not exists (select from examples e join messages m on m.id = e.message_id where m.conversation_id = talk.id);  -- a person knows better
    end if;
  end loop;

  -- thanks for one thing do not answer the other
  if ending = 'closed' and exists (select from drafts where conversation_id = talk.id and state = 'pending' and source = 'agent') then
    ending := 'drafted';
  else
    if ending = 'closed' and is_owed(talk, t->'inbound') then ending := 'silent'; end if;
    perform supersede_drafts(talk.id);
  end if;
  if mode = 'draft' then
    perform keep_draft_reply(talk, this.id, about, reply);
    ending := 'drafted'; reply := null; answered := false; is_delivered := false; solves := false;
  end if;
  if reply is not null then
    perform add_reply(talk, 'agent', this.id, this.id, reply);
    update tickets set first_response_met_at = case when answered and is_delivered then coalesce(first_response_met_at, now_at) else first_response_met_at end,
           updated_at = now_at,
           status = case when status = 'escalated' then status when solves then 'resolved' else 'answered' end,
           resolved_at = case when status <> 'escalated' and solves then now_at end
     where conversation_id = talk.id and status <> 'resolved';
  end if;
  if ending = 'silent' and coalesce(talk.waiting_since, left_over) is not null then
    -- a person had answered, or the customer had asked us to stop, and came back: that person's word is due anew
    update tickets k set status = 'escalated', resolved_at = null, team = coalesce(k.team, r.team, 'support'), assignee = coalesce(k.assignee, r.assignee),
           person_due_at = add_open_time(now_at, coalesce(r.respond_within, interval '4 hours'), r.calendar), updated_at = now_at
      from (select id, category from tickets where conversation_id = talk.id order by created_at desc limit 1) latest
      left join lateral route_of(latest.category) r on true
     where k.id = latest.id and (k.status = 'escalated' and k.person_due_at >= coalesce(talk.waiting_since, left_over)) is not true;
    if found then needed := 'wrote_again'; end if;
  end if;
  if ending = 'closed' then
    update tickets set status = 'resolved', resolved_at = now_at, updated_at = now_at
     where conversation_id = talk.id and status in ('open', 'answered');
  end if;
  update conversations set
         handler = case when ending = 'escalated' then 'human' else handler end,
         epoch = epoch + (ending = 'escalated')::int,
         status = case when ending in ('escalated', 'silent', 'drafted') then 'open'
                       when solves or ending = 'closed' then 'resolved' else 'waiting' end,
         settled_at = case when solves or ending = 'closed' then now_at end,
         waiting_since = case when answered and is_delivered or ending = 'closed' then left_over
                              when ending = 'silent' then coalesce(waiting_since, left_over)
                              else coalesce(waiting_since, first_at, now_at) end,
         snoozed_until = null, language = coalesce(t->>'language', language), sentiment = coalesce((t->>'sentiment')::real, sentiment), updated_at = now_at
   where id = talk.id;
  update turns set state = 'done', outcome = ending, model = t->>'model',
         timings_ms = t->'timings_ms', input_tokens = (t->>'input_tokens')::int, output_tokens = (t->>'output_tokens')::int,
         cost_usd = (t->>'cost_usd')::numeric, error = t->>'error', brief = nullif(t->'brief', 'null'), finished_at = now_at where id = this.id;
  insert into agent_metrics (turn_id, conversation_id, channel, finished_at, waiting_ms, thinking_ms, delivery_ms, total_ms,
         input_tokens, output_tokens, cost_usd, sentiment_before, sentiment_after, escalated, outcome, is_test)
  values (this.id, talk.id, talk.channel, now_at, (t->'timings_ms'->>'waiting')::real, (t->'timings_ms'->>'thinking')::real,
         case when is_delivered then 0 end,
         case when reply is null or is_delivered then extract(epoch from now_at - coalesce(first_at, now_at)) * 1000 end,
         (t->>'input_tokens')::int, (t->>'output_tokens')::int, (t->>'cost_usd')::numeric, talk.sentiment,
         (t->>'sentiment')::real, ending = 'escalated', ending, talk.is_test);
  perform return_reserve(this.id);
  perform queue_summary(talk.id);
  if ending = 'escalated' then
    needed := coalesce((select escalation_reason from tickets where conversation_id = talk.id order by created_at desc limit 1), 'escalated');
  end if;
  if ending = 'drafted' then needed := 'draft'; end if;
  if needed is not null then perform note_needed(talk.id, needed); end if;
  return 'done';
end $$;
comment on function commit_turn(jsonb) is 'Everything of a turn, or nothing: the messages, what the tools did, the reply, the ticket, the ledger and the metrics, and the queue rows gone. done; superseded (the customer wrote again), silenced (a person took over), lost (another worker has the lane): then nothing was kept; braked (too many replies to this customer) or off (the agent may not answer this): nothing was kept and the turn is still open, end it at a person.';
