-- What a turn was given, so that it can be run again.

alter table turns add column brief jsonb;
comment on column turns.brief is 'What the agent was given, but for the words: these are messages, named by id (history) and external_id (burst). Null where it was not to speak.';
