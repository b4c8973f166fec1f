-- What the team says about a channel.

create or replace function set_channel_texts(in_channel text, in_greeting text, in_signature text, in_asks_csat boolean, who jsonb) returns text
language plpgsql as $$
declare was jsonb; wanted jsonb := jsonb_build_object('greeting', in_greeting, 'signature', in_signature, 'asks_csat', in_asks_csat);
begin
  select jsonb_build_object('greeting', greeting, 'signature', signature, 'asks_csat', asks_csat) into was
    from channel_configs where channel = in_channel for update;
  if not found then return 'missing'; end if;
  if was = wanted then return 'unchanged'; end if;
  update channel_configs set greeting = in_greeting, signature = in_signature, asks_csat = in_asks_csat, updated_at = clock_timestamp()
   where channel = in_channel;
  perform note_audit(who, 'set channel', 'channel:' || in_channel, jsonb_build_object('from', was, 'to', wanted));
  return 'accepted';
end $$;
comment on function set_channel_texts(text, text, text, boolean, jsonb) is 'What stands around the replies of a channel, and whether its customers are asked how content they are, from the next message on. accepted, unchanged or missing.';
