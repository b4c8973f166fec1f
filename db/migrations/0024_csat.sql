-- Were they content: one question after a matter is resolved, and the mark they gave.

alter table channel_configs add column asks_csat boolean not null default false;
comment on column channel_configs.asks_csat is 'Whether customers are asked how content they are once their matter is resolved.';

create table csat (
  id              uuid primary key default new_id(),
  conversation_id uuid not null,
  customer_id     uuid,
  ticket_id       uuid unique,
  channel         text not null,
  about           text not null check (about in ('agent', 'person')),
  language        text,
  asked_at        timestamptz not null default clock_timestamp(),
  score           smallint check (score between 1 and 5),
  comment         text check (length(comment) <= 2000),
  answered_at     timestamptz,
  changed_at      timestamptz
);
create index csat_conversation on csat (conversation_id, asked_at);
create index csat_customer on csat (customer_id, asked_at);
create index csat_answered on csat (answered_at) where score is not null;
comment on table csat is 'How content customers were: one question for each matter that was resolved, at most one in seven days for each of them.';
comment on column csat.id is 'Time-ordered; signed, it is the link of the question.';
comment on column csat.conversation_id is 'After which conversation.';
comment on column csat.customer_id is 'Who was asked.';
comment on column csat.ticket_id is 'About which matter; null: it had no ticket.';
comment on column csat.channel is 'Where they were asked.';
comment on column csat.about is 'Whose help it was: person where somebody of the team answered, else agent.';
comment on column csat.language is 'In which language they were asked.';
comment on column csat.asked_at is 'When.';
comment on column csat.score is '1 (very bad) to 5 (very good); null: not answered.';
comment on column csat.comment is 'Their words, null where there are none. No model reads them.';
comment on column csat.answered_at is 'When they first gave a mark; for a week from then on they may change it.';
comment on column csat.changed_at is 'When they last did.';

comment on column messages.kind is 'Of a reply: answer, clarifying_question, acknowledgement, refusal, handoff, opt_out (the last word to somebody who wants no more of us) csat (the question whether they were content, which answers nothing and no model reads) or correction (of what an article had told them: it answers nothing that is owed). Of a customer: null for what is answered; reaction, sticker, edited, ephemeral or opt_out for what is only kept.';

insert into schedules (name, every) values ('csat', '5 minutes');
