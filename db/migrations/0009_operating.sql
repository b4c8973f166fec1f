-- Operating: from what size on a measure of the view alarms is shown, and from where on a person must see to it.

create table alarm_limits (
  alarm       text primary key,
  unit        text not null,
  shown_from  double precision,
  person_from double precision
);
comment on table alarm_limits is 'How much is too much: one row per kind of alarm, to be changed by the team. The alarms themselves are the view alarms.';
comment on column alarm_limits.alarm is 'As alarms.alarm.';
comment on column alarm_limits.unit is 'What its value counts.';
comment on column alarm_limits.shown_from is 'From this value on it is in the view alarms; null: never.';
comment on column alarm_limits.person_from is 'From this value on somebody must see to it, and GET /health/detailed answers 503; null: never.';

insert into alarm_limits (alarm, unit, shown_from, person_from) values
  ('no_worker', 'seconds', 30, 30),            -- a worker says every few seconds that it lives
  ('worker_silent', 'seconds', 30, null),      -- another one takes its lanes
  ('work_due', 'seconds', 60, 60),
  ('oldest_waiting', 'seconds', 120, 600),     -- a turn takes up to two minutes, a few retries four more
  ('lanes_retrying', 'lanes', 1, 20),          -- one is bad luck, many are a vendor or a model that is down
  ('dead_letters', 'dead letters', 1, 1),
  ('waiting_unseen', 'customers', 1, 1),
  ('waiting_overdue', 'customers', 1, 1),
  ('delivery_in_doubt', 'conversations', 1, null),  -- each has a person and a due time, or else is waiting_unseen
  ('delivery_refused', 'conversations', 1, null),   -- the same
  ('delivery_delayed', 'conversations', 1, 5),      -- one is a bad moment, many are a vendor that is down
  ('idle_in_transaction', 'seconds', 15, 300),
  ('old_snapshot', 'seconds', 30, 600),        -- a dump of a small database is done by then
  ('old_snapshot_hidden', 'transactions', 100000, 1000000),
  ('bloat', 'dead rows', 50000, 1000000),
  ('autovacuum_off', 'tables', 1, 1),
  ('watch_ends', 'channels', 1, 1);
