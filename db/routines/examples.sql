-- What people teach the agent.

create or replace function said_with(said messages) returns text language sql stable as $$
  select coalesce((select string_agg(m.body, E'\n' order by m.sent_at, m.id) from messages m
                    where m.conversation_id = said.conversation_id and m.turn_id = said.turn_id
                      and m.direction = 'inbound' and m.kind is null and trim(m.body) <> ''), said.body)
$$;
comment on function said_with(messages) is 'All that a customer wrote in the burst of a message, as it was judged.';

drop function if exists correct_ticket(text, text, text, text[]);  -- it did not know who
create or replace function correct_ticket(in_reference text, in_category text, in_sentiment text, in_reasons text[], who jsonb default null) returns text language plpgsql as $$
declare ticket tickets; said messages; talk conversations;
begin
  select * into ticket from tickets where reference = in_reference;
  if not found then return 'missing'; end if;
  select * into talk from conversations where id = ticket.conversation_id and not is_test for update;
  if not found then return 'missing'; end if;
  select * into said from messages
   where conversation_id = ticket.conversation_id and direction = 'inbound' and kind is null and trim(body) <> ''
   order by sent_at desc, id desc limit 1;
  if not found then return 'silent'; end if;
  insert into examples (text, language, category, sentiment, reasons, source, message_id)
  values (left(said_with(said), 2000), coalesce(talk.language, 'en'), in_category, in_sentiment, in_reasons, 'person', said.id)
  on conflict (content_hash, source) do update
    set category = excluded.category, sentiment = excluded.sentiment, reasons = excluded.reasons,
        message_id = excluded.message_id, changed_at = clock_timestamp();
  update tickets set category = in_category, updated_at = clock_timestamp()
   where id = ticket.id and category is distinct from in_category;
  perform note_audit(who, 'taught', 'conversation:' || talk.id, jsonb_build_object(
    'message', said.id, 'category', in_category, 'sentiment', in_sentiment, 'reasons', to_jsonb(in_reasons)));
  return 'accepted';
end $$;
comment on function correct_ticket(text, text, text, text[], jsonb) is 'Somebody of the team says what the last message of a ticket should have been taken for: a new example, and the ticket''s queue. accepted, missing, or silent (no message is taken up yet).';

comment on column examples.id is 'Counts up.';
