-- What a long conversation is remembered by, and where a matter that is over ends.

alter table conversations
  add column summary_through uuid,
  add column summary_by text,
  add column summary_usd numeric(12, 6) not null default 0,
  add column settled_at timestamptz;
comment on column conversations.summary is 'What was said from context_from to summary_through, which is more than the agent reads word for word.';
comment on column conversations.summary_through is 'The last message that the summary holds, in the order of sent_at and id; null: there is none.';
comment on column conversations.summary_by is 'The model that wrote the summary; null: it was put together from the log without one.';
comment on column conversations.summary_usd is 'US dollars that all its summaries have cost; they belong to no turn.';
comment on column conversations.settled_at is 'When the agent last had nothing more to do here; null while something is open. Past a day it is another matter that the customer writes about.';
comment on column conversations.context_from is 'The agent reads messages from here on; null: all of them. It moves to the last word on a matter once that is over.';
comment on column turns.prompt_version is 'Hash of the policy text in force when it was taken up, also where no model was asked (model is then null, or policy).';
comment on column message_queue.kind is 'inbound, deliver, index_article, summarise, or the name of a row of schedules.';
