-- Telling people: who is told that a customer needs a person, by mail and by outgoing webhooks, and who waits in the morning.

alter table escalation_routes
  add column notify text[] not null default '{}' check (array_to_string(notify, ' ', '?') !~ '[^!-~ ]|[<>,;]' and array_position(notify, null) is null);
comment on column escalation_routes.notify is 'E-mail addresses that are told of an escalation nobody is assigned to; empty: everybody active of the team.';

create table notices (
  id              uuid primary key default new_id(),
  conversation_id uuid not null,
  reason          text not null,
  made_at         timestamptz not null default clock_timestamp(),
  seen_at         timestamptz,
  told_at         timestamptz,
  error           text
);
create unique index notices_open on notices (conversation_id) where seen_at is null;
comment on table notices is 'That a customer needs a person: at most one open one for each conversation, until somebody of the team has looked at it.';
comment on column notices.id is 'Time-ordered; the id of what is told.';
comment on column notices.conversation_id is 'Whose customer needs a person.';
comment on column notices.reason is 'Why, as tickets.escalation_reason; wrote_again: the customer wrote in a conversation that a person has.';
comment on column notices.made_at is 'When that came about; the same commit wrote both.';
comment on column notices.seen_at is 'When somebody of the team opened the conversation or took it over; null: nobody has.';
comment on column notices.told_at is 'When the first mail was sent, or the first webhook took it; null: nobody was told yet.';
comment on column notices.error is 'Why nobody could be told, or not in one of the ways.';

create table team_mails (
  id         uuid primary key default gen_random_uuid(),
  notice_id  uuid references notices (id) on delete cascade,
  recipients text[] not null check (cardinality(recipients) > 0),
  state      text not null default 'pending' check (state in ('pending', 'sent', 'skipped', 'failed', 'unknown')),
  draft_id   text,
  vendor_id  text,
  made_at    timestamptz not null default clock_timestamp(),
  sent_at    timestamptz,
  error      text
);
create index team_mails_of_notice on team_mails (notice_id);
comment on table team_mails is 'Mails to the team itself, by its own mailbox. What they say is written when they are sent and not kept here.';
comment on column team_mails.id is 'Drawn before the first try; its Message-ID is made from it, so that no try is repeated blindly.';
comment on column team_mails.notice_id is 'What it tells of; null: the daily list of who waits.';
comment on column team_mails.recipients is 'To whom: e-mail addresses.';
comment on column team_mails.state is 'pending; sent; skipped (there was no need any more, or no mailbox); failed (it surely was not sent); unknown (nobody can tell).';
comment on column team_mails.draft_id is 'Gmail''s draft, kept before it is sent.';
comment on column team_mails.vendor_id is 'Gmail''s id of the mail that was sent.';
comment on column team_mails.made_at is 'When it was queued.';
comment on column team_mails.sent_at is 'When Gmail took it.';
comment on column team_mails.error is 'Why it was skipped or failed, or that it came back.';

create table webhooks (
  id          uuid primary key default new_id(),
  url         text not null check (url ~ '^https?://[!-~]+$'),
  secret      text not null,
  events      text[] not null check (events <@ '{person_needed,resolved,answered_by_person}' and cardinality(events) > 0),
  is_on       boolean not null default true,
  created_by  text not null,
  created_at  timestamptz not null default now(),
  last_at     timestamptz,
  last_status int,
  last_error  text,
  failures    int not null default 0
);
comment on table webhooks is 'Where other programs are told what happens here, signed, without any customer''s words.';
comment on column webhooks.id is 'Time-ordered.';
comment on column webhooks.url is 'https, on port 443 and at a public address; the sender refuses anything else but the one place WEBHOOK_TEST_ORIGIN names.';
comment on column webhooks.secret is 'Key of the signatures. Shown once, when the webhook was added.';
comment on column webhooks.events is 'Of what it is told.';
comment on column webhooks.is_on is 'Whether it is told anything. 410 Gone switches it off.';
comment on column webhooks.created_by is 'Who added it.';
comment on column webhooks.created_at is 'When.';
comment on column webhooks.last_at is 'When it was last tried.';
comment on column webhooks.last_status is 'What it answered then; null: nothing.';
comment on column webhooks.last_error is 'What went wrong then; null: it took it.';
comment on column webhooks.failures is 'Tries since it last took something.';

insert into schedules (name, every, next_run_at) values
  ('digest', '1 day', ((now() at time zone 'UTC')::date + (case when (now() at time zone 'UTC')::time < '07:00' then 0 else 1 end)
                       + time '07:00') at time zone 'UTC');

insert into alarm_limits (alarm, unit, shown_from, person_from) values
  ('nobody_told', 'customers', 1, 1);  -- whoever watches /health/detailed is then the only one who can know

comment on column message_queue.kind is 'inbound, deliver, index_article, summarise, notify, team_mail, post, or the name of a row of schedules.';
