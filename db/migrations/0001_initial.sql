-- The ground: who writes, what was said, what waits, and why the agent said what it said.
-- Needs Postgres 16 or newer and nothing else. Every table that grows carries the customer or the conversation.

create function new_id() returns uuid language sql volatile as $$
  select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0')
          || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid
$$;
comment on function new_id() is 'A time-ordered UUID (version 7): milliseconds first, then chance.';

-- Who ---------------------------------------------------------------------------------------------------------------

create table plans (
  plan  text primary key check (plan ~ '^[a-z0-9_-]{1,40}$'),
  label text not null,
  rank  smallint not null
);
comment on table plans is 'The plans a customer may name. A form with a plan that is not here is refused.';
comment on column plans.plan is 'The short name, as forms and articles use it.';
comment on column plans.label is 'The name customers see.';
comment on column plans.rank is 'Order in lists, lowest first.';

create table customers (
  id         uuid primary key default new_id(),
  name       text,
  plan       text,
  language   text,
  created_at timestamptz not null default now()
);
comment on table customers is 'People who wrote to us. What they can prove about themselves is in customer_identifiers.';
comment on column customers.id is 'Time-ordered; never shown to a model.';
comment on column customers.name is 'As the customer first gave it; null where no channel told it.';
comment on column customers.plan is 'The plan first claimed; a claim, not an entitlement.';
comment on column customers.language is 'BCP-47 code of the language last used.';
comment on column customers.created_at is 'When the first message was taken up.';

create table customer_identifiers (
  kind        text not null check (kind in ('email', 'phone')),
  value       text not null,
  customer_id uuid not null,
  proof       text not null check (proof in ('claimed', 'dmarc', 'provider', 'otp')),
  proven_at   timestamptz,
  created_at  timestamptz not null default now(),
  primary key (kind, value)
);
create index customer_identifiers_customer on customer_identifiers (customer_id);
comment on table customer_identifiers is 'Addresses of a customer, normalised, each with the best proof we have that it is theirs.';
comment on column customer_identifiers.kind is 'email or phone.';
comment on column customer_identifiers.value is 'Lower-case address or E.164 number.';
comment on column customer_identifiers.customer_id is 'Whose it is.';
comment on column customer_identifiers.proof is 'claimed: typed by somebody; dmarc: aligned mail; provider: vouched for by the channel; otp: one-time code.';
comment on column customer_identifiers.proven_at is 'When the proof was last given; null while only claimed.';
comment on column customer_identifiers.created_at is 'When we first saw it.';

-- What was said -------------------------------------------------------------------------------------------------------

create table conversations (
  id               uuid primary key default new_id(),
  channel          text not null,
  thread_key       text not null,
  customer_id      uuid,
  subject          text not null default '',
  status           text not null default 'open' check (status in ('open', 'waiting', 'resolved')),
  handler          text not null default 'agent' check (handler in ('agent', 'human')),
  epoch            int not null default 0,
  trust            smallint not null default 0 check (trust between 0 and 4),
  plan             text,
  language         text,
  sentiment        real check (sentiment between -1 and 1),
  summary          text not null default '',
  context_from     timestamptz,
  waiting_since    timestamptz,
  is_test          boolean not null default false,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  unique (channel, thread_key)
);
create index conversations_customer on conversations (customer_id, created_at);
create index conversations_waiting on conversations (waiting_since) where waiting_since is not null;
comment on table conversations is 'One thread with one customer on one channel.';
comment on column conversations.id is 'Time-ordered; never shown to a model.';
comment on column conversations.channel is 'web, gmail or whatsapp: the row in channel_configs.';
comment on column conversations.thread_key is 'What holds the thread together on its channel: the reference of a web ticket, a mail thread, a number. The lane is channel:thread_key.';
comment on column conversations.customer_id is 'Who writes; null until a worker has taken up the first message.';
comment on column conversations.subject is 'As the customer wrote it.';
comment on column conversations.status is 'open: we owe a word; waiting: the customer does; resolved.';
comment on column conversations.handler is 'agent, or human: the agent is silent until a person releases it.';
comment on column conversations.epoch is 'Moves whenever the handler changes. A turn that began in another epoch keeps nothing.';
comment on column conversations.trust is '0 claimed, 1 aligned mail, 2 reply to ours, 3 vouched for by the provider, 4 one-time code or login.';
comment on column conversations.plan is 'The plan claimed in this conversation.';
comment on column conversations.language is 'BCP-47 code the agent answers in.';
comment on column conversations.sentiment is 'Latest mood of the customer, -1 to +1.';
comment on column conversations.summary is 'What happened before the messages the agent still reads.';
comment on column conversations.context_from is 'The agent reads messages from here on; null: all of them.';
comment on column conversations.waiting_since is 'When the oldest unanswered word of the customer was received; null when we owe nothing.';
comment on column conversations.is_test is 'Made by POST /test/queue and removed by it.';
comment on column conversations.created_at is 'When it began.';
comment on column conversations.updated_at is 'When a turn last touched it.';

