-- Sensible beginnings. All of it is meant to be changed by the team; a later migration never overwrites it.

insert into plans (plan, label, rank) values ('free', 'Free', 1), ('pro', 'Pro', 2), ('business', 'Business', 3);

insert into calendars (name, timezone) values ('office', 'UTC');
insert into calendar_hours (calendar, weekday, opens, closes)
select 'office', weekday, time '08:00', time '18:00' from generate_series(1, 5) weekday;

-- twenty open hours are two business days
insert into sla_targets (category, plan, first_response, resolution, calendar) values
  (null, null, '20 hours', '50 hours', 'office'),
  (null, 'free', '20 hours', '50 hours', 'office'),
  (null, 'pro', '8 hours', '30 hours', 'office'),
  (null, 'business', '4 hours', '20 hours', 'office'),
  ('security', null, '4 hours', '20 hours', null);

insert into escalation_routes (category, team, assignee, respond_within, calendar) values
  ('general', 'support', null, '8 hours', 'office'),
  ('technical', 'engineering', null, '4 hours', 'office'),
  ('account', 'support', null, '4 hours', 'office'),
  ('billing', 'billing', null, '4 hours', 'office'),
  ('legal', 'legal', null, '8 hours', 'office'),
  ('security', 'security', null, '1 hour', null),
  ('feedback', 'product', null, '16 hours', 'office');

insert into channel_configs (channel, greeting, signature, max_chars, preferred_chars, quiet_cap_seconds) values
  ('web', '', '', 2500, 900, 3);

insert into schedules (name, every) values ('sweep', '1 hour');
