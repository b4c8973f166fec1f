-- Models behind a network: what each is known to be able to do, and what may be spent on them.

alter table provider_health drop constraint provider_health_state_check;
update provider_health set state = 'open' where state = 'half_open';
alter table provider_health add check (state in ('closed', 'open')), alter column caps set default '[]';
update provider_health set caps = '[]';
comment on column provider_health.provider is 'Host and model, such as api.openai.com/the-model.';
comment on column provider_health.state is 'closed: in use; open: not asked until opened_until, then by one worker at a time.';
comment on column provider_health.failures is 'In a row; 0 after any answer.';
comment on column provider_health.opened_until is 'When it may be tried again; while somebody tries, when the next one may.';
comment on column provider_health.not_before is 'Until when it asked us to wait.';
comment on column provider_health.half_open_by is 'The worker that tries, or was the last to try.';
comment on column provider_health.caps is 'Optional features of a request that it was found not to know: a list of names.';

alter table turns add column reserved_usd numeric(12, 6) not null default 0;
comment on column turns.reserved_usd is 'US dollars set aside for models that were asked and whose step is not written yet; whoever takes the turn over gives them back.';
alter table turn_steps add column reserved_usd numeric(12, 6);
comment on column turn_steps.reserved_usd is 'US dollars set aside before the model was asked; what it did not cost was given back with this row.';

alter table quotas add column ceiling double precision, add column refused_at timestamptz;
comment on column quotas.refused_at is 'Of spend:YYYY-MM-DD: when it last had no room for what was to be set aside.';
comment on column quotas.ceiling is 'Of spend:YYYY-MM-DD: the budget in US dollars, as the last to spend knew it.';
comment on column quotas.level is 'Of a rate: what may still be taken; of spend:YYYY-MM-DD: US dollars spent or set aside.';

insert into alarm_limits (alarm, unit, shown_from, person_from) values
  ('provider_open', 'failures', 1, null),      -- the next model of the chain answers meanwhile
  ('provider_refused', 'providers', 1, 1),     -- a key or an account that no waiting will mend
  ('budget_used', 'percent', 80, 100);      -- 100: something was refused