create table messages (
  id                 uuid primary key default new_id(),
  conversation_id    uuid not null,
  customer_id        uuid,
  channel            text not null,
  direction          text not null check (direction in ('inbound', 'outbound')),
  author             text not null check (author in ('customer', 'agent', 'person')),
  external_id        text,
  body               text not null,
  raw                bytea,
  kind               text,
  citations          jsonb not null default '[]',
  turn_id            uuid,
  idempotency_token  uuid,
  delivery           text check (delivery in ('pending', 'sending', 'sent', 'delivered', 'read', 'failed', 'unknown', 'cancelled')),
  vendor_id          text,
  possible_duplicate boolean not null default false,
  degraded           boolean not null default false,
  sent_at            timestamptz not null default now(),
  created_at         timestamptz not null default now(),
  unique (channel, external_id),
  unique (idempotency_token),
  check (direction = 'inbound' or (delivery is not null and idempotency_token is not null))
);
create index messages_conversation on messages (conversation_id, sent_at);
create index messages_sent_at on messages (sent_at);
comment on table messages is 'The log and the outbox: every word said, in both directions, for ever.';
comment on column messages.id is 'Time-ordered.';
comment on column messages.conversation_id is 'Where it was said.';
comment on column messages.customer_id is 'With whom.';
comment on column messages.channel is 'As in conversations; here so that (channel, external_id) can be unique.';
comment on column messages.direction is 'inbound or outbound.';
comment on column messages.author is 'customer, agent, or person (somebody of the team).';
comment on column messages.external_id is 'The vendor''s id of an inbound message; a second one is a repetition and is not stored.';
comment on column messages.body is 'The text that is shown.';
comment on column messages.raw is 'The message as it came, where the channel gives one.';
comment on column messages.kind is 'Of a reply: answer, clarifying_question, acknowledgement, refusal or handoff.';
comment on column messages.citations is 'What an answer stands on: [{passage, version, slug, title, url}].';
comment on column messages.turn_id is 'The turn that took it up or wrote it.';
comment on column messages.idempotency_token is 'Drawn before the first try to send; what a vendor is asked by after a crash.';
comment on column messages.delivery is 'pending, sending, sent, delivered, read, failed, unknown or cancelled; null for inbound.';
comment on column messages.vendor_id is 'The vendor''s id of an outbound message.';
comment on column messages.possible_duplicate is 'It cannot be ruled out that the customer got it twice.';
comment on column messages.degraded is 'Written by a fallback model, not by the one that was configured.';
comment on column messages.sent_at is 'When the customer sent it, or we did.';
comment on column messages.created_at is 'When the row was committed.';

create table delivery_events (
  id          bigint generated always as identity primary key,
  channel     text not null,
  vendor_id   text not null,
  message_id  uuid,
  status      text not null,
  payload     jsonb not null default '{}',
  received_at timestamptz not null default now()
);
create index delivery_events_vendor on delivery_events (channel, vendor_id);
comment on table delivery_events is 'Every status a vendor reported, in order of arrival, also for messages we do not know yet.';
comment on column delivery_events.id is 'Order of arrival.';
comment on column delivery_events.channel is 'Whose report.';
comment on column delivery_events.vendor_id is 'The vendor''s id of the message.';
comment on column delivery_events.message_id is 'Our message; null until it is known.';
comment on column delivery_events.status is 'The vendor''s word.';
comment on column delivery_events.payload is 'The report as it came.';
comment on column delivery_events.received_at is 'When it came.';

