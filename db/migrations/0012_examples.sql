-- What the agent learns from: labelled messages, as rows that people add to by correcting it.

create table examples (
  id               bigint generated always as identity primary key,
  text             text not null check (text <> ''),
  content_hash     text generated always as (content_hash(text)) stored,
  language         text not null default 'en',
  category         text not null check (category in ('billing', 'technical', 'account', 'security', 'legal', 'feedback', 'general')),
  sentiment        text not null check (sentiment in ('positive', 'neutral', 'negative', 'angry')),
  reasons          text[] not null default '{}',
  information_only boolean not null default false,
  source           text not null check (source in ('shipped', 'person')),
  message_id       uuid references messages (id) on delete cascade,
  changed_at       timestamptz not null default now(),
  unique (content_hash, source)
);
create index examples_changed_at on examples (changed_at);
create index examples_message on examples (message_id) where message_id is not null;
comment on table examples is 'Labelled messages: the queue, the mood and the reasons to hand over of a new message are judged by those it resembles. Workers have learnt a change within a minute or two.';
comment on column examples.text is 'What a customer wrote, or might have.';
comment on column examples.content_hash is 'Of the text: of the same words a person''s labels count before the shipped ones.';
comment on column examples.language is 'Two letters.';
comment on column examples.category is 'The queue it belongs to.';
comment on column examples.sentiment is 'The mood it was written in.';
comment on column examples.reasons is 'Why a person must or should see it, by the names that tickets.escalation_reason has; empty: no reason.';
comment on column examples.information_only is 'It asks how something works; the customer has no case of their own.';
comment on column examples.source is 'shipped: came with the code and follows it; person: somebody of the team corrected the agent, which the code never overwrites.';
comment on column examples.message_id is 'The customer''s message it was made from, with which it is deleted.';
comment on column examples.changed_at is 'When it was added or its labels changed.';

create table example_embeddings (
  example_id bigint not null references examples (id) on delete cascade,
  model      text not null,
  embedding  vector not null,
  primary key (model, example_id)
);
comment on table example_embeddings is 'Vectors of the examples, made by the workers that have a local embedding model.';
comment on column example_embeddings.example_id is 'Whose.';
comment on column example_embeddings.model is 'Which model made it; vectors of two models are never compared.';
comment on column example_embeddings.embedding is 'A unit vector.';

create table example_fits (
  digest  text primary key,
  made_at timestamptz not null default now(),
  fit     bytea not null
);
comment on table example_fits is 'What was learnt of the examples, kept so that a process need not learn it again; may be emptied at any time.';
comment on column example_fits.digest is 'Of the examples, of the code that reads them and of the embedding model.';
comment on column example_fits.made_at is 'When it was learnt or last asked for.';
comment on column example_fits.fit is 'Arrays, as agent/fit.py packs them.';
