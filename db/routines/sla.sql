-- Promises: how much of them is left, the clock that stands still while we owe nothing, what was broken, and what hours they are counted in.

create or replace function open_time_between(start timestamptz, finish timestamptz, calendar_name text) returns interval language plpgsql stable as $$
declare zone text;
begin
  select timezone into zone from calendars where name = calendar_name and exists (select from calendar_hours where calendar = calendar_name);
  if finish <= start then return interval '0'; end if;
  -- as add_open_time: a calendar that never opens counts every hour
  if zone is null then return make_interval(secs => extract(epoch from finish - start)::float8); end if;
  return (select make_interval(secs => coalesce(sum(extract(epoch from s.closing - s.opening)), 0)::float8) from (
    select greatest(start, (d.day + h.opens) at time zone zone) as opening, least(finish, (d.day + h.closes) at time zone zone) as closing
      from (select generate_series((start at time zone zone)::date::timestamp, (finish at time zone zone)::date, interval '1 day')::date as day) d
      join calendar_hours h on h.calendar = calendar_name and h.weekday = extract(isodow from d.day)
     where not exists (select from calendar_holidays x where x.calendar = calendar_name and x.day = d.day)) s where s.closing > s.opening);
end $$;
comment on function open_time_between(timestamptz, timestamptz, text) is 'How much open time of a calendar lies between two moments: the inverse of add_open_time; none where the second is not after the first.';

create or replace function target_of(for_category text, for_plan text) returns sla_targets language sql stable as $$
  select * from sla_targets t where (t.category is null or t.category = for_category) and (t.plan is null or t.plan = for_plan)
   order by t.plan is null, t.category is null limit 1
$$;
comment on function target_of(text, text) is 'The row of sla_targets that fits best, as due_times takes it.';

-- The clock ----------------------------------------------------------------------------------------------------------

create or replace function begin_promise() returns trigger language plpgsql as $$
declare talk conversations;
begin
  select * into talk from conversations where id = new.conversation_id;
  new.calendar := (target_of(new.category, new.plan)).calendar;
  if talk.id is not null and talk.waiting_since is null then new.paused_since := clock_timestamp(); end if;
  return new;
end $$;
comment on function begin_promise() is 'The trigger of a new ticket: whose hours it counts, and that its clock does not run where nothing is owed yet.';
drop trigger if exists promise_begins on tickets;
create trigger promise_begins before insert on tickets for each row execute function begin_promise();

create or replace function promise_person() returns trigger language plpgsql as $$
declare closes timestamptz;
begin
  select free_until(c) into closes from conversations c where c.id = new.conversation_id;
  -- what was closed before it began holds nobody to anything
  if closes > clock_timestamp() then new.person_due_at := least(new.person_due_at, closes); end if;
  if tg_op = 'UPDATE' and new.person_due_at is distinct from old.person_due_at then new.warned_at := null; end if;
  return new;
end $$;
comment on function promise_person() is 'The trigger of a time by which a person''s word is due: never after the customer can no longer be written to freely; a new time is warned of anew.';
drop trigger if exists person_is_promised on tickets;
create trigger person_is_promised before insert or update of person_due_at on tickets
  for each row when (new.person_due_at is not null) execute function promise_person();

create or replace function note_late_response() returns trigger language plpgsql as $$
begin
  new.first_response_breached_at := coalesce(new.first_response_breached_at, new.first_response_due_at);
  return new;
end $$;
comment on function note_late_response() is 'The trigger of a first response that came too late.';
drop trigger if exists response_is_late on tickets;
create trigger response_is_late before update of first_response_met_at on tickets for each row
  when (old.first_response_met_at is null and new.first_response_met_at > new.first_response_due_at) execute function note_late_response();

create or replace function keep_clock() returns trigger language plpgsql as $$
begin
  if new.waiting_since is null then
    perform stop_clock(new.id, old.waiting_since, new.is_test);
  else
    perform resume_clock(new.id, least(new.waiting_since, (
      select min(q.created_at) from message_queue q where q.lane = new.channel || ':' || new.thread_key and q.kind = 'inbound')));
  end if;
  return null;
end $$;
comment on function keep_clock() is 'The trigger of a conversation in which we begin to owe something, or have ceased to.';
drop trigger if exists clock_is_kept on conversations;
create trigger clock_is_kept after update of waiting_since on conversations for each row
  when ((old.waiting_since is null) <> (new.waiting_since is null)) execute function keep_clock();