create sequence ticket_numbers;

create table tickets (
  id                    uuid primary key default new_id(),
  reference             text not null unique,
  conversation_id       uuid not null,
  customer_id           uuid,
  subject               text not null default '',
  category              text not null default 'general',
  priority              smallint not null default 4 check (priority between 1 and 10),
  priority_why          text not null default '',
  status                text not null default 'open' check (status in ('open', 'answered', 'escalated', 'resolved')),
  plan                  text,
  team                  text,
  assignee              text,
  escalation_reason     text,
  handoff_note          text,
  first_response_due_at timestamptz,
  first_response_met_at timestamptz,
  resolution_due_at     timestamptz,
  resolved_at           timestamptz,
  person_due_at         timestamptz,
  submission_key        text unique,
  submission_hash       bytea,
  created_at            timestamptz not null default now(),
  updated_at            timestamptz not null default now()
);
create index tickets_conversation on tickets (conversation_id);
create index tickets_customer on tickets (customer_id, created_at);
comment on table tickets is 'Work we owe a customer, with a reference they can quote and the times we promised.';
comment on column tickets.id is 'Time-ordered.';
comment on column tickets.reference is 'PREFIX-YYYYMMDD-XXXX, what the customer quotes.';
comment on column tickets.conversation_id is 'Where it is talked about.';
comment on column tickets.customer_id is 'Whose it is; null until a worker has taken up the first message.';
comment on column tickets.subject is 'One line.';
comment on column tickets.category is 'billing, technical, account, security, legal, feedback or general.';
comment on column tickets.priority is '1 (can wait) to 10 (now).';
comment on column tickets.priority_why is 'The rule or example that set the priority.';
comment on column tickets.status is 'open: not answered yet; answered: the customer''s turn; escalated: a person''s turn; resolved.';
comment on column tickets.plan is 'The plan claimed with it; chooses the row in sla_targets.';
comment on column tickets.team is 'Who it was escalated to.';
comment on column tickets.assignee is 'The person who owns it.';
comment on column tickets.escalation_reason is 'Why a person has it; null when none does.';
comment on column tickets.handoff_note is 'What the agent tells the colleague.';
comment on column tickets.first_response_due_at is 'When the first response is due, by the business hours of its calendar.';
comment on column tickets.first_response_met_at is 'When it was given; null while it is owed.';
comment on column tickets.resolution_due_at is 'When the resolution is due.';
comment on column tickets.resolved_at is 'When it was resolved.';
comment on column tickets.person_due_at is 'When a person''s word is due, once it is escalated.';
comment on column tickets.submission_key is 'Of a web form: the Idempotency-Key, so that a repeated submission finds its ticket.';
comment on column tickets.submission_hash is 'SHA-256 of the submitted form, so that the same key with another body is refused.';
comment on column tickets.created_at is 'When it was opened.';
comment on column tickets.updated_at is 'When a turn or a person last touched it.';

create function new_reference(prefix text) returns text language sql volatile as $$
  -- 387,420,489 is odd, so the numbers below 2^20 are only shuffled: no reference comes twice within a day's million.
  select prefix || '-' || to_char(now() at time zone 'UTC', 'YYYYMMDD') || '-'
         || string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', ((shuffled >> shift) & 31)::int + 1, 1), '' order by shift desc)
    from (select (nextval('ticket_numbers') * 387420489) & 1048575 as shuffled) drawn, unnest(array[0, 5, 10, 15]) as shift
$$;
comment on function new_reference(text) is 'Draws the next ticket reference: PREFIX-YYYYMMDD-XXXX, letters that cannot be mistaken for digits left out.';

-- What is promised ----------------------------------------------------------------------------------------------------

