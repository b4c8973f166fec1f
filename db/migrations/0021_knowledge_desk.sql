-- The team's desk of knowledge: who wrote which version, what is proposed, and who was told what no longer holds.

alter table knowledge_base
  add column written_by text,
  add column retired_by text,
  add column retired_at timestamptz;
comment on column knowledge_base.written_by is 'Who of the team published this version, by e-mail or the name of a key; null: it was imported.';
comment on column knowledge_base.retired_by is 'Who retired it; null: nobody did, or it was done from the terminal.';
comment on column knowledge_base.retired_at is 'When it was retired; null: it was not.';

create table article_proposals (
  id                  uuid primary key default new_id(),
  slug                text,
  based_on            int,
  title               text not null,
  body                text not null,
  questions           text[] not null default '{}',
  fields              jsonb not null default '{}',
  source_message      uuid,
  source_conversation uuid,
  state               text not null default 'proposed' check (state in ('proposed', 'published', 'declined')),
  proposed_by         text not null,
  created_at          timestamptz not null default clock_timestamp(),
  decided_by          text,
  decided_at          timestamptz,
  check ((state = 'proposed') = (decided_at is null))
);
create index article_proposals_open on article_proposals (created_at) where state = 'proposed';
create index article_proposals_source on article_proposals (source_conversation) where source_conversation is not null;
comment on table article_proposals is 'Articles, and changes of articles, that wait for a manager. Nothing of them is found or cited before one publishes them.';
comment on column article_proposals.id is 'Time-ordered.';
comment on column article_proposals.slug is 'The article it changes; null: it would be a new one.';
comment on column article_proposals.based_on is 'The version whose text was edited; null: the text is something to add.';
comment on column article_proposals.title is 'As customers would read it.';
comment on column article_proposals.body is 'Markdown.';
comment on column article_proposals.questions is 'Wordings of customers that it would answer.';
comment on column article_proposals.fields is 'What else its author chose: category, visibility, plan, language, supersedes.';
comment on column article_proposals.source_message is 'The message of a person, or the question without an answer, that it was made from; null: from none.';
comment on column article_proposals.source_conversation is 'Where that was said.';
comment on column article_proposals.state is 'proposed, published or declined.';
comment on column article_proposals.proposed_by is 'Who, by e-mail or the name of a key.';
comment on column article_proposals.created_at is 'When.';
comment on column article_proposals.decided_by is 'Who published or declined it; null: nobody yet.';
comment on column article_proposals.decided_at is 'When.';

create table article_corrections (
  reply_id   uuid,
  article_id bigint references knowledge_base on delete cascade,
  draft_id   uuid not null,
  made_by    text not null,
  made_at    timestamptz not null default clock_timestamp(),
  primary key (reply_id, article_id)
);
comment on table article_corrections is 'For which answers a correction was drafted, so that nobody is corrected twice for the same change.';
comment on column article_corrections.reply_id is 'The answer that told what no longer holds: messages.reply_id, or messages.id where it has none.';
comment on column article_corrections.article_id is 'The version of the article by which it was judged.';
comment on column article_corrections.draft_id is 'The draft.';
comment on column article_corrections.made_by is 'Who found it wrong.';
comment on column article_corrections.made_at is 'When.';

create index messages_cited_at on messages (sent_at) where citations <> '[]';
create index messages_citations on messages using gin (citations jsonb_path_ops) where citations <> '[]';
create index turns_unanswered on turns (started_at) where state = 'done' and outcome in ('asked', 'escalated', 'refused');
