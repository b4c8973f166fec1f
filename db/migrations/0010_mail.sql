-- Mail: every mail as it came, how far the mailbox was read, and what is ours.

create table mails (
  id          text primary key,
  thread_id   text not null,
  message_id  text,
  verdict     text not null check (verdict in ('customer', 'late', 'robot', 'bounce', 'own', 'person', 'parked')),
  why         text not null,
  thread_key  text,
  arrived_at  timestamptz not null,
  raw         bytea,
  created_at  timestamptz not null default clock_timestamp()
);
create index mails_message_id on mails (message_id);
create index mails_thread on mails (thread_id, arrived_at);
create index mails_thread_key on mails (thread_key, arrived_at);
create index mails_parked on mails (arrived_at) where verdict = 'parked';
create index mails_fading on mails (arrived_at) where verdict in ('robot', 'own') and raw is not null;
comment on table mails is 'Every mail of the mailbox as it came, also those nobody is to answer, and what was made of it.';
comment on column mails.id is 'Gmail''s id; messages.external_id or messages.vendor_id of the message it became.';
comment on column mails.thread_id is 'Gmail''s thread.';
comment on column mails.message_id is 'The Message-ID header, without < and >.';
comment on column mails.verdict is 'customer: queued for an answer; late: too old to be answered by a machine, a person was called; robot: closed without an answer; bounce: a mail of ours came back; own: sent by us; person: typed by somebody of the team in Gmail; parked: it could not be read, somebody must look.';
comment on column mails.why is 'The sign that decided, in words.';
comment on column mails.thread_key is 'The conversation it belongs to, as conversations.thread_key; null where there is none.';
comment on column mails.arrived_at is 'When Gmail had it.';
comment on column mails.raw is 'All of it, as Gmail gave it; null where it could not be fetched, and a month after a robot''s or our own.';
comment on column mails.created_at is 'When we had it.';

alter table channel_configs
  add column synced_at     timestamptz,
  add column red_since     timestamptz,
  add column red_reason    text,
  add column own_addresses text[] not null default '{}',
  add column own_lists     text[] not null default '{}',
  add column receivers     text[] not null default '{}',
  add column replies_per_address int check (replies_per_address > 0);
comment on column channel_configs.synced_at is 'When the channel was last read to its end.';
comment on column channel_configs.red_since is 'Since when the vendor refuses us; null: it does not.';
comment on column channel_configs.red_reason is 'Why, and what to do.';
comment on column channel_configs.own_addresses is 'Further addresses of ours: aliases, and addresses that forward to the mailbox. Mail from them is no customer''s.';
comment on column channel_configs.own_lists is 'List-Ids of our own groups, such as support.example.com: they say nothing about who writes.';
comment on column channel_configs.receivers is 'Mail servers whose Authentication-Results are believed, as they name themselves.';

comment on column channel_configs.replies_per_address is 'Replies of the agent one customer may get per day, over all their conversations on the channel; null: no limit.';

insert into channel_configs (channel, greeting, signature, max_chars, preferred_chars, quiet_cap_seconds, receivers,
                             replies_per_thread, replies_per_address, replies_per_domain) values
  ('gmail', '{hello} {name},', '', 8000, 1200, 60, '{mx.google.com}', 3, 10, 60);

comment on column channel_configs.greeting is 'Put before every reply; {name} is the customer''s first name, {hello} the word of greeting in the language of the reply.';

insert into schedules (name, every) values ('gmail_watch', '1 day');

insert into alarm_limits (alarm, unit, shown_from, person_from) values
  ('channel_red', 'channels', 1, 1),
  ('channel_unread', 'seconds', 900, 900),     -- polled every two minutes, and notified besides
  ('mail_parked', 'mails', 1, 1);