create table calendars (name text primary key, timezone text not null);
create table calendar_hours (
  calendar text not null references calendars on delete cascade,
  weekday  smallint not null check (weekday between 1 and 7),
  opens    time not null,
  closes   time not null check (closes > opens),
  primary key (calendar, weekday, opens)
);
create table calendar_holidays (
  calendar text not null references calendars on delete cascade,
  day      date not null,
  primary key (calendar, day)
);
comment on table calendars is 'Business hours by name. A target without a calendar counts every hour.';
comment on column calendars.name is 'As sla_targets and escalation_routes name it.';
comment on column calendars.timezone is 'IANA name, such as Europe/Berlin.';
comment on table calendar_hours is 'When a calendar is open.';
comment on column calendar_hours.calendar is 'Of which calendar.';
comment on column calendar_hours.weekday is 'ISO: 1 Monday to 7 Sunday.';
comment on column calendar_hours.opens is 'Local time.';
comment on column calendar_hours.closes is 'Local time.';
comment on table calendar_holidays is 'Days on which a calendar is closed.';
comment on column calendar_holidays.calendar is 'Of which calendar.';
comment on column calendar_holidays.day is 'Local date.';

create table sla_targets (
  category       text,
  plan           text,
  first_response interval not null check (first_response > interval '0'),
  resolution     interval not null check (resolution > interval '0'),
  calendar       text references calendars,
  unique nulls not distinct (category, plan)
);
comment on table sla_targets is 'How soon we answer and solve. The row that names category and plan wins, then plan, then category, then the one that names neither.';
comment on column sla_targets.category is 'null: any.';
comment on column sla_targets.plan is 'null: any.';
comment on column sla_targets.first_response is 'Time of open hours until the first response is due.';
comment on column sla_targets.resolution is 'Time of open hours until the resolution is due.';
comment on column sla_targets.calendar is 'Whose hours count; null: all hours.';

create table escalation_routes (
  category text primary key,
  team     text not null,
  assignee text,
  respond_within interval not null default interval '4 hours',
  calendar text references calendars
);
comment on table escalation_routes is 'Who gets what the agent hands over. The row general is the way out for every category without its own.';
comment on column escalation_routes.category is 'As tickets.category.';
comment on column escalation_routes.team is 'The name the customer and the model are told.';
comment on column escalation_routes.assignee is 'Who owns it from the first moment; null: the team does.';
comment on column escalation_routes.respond_within is 'Time of open hours until a person''s word is due.';
comment on column escalation_routes.calendar is 'Whose hours count; null: all hours.';

create function add_open_time(start timestamptz, span interval, calendar_name text) returns timestamptz
language plpgsql stable as $$
declare
  zone text; today date; slot record; remaining interval := span; opening timestamptz; closing timestamptz;
begin
  select timezone into zone from calendars where name = calendar_name;
  if zone is null then return start + span; end if;
  today := (start at time zone zone)::date;
  for i in 0..400 loop
    if not exists (select 1 from calendar_holidays h where h.calendar = calendar_name and h.day = today) then
      for slot in select opens, closes from calendar_hours
                   where calendar = calendar_name and weekday = extract(isodow from today) order by opens loop
        opening := greatest(start, (today + slot.opens) at time zone zone);
        closing := (today + slot.closes) at time zone zone;
        if closing > opening then
          if opening + remaining <= closing then return opening + remaining; end if;
          remaining := remaining - (closing - opening);
        end if;
      end loop;
    end if;
    today := today + 1;
  end loop;
  return start + span;  -- a calendar that never opens must not mean that nothing is ever due
end $$;
comment on function add_open_time(timestamptz, interval, text) is 'The moment at which so much open time of a calendar has passed; every hour counts when the calendar is null.';

create function due_times(for_category text, for_plan text, start timestamptz)
returns table (first_response_due_at timestamptz, resolution_due_at timestamptz) language sql stable as $$
  select add_open_time(start, t.first_response, t.calendar), add_open_time(start, t.resolution, t.calendar)
    from sla_targets t
   where (t.category is null or t.category = for_category) and (t.plan is null or t.plan = for_plan)
   order by t.plan is null, t.category is null
   limit 1
