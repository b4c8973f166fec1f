-- What was promised and whether it held: the clock that stands still while we owe nothing, breaches, and warnings before them.

alter table tickets
  add column calendar text,
  add column paused_since timestamptz,
  add column paused_for interval,
  add column first_response_breached_at timestamptz,
  add column resolution_breached_at timestamptz,
  add column person_breached_at timestamptz,
  add column warned_at timestamptz;
comment on column tickets.calendar is 'Whose open hours its due times count, as the row of sla_targets said when it was opened; null: all hours.';
comment on column tickets.paused_since is 'Since when the clock of the resolution stands still, because nothing of ours is owed; null: it runs.';
comment on column tickets.paused_for is 'Open time for which it stood still before that; null: opened before this was counted, and no breach of its resolution is recorded.';
comment on column tickets.first_response_breached_at is 'When the first response was due, and was not there. Never unset.';
comment on column tickets.resolution_breached_at is 'When the resolution was due, and was not there. Never unset.';
comment on column tickets.person_breached_at is 'When a person''s word was first due, and was not there. Never unset.';
comment on column tickets.warned_at is 'When it was said that little is left until it is due; before waiting_since of the conversation: of an earlier wait.';

update tickets k set calendar = t.calendar from (
  select k.id, (select t.calendar from sla_targets t where (t.category is null or t.category = k.category) and (t.plan is null or t.plan = k.plan)
                 order by t.plan is null, t.category is null limit 1) as calendar from tickets k) t where t.id = k.id and t.calendar is not null;
update tickets k set paused_since = k.updated_at from conversations c where c.id = k.conversation_id and c.waiting_since is null;
alter table tickets alter column paused_for set default '0';

create index tickets_first_response on tickets (first_response_due_at)
  where first_response_met_at is null and first_response_breached_at is null and paused_since is null and resolved_at is null;
create index tickets_resolution on tickets (resolution_due_at)
  where resolved_at is null and resolution_breached_at is null and paused_since is null and paused_for is not null;

create table sla_limits (
  warn_below real not null check (warn_below between 0 and 1),
  only_one   boolean primary key default true check (only_one)
);
comment on table sla_limits is 'From when on the team is warned: one row.';
comment on column sla_limits.warn_below is 'Share of the promised open time: less is left, and nobody has answered. 0: never.';
comment on column sla_limits.only_one is 'There is one row.';
insert into sla_limits (warn_below) values (0.25);

insert into schedules (name, every) values ('promises', '1 minute');