create or replace function stop_clock(in_conversation uuid, waited_since timestamptz, in_test boolean) returns void language sql as $$
  update tickets set paused_since = clock_timestamp(),
         resolution_breached_at = case when not in_test and paused_for is not null and resolution_due_at < least(resolved_at, clock_timestamp())
                                       then coalesce(resolution_breached_at, resolution_due_at) else resolution_breached_at end,
         person_breached_at = case when not in_test and person_due_at >= waited_since and person_due_at < clock_timestamp()
                                   then coalesce(person_breached_at, person_due_at) else person_breached_at end
   where conversation_id = in_conversation and paused_since is null
$$;
comment on function stop_clock(uuid, timestamptz, boolean) is 'Nothing is owed any more: the clock of its tickets stands still, and what was late by then is recorded. The caller holds the conversation.';

create or replace function resume_clock(in_conversation uuid, wrote_at timestamptz) returns void language sql as $$
  with pauses as (
    select id, open_time_between(paused_since, wrote_at, calendar) as lost from tickets where conversation_id = in_conversation and paused_since is not null)
  update tickets k set paused_since = null, paused_for = k.paused_for + p.lost,
         resolution_due_at = case when p.lost > '0' then add_open_time(k.resolution_due_at, p.lost, k.calendar) else k.resolution_due_at end,
         -- opened while nobody waited: no response was due before somebody did
         first_response_due_at = case when p.lost > '0' and k.first_response_met_at is null and k.first_response_breached_at is null
                                      then add_open_time(k.first_response_due_at, p.lost, k.calendar) else k.first_response_due_at end
    from pauses p where p.id = k.id
$$;
comment on function resume_clock(uuid, timestamptz) is 'The customer wrote again: what is due moves by the open time for which the clock stood still. The caller holds the conversation.';

-- What was broken, and what soon will be -------------------------------------------------------------------------------

create or replace function record_breaches() returns int language plpgsql as $$
declare now_at timestamptz := clock_timestamp(); late int; more int;
begin
  -- who has a ticket in hand may be answering it: it is looked at again in a minute, or recorded by the answer
  with overdue as (
    select k.id from tickets k join conversations c on c.id = k.conversation_id and not c.is_test
     where k.first_response_due_at < now_at and k.first_response_met_at is null and k.first_response_breached_at is null
       and k.paused_since is null and k.resolved_at is null for update of k skip locked)
  update tickets k set first_response_breached_at = first_response_due_at from overdue o where o.id = k.id;
  get diagnostics late = row_count;
  with overdue as (
    select k.id from tickets k join conversations c on c.id = k.conversation_id and not c.is_test
     where k.resolution_due_at < now_at and k.resolved_at is null and k.resolution_breached_at is null
       and k.paused_since is null and k.paused_for is not null for update of k skip locked)
  update tickets k set resolution_breached_at = resolution_due_at from overdue o where o.id = k.id;
  get diagnostics more = row_count;
  late := late + more;
  with overdue as (
    select k.id from waiting_customers w join tickets k on k.reference = w.reference
     where w.waits_for = 'person' and k.person_due_at = w.due_at and w.due_at < now_at and k.person_breached_at is null)
  update tickets k set person_breached_at = person_due_at
   where id in (select t.id from tickets t join overdue o using (id) for update of t skip locked);
  get diagnostics more = row_count;
  return late + more;
end $$;
comment on function record_breaches() is 'Records what is overdue and not met, once for each promise, for good. How many promises that were.';

create or replace function is_running_out(in_reference text, due_at timestamptz) returns boolean language sql stable as $$
  select coalesce(due_at > clock_timestamp() and extract(epoch from open_time_between(clock_timestamp(), due_at, p.calendar))
                  < l.warn_below * extract(epoch from p.span), false)
    from tickets k cross join sla_limits l
    cross join lateral (
      select t.first_response as span, t.calendar from target_of(k.category, k.plan) t where due_at is distinct from k.person_due_at
      union all
      select coalesce(r.respond_within, '4 hours'), r.calendar from route_of(k.category) r where due_at = k.person_due_at) p
   where k.reference = in_reference
$$;
comment on function is_running_out(text, timestamptz) is 'Whether less than sla_limits.warn_below of the open time is left that was promised to whoever waits with this ticket until then.';

create or replace function warn_people(in_conversation uuid) returns void language plpgsql as $$
begin
  perform note_needed(in_conversation, 'due_soon');
