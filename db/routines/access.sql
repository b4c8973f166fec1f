-- How people and machines get in, and the record of what was done.

create or replace function note_audit(who jsonb, action text, about text, details jsonb default '{}') returns void language sql as $$
  insert into audit (actor_kind, actor_id, actor_name, action, about, details)
  select who->>'kind', (who->>'id')::uuid, who->>'name', action, about, coalesce(details, '{}') where who is not null
$$;
comment on function note_audit(jsonb, text, text, jsonb) is 'Records, unless nobody is named, what an actor (kind, id, name) did to what; called where it is done, so that both are kept or neither.';

create or replace function note_seen(in_conversation uuid) returns void language sql as $$
  update notices set seen_at = clock_timestamp() where conversation_id = in_conversation and seen_at is null
$$;
comment on function note_seen(uuid) is 'Somebody of the team has looked at a conversation: the next time a person is needed there, people are told again.';

drop function if exists note_view(jsonb, text);  -- it took a page that was left open for somebody
create or replace function note_view(who jsonb, about text, is_look boolean default true) returns void language sql as $$
  -- null where nothing matches: a plan may cast before it asks the condition
  select note_seen(substring(note_view.about from '^conversation:([0-9a-f-]{36})$')::uuid)
   where is_look and who->>'kind' in ('person', 'token') and note_view.about like 'conversation:%';
  -- a page that loads itself again was opened in a session, and none lasts longer than a day: who only says so is recorded
  select note_audit(who, 'view', note_view.about)
   where not exists (select from audit a
     where a.about = note_view.about and a.at > clock_timestamp() - case when is_look then interval '10 minutes' else interval '1 day' end and a.action = 'view'
       and a.actor_kind = who->>'kind' and a.actor_name = who->>'name' and a.actor_id is not distinct from (who->>'id')::uuid)
$$;
comment on function note_view(jsonb, text, boolean) is 'Records that an actor looked at something of a customer''s, unless the same one did within ten minutes; when a person opens a conversation, that is seen. Not is_look: their page loaded itself again, which is not seen, and recorded only where they did not look within a day.';

create or replace function name_actor(who jsonb) returns text language sql immutable as $$
  select concat_ws(':', who->>'kind', who->>'id')
$$;
comment on function name_actor(jsonb) is 'An actor as audit.about names it: person:UUID, key:UUID or token.';

--- Sessions and keys -----------------------------------------------------------------------------------------------

drop function if exists find_session(bytea, bytea);  -- it took every request for use
create or replace function find_session(in_id bytea, in_token bytea, in_use boolean default true) returns table (id uuid, name text, role text) language sql as $$
  with found as (
    select s.id_hash, s.person_id, s.last_seen_at, p.last_seen_at as person_seen_at, p.email, p.role
      from sessions s left join people p on p.id = s.person_id
     where s.id_hash = in_id and s.ended_at is null and s.expires_at > now() and s.last_seen_at > now() - interval '8 hours'
       and case when s.person_id is null then s.token_hash = in_token else p.is_active end
  ), used as (
    update sessions s set last_seen_at = now() from found f where in_use and s.id_hash = f.id_hash and f.last_seen_at < now() - interval '1 minute'
  ), seen as (
    -- whoever changes a person has them and waits for their sessions: not waiting for people here, nobody waits in a ring
    update people set last_seen_at = now() where id = (
      select p.id from people p, found f
       where in_use and p.id = f.person_id and coalesce(f.person_seen_at, '-infinity') < now() - interval '1 minute'
         for no key update of p skip locked)
  )
  select f.person_id, coalesce(f.email, 'ADMIN_TOKEN'), coalesce(f.role, 'admin') from found f
$$;
comment on function find_session(bytea, bytea, boolean) is 'Whose session this is, no row when it is over; in_token: the keyed hash of the ADMIN_TOKEN in force. Notes once a minute that it is used, if somebody uses it (in_use).';

create or replace function find_key(in_key bytea) returns table (id uuid, name text, scopes text[]) language sql as $$
  with found as (
    select * from api_keys where key_hash = in_key and revoked_at is null and expires_at > now()
  ), used as (
    update api_keys k set last_used_at = now() from found f
     where k.id = f.id and coalesce(f.last_used_at, '-infinity') < now() - interval '1 minute'
  )
  select f.id, f.name, f.scopes from found f
$$;
comment on function find_key(bytea) is 'The key with this hash, no row when it is unknown, revoked or too old. Notes once a minute that it is used.';

create or replace function start_session(who jsonb, in_id bytea, in_token bytea, in_browser text, in_old bytea) returns void language plpgsql as $$
begin
  delete from sessions where expires_at < now() - interval '30 days';
  update sessions set ended_at = now() where id_hash = in_old and ended_at is null;
  insert into sessions (id_hash, person_id, token_hash, browser) values (in_id, (who->>'id')::uuid, in_token, in_browser);
  perform note_audit(who, 'login', name_actor(who), jsonb_strip_nulls(jsonb_build_object('browser', in_browser)));
