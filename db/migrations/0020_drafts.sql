-- Replies that wait for somebody's approval, and how much the agent may do without it.

create table drafts (
  id              uuid primary key default new_id(),
  conversation_id uuid not null,
  channel         text not null,
  category        text not null,
  source          text not null check (source in ('agent', 'correction')),
  body            text not null,
  citations       jsonb not null default '[]',
  kind            text not null default 'answer',
  turn_id         uuid,
  note            text,
  state           text not null default 'pending' check (state in ('pending', 'approved', 'edited', 'rejected', 'superseded')),
  created_at      timestamptz not null default clock_timestamp(),
  decided_by      text,
  decided_at      timestamptz,
  sent_reply      uuid,
  distance        real check (distance between 0 and 1)
);
create unique index drafts_pending on drafts (conversation_id, source) where state = 'pending';
create index drafts_decided on drafts (channel, category, decided_at) where source = 'agent';
create index drafts_sent on drafts (sent_reply) where sent_reply is not null;
comment on table drafts is 'Replies that are sent only once somebody of the team approves, and what became of each.';
comment on column drafts.id is 'Time-ordered.';
comment on column drafts.conversation_id is 'Where it would be said.';
comment on column drafts.channel is 'Of the conversation.';
comment on column drafts.category is 'What it was about, when it was written.';
comment on column drafts.source is 'agent: the agent''s answer, where it may not answer alone; correction: an article the customer was told from has changed.';
comment on column drafts.body is 'The text, as the customer would read it.';
comment on column drafts.citations is 'What it stands on, as messages.citations.';
comment on column drafts.kind is 'As messages.kind.';
comment on column drafts.turn_id is 'The turn that wrote it; null: no turn did.';
comment on column drafts.note is 'Why it was written, for whoever decides.';
comment on column drafts.state is 'pending; approved: sent as it was; edited: sent in other words; rejected; superseded: the customer wrote again, or somebody else answered, before anybody decided.';
comment on column drafts.created_at is 'When it was written.';
comment on column drafts.decided_by is 'Who decided, by e-mail; null: nobody yet, or nobody had to.';
comment on column drafts.decided_at is 'When.';
comment on column drafts.sent_reply is 'messages.reply_id of what was sent.';
comment on column drafts.distance is 'How much was changed before it was sent: 0 nothing, 1 everything.';

create table autonomy (
  channel    text not null,
  category   text not null,
  mode       text not null check (mode in ('off', 'draft', 'auto')),
  why        text not null default '',
  decided_by text,
  decided_at timestamptz not null default clock_timestamp(),
  primary key (channel, category)
);
comment on table autonomy is 'How much the agent may do alone, where it differs from channel_configs.mode.';
comment on column autonomy.channel is 'As channel_configs.channel.';
comment on column autonomy.category is 'As tickets.category.';
comment on column autonomy.mode is 'off: a person answers; draft: a person approves what the agent wrote; auto: the agent answers.';
comment on column autonomy.why is 'The numbers it was decided by.';
comment on column autonomy.decided_by is 'Who decided, by e-mail; null: it fell back to draft by itself.';
comment on column autonomy.decided_at is 'When. Only what happened since counts for the next decision.';

create table autonomy_limits (
  approvals_from  int not null,
  unedited_above  real not null,
  trouble_above   real not null,
  answers_from    int not null,
  only_one        boolean primary key default true check (only_one)
);
comment on table autonomy_limits is 'From what on a category is proposed for auto, and falls back from it: one row, to be changed by hand.';
comment on column autonomy_limits.approvals_from is 'Fewer decided drafts propose nothing.';
comment on column autonomy_limits.unedited_above is 'The lower bound (95 %, Wilson) of the share of drafts approved as they were has to be above this.';
comment on column autonomy_limits.trouble_above is 'A category falls back to draft when the lower bound of the share of answers that were followed by a person or a bad mark is above this.';
comment on column autonomy_limits.answers_from is 'Fewer answers never make a category fall back.';
comment on column autonomy_limits.only_one is 'There is one row.';
insert into autonomy_limits (approvals_from, unedited_above, trouble_above, answers_from) values (20, 0.85, 0.15, 10);

alter table channel_configs drop constraint channel_configs_mode_check;
alter table channel_configs add constraint channel_configs_mode_check check (mode in ('off', 'draft', 'auto'));
comment on column channel_configs.mode is 'How much the agent may do alone on this channel, where autonomy says nothing of a category: off, draft or auto.';

alter table turns drop constraint turns_outcome_check;
alter table turns add constraint turns_outcome_check
  check (outcome in ('answered', 'asked', 'acknowledged', 'refused', 'escalated', 'closed', 'silent', 'drafted'));
comment on column turns.outcome is 'What the customer got: answered, asked, acknowledged, refused, escalated, closed (nothing was asked), silent (a person has it), drafted (nothing yet: a person decides).';

insert into schedules (name, every) values ('autonomy', '1 hour');