end $$;
comment on function warn_people(uuid) is 'Tells the team that a customer''s answer is due soon; at most one word of a conversation until somebody looks, see notices. The caller holds the conversation.';

create or replace function warn_soon() returns int language plpgsql as $$
declare due record; warned int := 0;
begin
  for due in select w.conversation_id, w.reference, w.waits_for, w.waiting_since from waiting_customers w join tickets k on k.reference = w.reference
              where (k.warned_at >= w.waiting_since) is not true and is_running_out(w.reference, w.due_at) order by w.conversation_id loop
    perform from conversations where id = due.conversation_id and waiting_since is not null for update skip locked;
    continue when not found;  -- somebody is at it
    update tickets set warned_at = clock_timestamp() where reference = due.reference;
    if due.waits_for in ('person', 'nobody') then perform warn_people(due.conversation_id); end if;
    warned := warned + 1;
  end loop;
  return warned;
end $$;
comment on function warn_soon() is 'Warns of promises of which little is left and that nobody has met, once for each wait and due time. How many that were.';

create or replace function count_promises(since timestamptz)
returns table (channel text, first_response_met_rate double precision, resolution_met_rate double precision, n bigint) language sql stable as $$
  with kept as (
    select c.channel, case when k.first_response_breached_at is not null then 0 when k.first_response_met_at is not null then 1 end as answered,
           case when k.resolution_breached_at is not null then 0 when k.resolved_at is not null and k.paused_for is not null then 1 end as solved
      from tickets k join conversations c on c.id = k.conversation_id and not c.is_test
     where k.created_at >= since and k.first_response_due_at is not null)
  select coalesce(channel, 'total'), avg(answered)::float8, avg(solved)::float8, count(*) filter (where answered is not null or solved is not null)
    from kept group by grouping sets ((channel), ())
$$;
comment on function count_promises(timestamptz) is 'Of the tickets opened since then, by channel and in total: the share of those already decided whose first response and whose resolution came in time; null where none is decided. n: tickets of which either is.';

-- The hours they are counted in ----------------------------------------------------------------------------------------

create or replace function show_calendar(in_name text) returns jsonb language sql stable as $$
  select jsonb_build_object('timezone', c.timezone,
    'hours', (select coalesce(jsonb_agg(jsonb_build_object('weekday', weekday, 'opens', to_char(opens, 'HH24:MI'), 'closes', to_char(closes, 'HH24:MI')) order by weekday, opens), '[]')
                from calendar_hours where calendar = c.name),
    'holidays', (select coalesce(jsonb_agg(day order by day), '[]') from calendar_holidays where calendar = c.name))
    from calendars c where c.name = in_name
$$;
comment on function show_calendar(text) is 'A calendar as {timezone, hours: [{weekday, opens, closes}], holidays}; null without it.';

create or replace function keep_calendar(in_name text, zone text, in_hours jsonb, days date[], who jsonb) returns text language plpgsql as $$
declare was jsonb;
begin
  if not exists (select from pg_timezone_names where name = zone) then return 'unknown_zone'; end if;
  perform pg_advisory_xact_lock(hashtextextended('calendar:' || in_name, 0));
  was := show_calendar(in_name);
  insert into calendars (name, timezone) values (in_name, zone) on conflict (name) do update set timezone = excluded.timezone;
  delete from calendar_hours where calendar = in_name;
  insert into calendar_hours (calendar, weekday, opens, closes)
  select in_name, (h->>'weekday')::smallint, (h->>'opens')::time, (h->>'closes')::time from jsonb_array_elements(in_hours) h;
  delete from calendar_holidays where calendar = in_name;
  insert into calendar_holidays (calendar, day) select distinct in_name, day from unnest(days) day;
  perform note_audit(who, 'set hours', 'calendar:' || in_name, jsonb_build_object('from', was, 'to', show_calendar(in_name)));
  return 'accepted';
end $$;
comment on function keep_calendar(text, text, jsonb, date[], jsonb) is 'Writes a calendar in place of the one with its name; hours as show_calendar has them. Due times that are set stay as they are. accepted or unknown_zone.';

create or replace function drop_calendar(in_name text, who jsonb) returns text language plpgsql as $$
declare was jsonb := show_calendar(in_name);
begin
  if was is null then return 'missing'; end if;
  delete from calendars where name = in_name;
  perform note_audit(who, 'removed hours', 'calendar:' || in_name, jsonb_build_object('from', was));
  return 'accepted';