end $$;
comment on function start_session(jsonb, bytea, bytea, text, bytea) is 'Logs an actor in; the session that the same browser had before (in_old) ends. Forgets sessions that are over for 30 days.';

create or replace function end_session(who jsonb, in_id bytea, in_action text) returns boolean language plpgsql as $$
begin
  update sessions set ended_at = now()
   where id_hash = in_id and person_id is not distinct from (who->>'id')::uuid and ended_at is null;
  if not found then return false; end if;
  perform note_audit(who, in_action, name_actor(who));
  return true;
end $$;
comment on function end_session(jsonb, bytea, text) is 'Ends one session of the actor''s own, noted as in_action (logout or session_ended). False: there is no such one.';

create or replace function drop_sessions(in_person uuid, in_keep bytea) returns int language sql as $$
  with ended as (
    update sessions set ended_at = now()
     where person_id is not distinct from in_person and ended_at is null and id_hash is distinct from in_keep returning expires_at, last_seen_at
  )
  select count(*)::int from ended where expires_at > now() and last_seen_at > now() - interval '8 hours'
$$;
comment on function drop_sessions(uuid, bytea) is 'Ends the sessions of somebody (null: of ADMIN_TOKEN) but one. Returns how many of them were still good.';

create or replace function end_sessions(who jsonb, in_person uuid, in_keep bytea) returns int language plpgsql as $$
declare ended int := drop_sessions(in_person, in_keep);
begin
  perform note_audit(who, 'session_ended', coalesce('person:' || in_person, 'token'), jsonb_build_object('count', ended));
  return ended;
end $$;
comment on function end_sessions(jsonb, uuid, bytea) is 'Ends all sessions of somebody (null: of ADMIN_TOKEN) but in_keep, and says how many those were.';

create or replace function make_key(who jsonb, in_name text, in_scopes text[], in_prefix text, in_key bytea, in_days int) returns uuid language plpgsql as $$
declare made uuid;
begin
  insert into api_keys (name, scopes, prefix, key_hash, created_by, expires_at)
  values (in_name, in_scopes, in_prefix, in_key, who->>'name', now() + in_days * interval '1 day') returning id into made;
  perform note_audit(who, 'key_made', 'key:' || made, jsonb_build_object('name', in_name, 'scopes', in_scopes, 'days', in_days));
  return made;
end $$;
comment on function make_key(jsonb, text, text[], text, bytea, int) is 'Adds an API key that is good for so many days.';

create or replace function revoke_key(who jsonb, in_key uuid) returns boolean language plpgsql as $$
begin
  update api_keys set revoked_at = now() where id = in_key and revoked_at is null;
  if not found then return false; end if;
  perform note_audit(who, 'key_revoked', 'key:' || in_key);
  return true;
end $$;
comment on function revoke_key(jsonb, uuid) is 'Takes an API key back. False: there is none, or it was taken back before.';

--- People ----------------------------------------------------------------------------------------------------------

create or replace function invite(who jsonb, in_email text, in_role text, in_token bytea) returns timestamptz language plpgsql as $$
declare until_at timestamptz;
begin
  insert into invitations as i (token_hash, email, role, invited_by) values (in_token, in_email, in_role, who->>'name')
  on conflict (email) where used_at is null do update set token_hash = excluded.token_hash, role = excluded.role,
     invited_by = excluded.invited_by, created_at = excluded.created_at, expires_at = excluded.expires_at
  returning expires_at into until_at;
  perform note_audit(who, 'invitation_made', 'invitation:' || in_email, jsonb_build_object('role', in_role));
  return until_at;
end $$;
comment on function invite(jsonb, text, text, bytea) is 'Makes the link by which somebody joins, or sets a new password; an older one for the same e-mail stops working. Returns until when it works.';

create or replace function withdraw_invitation(who jsonb, in_email text) returns boolean language plpgsql as $$
begin
  delete from invitations where email = in_email and used_at is null;
  if not found then return false; end if;
  perform note_audit(who, 'invitation_withdrawn', 'invitation:' || in_email);
  return true;
end $$;
comment on function withdraw_invitation(jsonb, text) is 'An invitation that nobody has accepted stops working. False: there is none.';

create or replace function accept_invitation(in_token bytea, in_name text, in_password text) returns people language plpgsql as $$
declare invitation invitations; person people;
begin
  -- people before their invitations, as deactivate_person: in another order each could wait for the other
  perform from people where email = (select email from invitations where token_hash = in_token) for no key update;
  update invitations set used_at = now() where token_hash = in_token and used_at is null and expires_at > now() returning * into invitation;
  if not found then return null; end if;
  insert into people as p (email, name, role, password_hash) values (invitation.email, in_name, invitation.role, in_password)
  on conflict (email) do update set name = excluded.name, password_hash = excluded.password_hash, is_active = true,
     role = case when p.is_active then p.role else excluded.role end  -- a role given meanwhile is not undone by an old link
  returning * into person;
  perform drop_sessions(person.id, null);
  perform note_audit(jsonb_build_object('kind', 'person', 'id', person.id, 'name', person.email), 'invitation_accepted', 'person:' || person.id,
                     jsonb_build_object('role', person.role));
  return person;