$$;
comment on function due_times(text, text, timestamptz) is 'When the first response and the resolution of a new ticket are due, by the row of sla_targets that fits best.';

create table channel_configs (
  channel           text primary key,
  is_on             boolean not null default true,
  mode              text not null default 'auto' check (mode = 'auto'),
  greeting          text not null default '',
  signature         text not null default '',
  max_chars         int not null check (max_chars > 0),
  preferred_chars   int not null check (preferred_chars > 0),
  quiet_cap_seconds real not null default 0,
  rate_per_address  int not null default 20,
  rate_per_ip       int not null default 60,
  rate_window       interval not null default interval '1 hour',
  templates         jsonb not null default '{}',
  cursor            text,
  watch_expires_at  timestamptz,
  updated_at        timestamptz not null default now()
);
comment on table channel_configs is 'One row per channel: whether it is on, how its replies look, and how much of it we take.';
comment on column channel_configs.channel is 'web, gmail or whatsapp.';
comment on column channel_configs.is_on is 'Off: nothing is taken in; what waits is still answered.';
comment on column channel_configs.mode is 'auto: the agent answers. The word draft, a person approves, is refused until somebody obeys it.';
comment on column channel_configs.greeting is 'Put before every reply; {name} is the customer''s first name.';
comment on column channel_configs.signature is 'Put after every reply.';
comment on column channel_configs.max_chars is 'A reply may never be longer.';
comment on column channel_configs.preferred_chars is 'A reply should not be longer.';
comment on column channel_configs.quiet_cap_seconds is 'How long a burst may put the answer off, at most; the quiet time itself is a setting, DEBOUNCE_SECONDS_*.';
comment on column channel_configs.rate_per_address is 'Messages one address may send per rate_window.';
comment on column channel_configs.rate_per_ip is 'Messages one network address may send per rate_window.';
comment on column channel_configs.rate_window is 'The window of both rates.';
comment on column channel_configs.templates is 'Approved templates of the vendor, by name.';
comment on column channel_configs.cursor is 'How far the channel has been read, as the vendor counts.';
comment on column channel_configs.watch_expires_at is 'When the vendor stops notifying us unless renewed.';
comment on column channel_configs.updated_at is 'When the row last changed.';

create table quotas (
  key        text primary key,
  level      double precision not null,
  is_won     boolean not null,
  updated_at timestamptz not null default clock_timestamp()
);
comment on table quotas is 'Rate limits, loop brakes and money spent: one row per thing that is limited.';
comment on column quotas.key is 'What is limited; addresses only as keyed hashes.';
comment on column quotas.level is 'Of a rate: what may still be taken; of spend:YYYY-MM-DD: US dollars spent.';
comment on column quotas.is_won is 'Whether the last to ask was let through.';
comment on column quotas.updated_at is 'When it was last asked.';

create function refilled(level double precision, since timestamptz, capacity int, refill_window interval)
returns double precision language sql stable as $$
  select least(capacity, level + capacity * extract(epoch from clock_timestamp() - since) / extract(epoch from refill_window))
$$;
comment on function refilled(double precision, timestamptz, int, interval) is 'What a bucket holds now that held level then.';

create function win_quota(quota_key text, capacity int, refill_window interval) returns interval language sql volatile as $$
  -- a bucket that refills evenly: null when one was taken, otherwise how long until one can be
  insert into quotas as q (key, level, is_won) values (quota_key, capacity - 1, true)
  on conflict (key) do update
     set level = refilled(q.level, q.updated_at, capacity, refill_window)
                 - (refilled(q.level, q.updated_at, capacity, refill_window) >= 1)::int,
         is_won = refilled(q.level, q.updated_at, capacity, refill_window) >= 1,
         updated_at = clock_timestamp()
  returning case when not is_won then (1 - level) * refill_window / capacity end
$$;
comment on function win_quota(text, int, interval) is 'Takes one from a bucket of so many per window: null when won, otherwise how long to wait.';
