-- The inbox: what the team writes down beside a conversation, and answers that can be taken back.

alter table conversations
  add column snoozed_until timestamptz,
  add column tags text[] not null default '{}';
comment on column conversations.snoozed_until is 'Not shown among those who wait before this time, unless the customer writes again; null: shown.';
comment on column conversations.tags is 'Words the team put on it, in the order they were put.';
create index conversations_updated on conversations (updated_at desc) where not is_test;
create index conversations_resolved on conversations (updated_at desc) where status = 'resolved' and not is_test;

alter table tickets add column sorted_by text;
comment on column tickets.sorted_by is 'Who of the team said what it is about, by e-mail: the agent no longer says otherwise; null: nobody.';

alter table messages
  add column sent_by text,
  add column held_until timestamptz;
comment on column messages.sent_by is 'Which person wrote it, by e-mail; null: not a person, or nobody knows.';
comment on column messages.held_until is 'Until when whoever wrote it may take it back; null: it went at once.';
create index messages_words on messages using gin (to_tsvector('simple', body));

create table notes (
  id              uuid primary key default new_id(),
  conversation_id uuid not null,
  author          text not null,
  body            text not null,
  created_at      timestamptz not null default now()
);
create index notes_conversation on notes (conversation_id, created_at);
comment on table notes is 'What the team tells itself about a conversation. No customer and no model reads it.';
comment on column notes.id is 'Time-ordered.';
comment on column notes.conversation_id is 'About which conversation.';
comment on column notes.author is 'Who wrote it, by e-mail.';
comment on column notes.body is 'Text.';
comment on column notes.created_at is 'When it was written.';

create table canned_replies (
  name       text primary key check (name ~ '^\S(.{0,78}\S)?$'),
  body       text not null,
  updated_by text not null,
  updated_at timestamptz not null default now()
);
comment on table canned_replies is 'Answers the team gives often; {name} is the customer''s first name, {reference} the ticket, {company} ours.';
comment on column canned_replies.name is 'What they are chosen by.';
comment on column canned_replies.body is 'The text with its placeholders.';
comment on column canned_replies.updated_by is 'Who last changed it, by e-mail.';
comment on column canned_replies.updated_at is 'When.';

create unlogged table presences (
  conversation_id uuid not null,
  who             text not null,
  seen_at         timestamptz not null default clock_timestamp(),
  primary key (conversation_id, who)
);
comment on table presences is 'Who has a conversation open in a browser. Not kept over a crash: it is stale within seconds.';
comment on column presences.conversation_id is 'Which conversation.';
comment on column presences.who is 'Who, by e-mail.';
comment on column presences.seen_at is 'When the page last said so.';

-- with who does it; called with less they do what they did
drop function if exists take_over(text);
drop function if exists hand_back(text);
drop function if exists settle_elsewhere(text);
drop function if exists add_person_message(text, text[], uuid);
