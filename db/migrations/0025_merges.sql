-- Two customers who are one person: proposed, decided and undone by people, with a record of what moved.

create table customer_merges (
  id            uuid primary key default new_id(),
  kept_id       uuid not null,
  merged_id     uuid not null check (merged_id <> kept_id),
  state         text not null default 'proposed' check (state in ('proposed', 'merged', 'undone', 'declined')),
  reason        text not null default '' check (length(reason) <= 500),
  proposed_by   text,
  proposed_at   timestamptz not null default clock_timestamp(),
  decided_by    text,
  decided_at    timestamptz,
  undone_by     text,
  undone_at     timestamptz,
  identifiers   text[] not null default '{}',
  conversations uuid[] not null default '{}',
  check ((state = 'proposed') = (decided_at is null)),
  check ((state = 'undone') = (undone_at is not null))
);
create unique index customer_merges_proposed on customer_merges (least(kept_id, merged_id), greatest(kept_id, merged_id)) where state = 'proposed';
create unique index customer_merges_in_force on customer_merges (merged_id) where state = 'merged';
create index customer_merges_kept on customer_merges (kept_id);
create index customer_merges_merged on customer_merges (merged_id);
comment on table customer_merges is 'That two customers are one person: who said so, who decided, what moved. Rows stay when a merge is declined or undone.';
comment on column customer_merges.id is 'Time-ordered.';
comment on column customer_merges.kept_id is 'The customer who stays.';
comment on column customer_merges.merged_id is 'The customer whose addresses and conversations are the other''s while the merge is in force; their row stays.';
comment on column customer_merges.state is 'proposed: nothing has moved; merged: in force; undone: all is back; declined: they are two.';
comment on column customer_merges.reason is 'Why they are thought to be one, in the words of who proposed it.';
comment on column customer_merges.proposed_by is 'Who proposed it: the e-mail of a person, or the name of a key.';
comment on column customer_merges.proposed_at is 'When.';
comment on column customer_merges.decided_by is 'Who merged them, or declined to, by e-mail; null: nobody yet.';
comment on column customer_merges.decided_at is 'When.';
comment on column customer_merges.undone_by is 'Who undid it, by e-mail.';
comment on column customer_merges.undone_at is 'When.';
comment on column customer_merges.identifiers is 'The addresses that moved, each as kind:value.';
comment on column customer_merges.conversations is 'The conversations that moved; their tickets, messages and marks go with them.';

-- a mail and a chat name in their thread_key who writes; of a form only this does
alter table conversations add column claimed_email text;
comment on column conversations.claimed_email is 'The e-mail that was typed into the web form, lower-case: whose conversation it is when a merge is undone. Null elsewhere, and of forms before this column.';
update conversations c set claimed_email = q.payload->'customer'->>'value'
  from message_queue q
 where c.channel = 'web' and c.customer_id is null and q.lane = 'web:' || c.thread_key and q.kind = 'inbound'
   and q.payload->'customer'->>'value' is not null;

-- how long a name in a mail may be is for whoever wrote it to say; an index has its limits
create index customers_name on customers (left(lower(name), 100), id desc);
comment on column conversations.epoch is 'Moves whenever what a turn in the making goes by no longer holds: the handler changed, a word was taken back, customers were merged or parted. A turn that began in another epoch keeps nothing.';