exception when foreign_key_violation then
  return 'in_use';
end $$;
comment on function drop_calendar(text, jsonb) is 'Removes a calendar that no target and no route counts by. accepted, in_use or missing.';

create or replace function keep_target(in_category text, in_plan text, first interval, solved interval, in_calendar text, who jsonb) returns text language plpgsql as $$
declare was sla_targets;
begin
  if in_calendar is not null and not exists (select from calendars where name = in_calendar) then return 'unknown_calendar'; end if;
  if in_plan is not null and not exists (select from plans where plan = in_plan) then return 'unknown_plan'; end if;
  select * into was from sla_targets where category is not distinct from in_category and plan is not distinct from in_plan for update;
  insert into sla_targets (category, plan, first_response, resolution, calendar) values (in_category, in_plan, first, solved, in_calendar)
  on conflict (category, plan) do update set first_response = excluded.first_response, resolution = excluded.resolution, calendar = excluded.calendar;
  perform note_audit(who, 'set a target', 'target:' || coalesce(in_category, '*') || ':' || coalesce(in_plan, '*'), jsonb_build_object(
    'from', to_jsonb(was), 'to', jsonb_build_object('first_response', first, 'resolution', solved, 'calendar', in_calendar)));
  return 'accepted';
end $$;
comment on function keep_target(text, text, interval, interval, text, jsonb) is 'Promises a category and a plan (null: any) these open times, from now on. accepted, unknown_calendar or unknown_plan.';

create or replace function drop_target(in_category text, in_plan text, who jsonb) returns text language plpgsql as $$
declare was sla_targets;
begin
  delete from sla_targets where category is not distinct from in_category and plan is not distinct from in_plan returning * into was;
  if not found then return 'missing'; end if;
  perform note_audit(who, 'removed a target', 'target:' || coalesce(in_category, '*') || ':' || coalesce(in_plan, '*'), jsonb_build_object('from', to_jsonb(was)));
  return 'accepted';
end $$;
comment on function drop_target(text, text, jsonb) is 'Promises nothing of their own to a category and a plan any more. accepted or missing.';

create or replace function keep_route(in_category text, r jsonb, who jsonb) returns text language plpgsql as $$
declare was escalation_routes; told text[] := array(select jsonb_array_elements_text(r->'notify'));
begin
  if r->>'calendar' is not null and not exists (select from calendars where name = r->>'calendar') then return 'unknown_calendar'; end if;
  if r->>'assignee' is not null and not exists (select from people where email = r->>'assignee' and is_active) then return 'unknown_person'; end if;
  select * into was from escalation_routes where category = in_category for update;
  insert into escalation_routes (category, team, assignee, respond_within, calendar, notify)
  values (in_category, r->>'team', r->>'assignee', (r->>'respond_within')::interval, r->>'calendar', told)
  on conflict (category) do update set team = excluded.team, assignee = excluded.assignee, respond_within = excluded.respond_within,
     calendar = excluded.calendar, notify = excluded.notify;
  perform note_audit(who, 'set a route', 'route:' || in_category, jsonb_build_object('from', to_jsonb(was), 'to', r));
  return 'accepted';
end $$;
comment on function keep_route(text, jsonb, jsonb) is 'Who gets what is handed over of a category, {team, assignee, respond_within, calendar, notify}, from now on. accepted, unknown_calendar, or unknown_person: nobody of that e-mail is on the team.';

create or replace function drop_route(in_category text, who jsonb) returns text language plpgsql as $$
declare was escalation_routes;
begin
  if in_category = 'general' then return 'needed'; end if;
  delete from escalation_routes where category = in_category returning * into was;
  if not found then return 'missing'; end if;
  perform note_audit(who, 'removed a route', 'route:' || in_category, jsonb_build_object('from', to_jsonb(was)));
  return 'accepted';
end $$;
comment on function drop_route(text, jsonb) is 'A category goes the way of general from now on. accepted, needed (general itself) or missing.';

create or replace function keep_warning(share real, who jsonb) returns void language sql as $$
  select note_audit(who, 'set the warning', 'sla_limits:warn_below', jsonb_build_object('from', (select warn_below from sla_limits), 'to', share));
  update sla_limits set warn_below = share
$$;
comment on function keep_warning(real, jsonb) is 'From what share of the promised time on the team is warned; 0: never.';
