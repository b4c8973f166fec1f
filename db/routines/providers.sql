-- The models behind a network: when one is left alone, and what may be spent on them.

create or replace function note_failure(in_provider text, kind text, wait interval, is_final boolean, patience int)
returns provider_health language sql as $$
  -- a failure in a row too many opens the breaker, for twice as long each time; what no waiting mends opens it at once
  insert into provider_health as p (provider, failures, last_error, not_before, state, opened_until, updated_at)
  values (in_provider, (wait is null)::int, kind, now() + wait, case when is_final then 'open' else 'closed' end,
          case when is_final then now() + interval '15 minutes' end, now())
  on conflict (provider) do update
     set failures = p.failures + (wait is null)::int, last_error = kind, updated_at = now(),
         not_before = greatest(p.not_before, now() + wait),
         state = case when is_final or wait is null and p.failures + 1 >= patience then 'open' else p.state end,
         opened_until = case when is_final then now() + interval '15 minutes'
                             when wait is null and p.failures + 1 >= patience
                             then now() + least(interval '5 minutes', interval '15 seconds' * power(2, least(p.failures + 1 - patience, 10)))
                             else p.opened_until end
  returning p
$$;
comment on function note_failure(text, text, interval, boolean, int) is 'A model failed: wait is how long it asked us to wait (then it is only busy), is_final that its key or account is refused, patience after how many failures in a row it is left alone.';

create or replace function note_answer(in_provider text) returns void language sql as $$
  update provider_health set state = 'closed', failures = 0, opened_until = null, not_before = null, half_open_by = null, updated_at = now()
   where provider = in_provider and (state <> 'closed' or failures > 0)
$$;
comment on function note_answer(text) is 'A model that had failed answered: it is in use again.';

create or replace function forgive_refusals() returns void language sql as $$
  update provider_health set state = 'closed', failures = 0, opened_until = null, half_open_by = null, updated_at = now()
   where state = 'open' and last_error in ('unauthorised', 'quota')
$$;
comment on function forgive_refusals() is 'A worker begins, perhaps with the key or model name that was wrong before mended: models that refused theirs are tried again.';

create or replace function win_probe(in_provider text, by_worker text, for_at_most interval) returns boolean language sql as $$
  with won as (
    update provider_health set half_open_by = by_worker, opened_until = now() + for_at_most, updated_at = now()
     where provider = in_provider and state = 'open' and opened_until <= now() returning 1)
  select exists (select from won)
$$;
comment on function win_probe(text, text, interval) is 'Whether this worker may try a model that was left alone: one at a time.';

create or replace function note_refused_feature(in_provider text, feature text) returns void language sql as $$
  insert into provider_health as p (provider, caps) values (in_provider, jsonb_build_array(feature))
  on conflict (provider) do update set caps = p.caps || excluded.caps, updated_at = now() where not p.caps ? feature
$$;
comment on function note_refused_feature(text, text) is 'A model does not know an optional feature of a request: no worker asks for it again.';

create or replace function list_budgets(today text, in_conversation uuid, who uuid, day_limit numeric, conversation_limit numeric, customer_limit numeric)
returns table (name text, key text, ceiling numeric) language sql immutable as $$
  values ('day', today, day_limit), ('conversation', today || ':' || in_conversation, conversation_limit)
  union all select 'customer', today || ':customer:' || who, customer_limit where who is not null
$$;
comment on function list_budgets(text, uuid, uuid, numeric, numeric, numeric) is 'The budgets that money for this conversation comes out of: the name of each, its row in quotas, and what it may hold.';

create or replace function spend_day(at_time timestamptz) returns text language sql stable as $$
  select 'spend:' || to_char(at_time at time zone 'UTC', 'YYYY-MM-DD')
$$;
comment on function spend_day(timestamptz) is 'The row of quotas that holds what was spent on the day of this moment, in UTC; what a turn spends belongs to the day it began.';

create or replace function charge_budgets(in_conversation uuid, who uuid, usd numeric, day text) returns void language sql as $$
  insert into quotas as q (key, level, is_won)
  select b.key, greatest(usd, 0), true from list_budgets(day, in_conversation, who, null, null, null) b
   where usd <> 0 order by b.key
  on conflict (key) do update set level = greatest(q.level + usd, 0), updated_at = clock_timestamp()
$$;
comment on function charge_budgets(uuid, uuid, numeric, text) is 'Counts money against the budgets of a day (see spend_day), a conversation and a customer; a negative sum is given back. Of a turn the customer is the one it began with: what was set aside before a merge is given back to whom it was taken from.';

create or replace function count_spend(in_conversation uuid, usd numeric, day text) returns void language sql as $$
  select charge_budgets(id, customer_id, usd, day) from conversations where id = in_conversation
$$;
comment on function count_spend(uuid, numeric, text) is 'Counts money against the budgets of a day (see spend_day), the conversation and the customer; a negative sum is given back.';

create or replace function reserve_spend(in_conversation uuid, in_turn uuid, usd numeric, day_limit numeric, conversation_limit numeric, customer_limit numeric)
returns text language plpgsql as $$
declare day text; who uuid; lacking text;
begin
  -- the turn before the budgets, as its commit locks them; all budgets in the order of their keys, wherever they are locked
  perform from turns where id = in_turn for update;
  day := spend_day(coalesce((select started_at from turns where id = in_turn), now()));
  select coalesce((select customer_id from turns where id = in_turn), customer_id) into who from conversations where id = in_conversation;
  insert into quotas (key, level, is_won, ceiling)
  select b.key, 0, true, b.ceiling from list_budgets(day, in_conversation, who, day_limit, conversation_limit, customer_limit) b order by b.key
  on conflict (key) do update set ceiling = excluded.ceiling;
  select b.name into lacking from list_budgets(day, in_conversation, who, day_limit, conversation_limit, customer_limit) b
    join quotas q using (key) where usd > 0 and q.level + usd > b.ceiling order by b.key limit 1;
  update quotas q set level = case when lacking is null then greatest(q.level + usd, 0) else q.level end, is_won = lacking is null,
         refused_at = case when b.name = lacking then clock_timestamp() when lacking is not null or usd <= 0 then q.refused_at end, updated_at = clock_timestamp()
    from list_budgets(day, in_conversation, who, day_limit, conversation_limit, customer_limit) b where q.key = b.key;
  if lacking is null then
    update turns set reserved_usd = greatest(reserved_usd + usd, 0) where id = in_turn;
  end if;
  return lacking;
end $$;
comment on function reserve_spend(uuid, uuid, numeric, numeric, numeric, numeric) is 'Sets US dollars aside in the budgets of the day, the conversation and the customer, in all or in none, for a turn if one is named: the name of a budget that has no room, null when it is done. A negative sum is given back.';

create or replace function return_reserve(in_turn uuid) returns void language sql as $$
  with held as (select conversation_id, customer_id, reserved_usd, spend_day(started_at) as day from turns where id = in_turn and reserved_usd > 0 for update),
       freed as (update turns t set reserved_usd = 0 from held where t.id = in_turn)
  select charge_budgets(conversation_id, customer_id, -reserved_usd, day) from held
$$;
comment on function return_reserve(uuid) is 'Gives back what a turn set aside for steps that nobody will write: its worker died, or lost its lane. What such a call may have cost is not counted.';