end $$;
comment on function accept_invitation(bytea, text, text) is 'Makes the invited a person of the team, or gives who is one a new password and ends their sessions. Null: the link does not work.';

create or replace function is_last_admin(in_person uuid) returns boolean language plpgsql as $$
begin
  -- two who demote each other take turns; no key update, here and below: a new session refers to its person while it ends an old one
  perform from people where role = 'admin' and is_active order by id for no key update;
  return exists (select from people where id = in_person and role = 'admin' and is_active)
     and not exists (select from people where id <> in_person and role = 'admin' and is_active);
end $$;
comment on function is_last_admin(uuid) is 'Whether the team would be without an active admin but for this person. Holds all of them until the transaction ends.';

create or replace function change_role(who jsonb, in_person uuid, in_role text) returns text language plpgsql as $$
declare is_last boolean := is_last_admin(in_person); person people;
begin
  select * into person from people where id = in_person for no key update;
  if not found then return 'missing'; end if;
  if person.role = in_role then return 'repeated'; end if;
  if is_last then return 'last_admin'; end if;
  update people set role = in_role where id = in_person;
  perform drop_sessions(in_person, null);
  perform note_audit(who, 'role_changed', 'person:' || in_person, jsonb_build_object('from', person.role, 'to', in_role));
  return 'accepted';
end $$;
comment on function change_role(jsonb, uuid, text) is 'What somebody may from now on; they have to log in again. accepted, repeated (it is their role), last_admin (refused) or missing.';

create or replace function deactivate_person(who jsonb, in_person uuid) returns text language plpgsql as $$
declare is_last boolean; person people; freed int; named int;
begin
  -- conversations before tickets before people, as everybody who takes several
  perform from conversations where id in (
    select t.conversation_id from tickets t join people p on p.email = t.assignee where p.id = in_person and t.status <> 'resolved') order by id for update;
  perform from tickets t where t.status <> 'resolved' and t.assignee = (select email from people where id = in_person) order by t.id for update;
  is_last := is_last_admin(in_person);
  select * into person from people where id = in_person for no key update;
  if not found then return 'missing'; end if;
  if not person.is_active then return 'repeated'; end if;
  if is_last then return 'last_admin'; end if;
  update people set is_active = false where id = in_person;
  delete from invitations where email = person.email and used_at is null;
  perform drop_sessions(in_person, null);
  update tickets set assignee = null, team = coalesce(team, (route_of(category)).team, 'support'), updated_at = clock_timestamp() where assignee = person.email and status <> 'resolved';
  get diagnostics freed = row_count;
  update escalation_routes set assignee = nullif(assignee, person.email), notify = array_remove(notify, person.email)
   where assignee = person.email or person.email = any(notify);
  get diagnostics named = row_count;
  perform note_audit(who, 'deactivated', 'person:' || in_person, jsonb_build_object('tickets', freed, 'routes', named));
  return 'accepted';
end $$;
comment on function deactivate_person(jsonb, uuid) is 'Somebody may no longer log in, and is logged out; what they had and is not resolved is nobody''s, and no escalation route names them. A new invitation lets them back, without it. accepted, repeated, last_admin (refused) or missing.';

create or replace function change_password(who jsonb, in_password text, in_keep bytea) returns void language plpgsql as $$
begin
  update people set password_hash = in_password where id = (who->>'id')::uuid;
  perform drop_sessions((who->>'id')::uuid, in_keep);
  perform note_audit(who, 'password_changed', name_actor(who));
end $$;
comment on function change_password(jsonb, text, bytea) is 'Sets the actor''s own password and ends their sessions but the one with the hash in_keep.';

create or replace function set_totp(who jsonb, in_person uuid, in_secret text, in_step bigint) returns boolean language plpgsql as $$
begin
  update people set totp_secret = in_secret, totp_last_step = in_step where id = in_person and totp_secret is distinct from in_secret;
  if not found then return false; end if;
  perform note_audit(who, case when in_secret is null then 'totp_off' else 'totp_on' end, 'person:' || in_person);
  return true;
end $$;
comment on function set_totp(jsonb, uuid, text, bigint) is 'Asks somebody for one-time codes from now on (in_step: the step of the one that proved it works), or no longer (null). False: nothing changed.';

create or replace function win_totp_step(in_person uuid, in_step bigint) returns boolean language plpgsql as $$
begin
  update people set totp_last_step = in_step where id = in_person and coalesce(totp_last_step, 0) < in_step;
  return found;
end $$;
comment on function win_totp_step(uuid, bigint) is 'Uses a one-time code up, and all before it. False: it was used already.';
