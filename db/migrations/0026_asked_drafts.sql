-- Drafts that somebody of the team asked the agent for.

alter table drafts drop constraint drafts_source_check;
alter table drafts add constraint drafts_source_check check (source in ('agent', 'correction', 'asked'));
comment on column drafts.source is 'agent: the agent''s answer, where it may not answer alone; correction: an article the customer was told from has changed; asked: somebody of the team asked the agent for it, see draft_requests.';

alter table turns drop constraint turns_outcome_check;
alter table turns add constraint turns_outcome_check
  check (outcome in ('answered', 'asked', 'acknowledged', 'refused', 'escalated', 'closed', 'silent', 'drafted', 'suggested'));
comment on column turns.outcome is 'What the customer got: answered, asked, acknowledged, refused, escalated, closed (nothing was asked), silent (a person has it), drafted (nothing yet: a person decides), suggested (nothing: somebody of the team asked for a draft).';

create table draft_requests (
  id              uuid primary key default new_id(),
  conversation_id uuid not null,
  asked_by        text,
  asked_at        timestamptz not null default clock_timestamp(),
  said            bigint,
  state           text not null default 'open' check (state in ('open', 'written', 'nothing', 'failed', 'dropped')),
  why             text,
  ended_at        timestamptz
);
create unique index draft_requests_open on draft_requests (conversation_id) where state = 'open';
create index draft_requests_conversation on draft_requests (conversation_id, asked_at);
comment on table draft_requests is 'Drafts that somebody of the team asked the agent for, and what became of each. A conversation has one open at most.';
comment on column draft_requests.id is 'Time-ordered.';
comment on column draft_requests.conversation_id is 'What is to be answered.';
comment on column draft_requests.asked_by is 'Who asked, by e-mail or by the name of a key.';
comment on column draft_requests.asked_at is 'When.';
comment on column draft_requests.said is 'As count_said, when the agent read the conversation; null: it has not yet. The draft is kept only if nothing more was said.';
comment on column draft_requests.state is 'open: it is queued or being written; written: it is in drafts; nothing: the agent has no answer to offer; failed; dropped: something was said, or the matter was resolved, before it was there.';
comment on column draft_requests.why is 'Why there is none, for whoever asked; null: there is one, or none is needed any more.';
comment on column draft_requests.ended_at is 'When it was written, or given up.';
