-- The people of the team, how they and their machines get in, and the record of what was done.

create table people (
  id             uuid primary key default new_id(),
  email          text not null unique check (email = lower(email)),
  name           text not null,
  role           text not null check (role in ('agent', 'manager', 'admin')),
  password_hash  text not null,
  totp_secret    text,
  totp_last_step bigint,
  is_active      boolean not null default true,
  created_at     timestamptz not null default now(),
  last_seen_at   timestamptz
);
comment on table people is 'The team: who may log in, and as what.';
comment on column people.id is 'Time-ordered.';
comment on column people.email is 'What they log in with, lower-case; tickets.assignee names people by it.';
comment on column people.name is 'As they wrote it when they accepted their invitation.';
comment on column people.role is 'agent: answers customers; manager: decides how that is done; admin: decides who may. Each may what those before it may.';
comment on column people.password_hash is 'Argon2id with its parameters and salt.';
comment on column people.totp_secret is 'What their one-time codes are made from, together with APP_SECRET: this alone makes none. Null: no code is asked for.';
comment on column people.totp_last_step is 'The last 30 seconds, counted from 1970, whose code was used: no code of then or before is good again.';
comment on column people.is_active is 'Whether they may log in. Nobody is deleted: what they did keeps their name.';
comment on column people.created_at is 'When they accepted their first invitation.';
comment on column people.last_seen_at is 'When they last asked for anything, to the minute.';

create table invitations (
  token_hash bytea primary key,
  email      text not null check (email = lower(email)),
  role       text not null check (role in ('agent', 'manager', 'admin')),
  invited_by text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null default now() + interval '7 days',
  used_at    timestamptz
);
create unique index invitations_open on invitations (email) where used_at is null;
comment on table invitations is 'One-time links by which somebody joins, or sets a new password. A new one for the same e-mail takes the place of the old.';
comment on column invitations.token_hash is 'SHA-256 of what the link ends in; the link itself is kept nowhere.';
comment on column invitations.email is 'Whom it is for, lower-case.';
comment on column invitations.role is 'What they will be; who is active stays what they are.';
comment on column invitations.invited_by is 'The name of who made it.';
comment on column invitations.created_at is 'When it was made.';
comment on column invitations.expires_at is 'When the link stops working.';
comment on column invitations.used_at is 'When it was accepted; null: not yet.';

create table sessions (
  id_hash      bytea primary key,
  person_id    uuid references people (id),
  token_hash   bytea,
  browser      text,
  created_at   timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  expires_at   timestamptz not null default now() + interval '24 hours',
  ended_at     timestamptz,
  check ((person_id is null) = (token_hash is not null))
);
create index sessions_of_person on sessions (person_id) where ended_at is null;
create index sessions_by_expiry on sessions (expires_at);
comment on table sessions is 'Who is logged in with which browser.';
comment on column sessions.id_hash is 'SHA-256 of the 256 random bits in the browser''s cookie, which are kept nowhere else.';
comment on column sessions.person_id is 'Whose it is; null: of whoever logged in with ADMIN_TOKEN.';
comment on column sessions.token_hash is 'Keyed hash of the ADMIN_TOKEN it was opened with: a new token ends it. Null for people.';
comment on column sessions.browser is 'Browser and system in a few words, as the browser told them.';
comment on column sessions.created_at is 'When somebody logged in.';
comment on column sessions.last_seen_at is 'When it was last used, to the minute; eight hours later it is over.';
comment on column sessions.expires_at is 'When it is over however much it is used.';
comment on column sessions.ended_at is 'When it was ended before that: by logging out, or by what took the right to it.';

create table api_keys (
  id           uuid primary key default new_id(),
  prefix       text not null,
  key_hash     bytea not null unique,
  name         text not null,
  scopes       text[] not null check (scopes <@ '{read,write,manage}' and cardinality(scopes) > 0),
  created_by   text not null,
  created_at   timestamptz not null default now(),
  expires_at   timestamptz not null,
  last_used_at timestamptz,
  revoked_at   timestamptz
);
comment on table api_keys is 'What machines get in with. None may what only an admin may.';
comment on column api_keys.id is 'Time-ordered.';
comment on column api_keys.prefix is 'How the key begins, to tell it from others.';
comment on column api_keys.key_hash is 'SHA-256 of the key, which was shown once and is kept nowhere.';
comment on column api_keys.name is 'What it is for, in the words of who made it.';
comment on column api_keys.scopes is 'read: look at what an agent may; write: change what an agent may; manage: all that a manager may.';
comment on column api_keys.created_by is 'The name of who made it.';
comment on column api_keys.created_at is 'When it was made.';
comment on column api_keys.expires_at is 'When it stops working.';
comment on column api_keys.last_used_at is 'When it was last used, to the minute.';
comment on column api_keys.revoked_at is 'When an admin took it back.';

create table audit (
  id         bigint generated always as identity primary key,
  at         timestamptz not null default clock_timestamp(),
  actor_kind text not null check (actor_kind in ('person', 'key', 'token', 'agent', 'stranger')),
  actor_id   uuid,
  actor_name text not null,
  action     text not null,
  about      text not null,
  details    jsonb not null default '{}'
);
create index audit_by_time on audit (at);
create index audit_by_thing on audit (about, at);
create index audit_by_actor on audit (actor_name, id);
comment on table audit is 'What people, their machines and the agent did, views of customers included. Rows are only ever added.';
comment on column audit.id is 'Rises in the order in which rows were begun.';
comment on column audit.at is 'When.';
comment on column audit.actor_kind is 'person, key (a machine of the team''s), token (whoever held ADMIN_TOKEN), agent (the model), stranger (nobody we know).';
comment on column audit.actor_id is 'Of people or api_keys; null for everybody else.';
comment on column audit.actor_name is 'E-mail of a person, name of a key, ADMIN_TOKEN, or what a stranger claimed; of an unknown e-mail its keyed hash.';
comment on column audit.action is 'What was done, such as login, view or role_changed.';
comment on column audit.about is 'What it was done to: conversation:UUID, customer:UUID, person:UUID, key:UUID, ticket:REF and the like.';
comment on column audit.details is 'What else is to be known; never a secret, never a customer''s words.';

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the table % only takes new rows', tg_table_name using errcode = 'insufficient_privilege';
end $$;
comment on function refuse_change() is 'The trigger of tables that only ever grow.';
create trigger audit_only_grows before update or delete or truncate on audit for each statement execute function refuse_change();
