-- What the people of the team do.

create or replace function add_person_message(in_reference text, message text, idempotency uuid) returns text language plpgsql as $$
declare ticket tickets; talk conversations; now_at timestamptz := clock_timestamp();
begin
  select * into ticket from tickets where reference = in_reference;
  select * into talk from conversations where id = ticket.conversation_id for update;
  if not found then return 'missing'; end if;
  if talk.channel <> 'web' then return 'elsewhere'; end if;  -- a vendor would have to send it
  insert into messages (conversation_id, customer_id, channel, direction, author, body, kind, idempotency_token, delivery, sent_at)
  values (talk.id, talk.customer_id, talk.channel, 'outbound', 'person', message, 'answer', idempotency, 'sent', now_at)
  on conflict (idempotency_token) do nothing;
  if not found then return 'repeated'; end if;
  -- the epoch moves even if a person had it already: a turn in the making must not speak after this word
  update conversations set handler = 'human', epoch = epoch + 1, status = 'waiting', waiting_since = null, updated_at = now_at
   where id = talk.id;
  update tickets set status = 'answered', first_response_met_at = coalesce(first_response_met_at, now_at), updated_at = now_at,
         resolved_at = null where id = ticket.id;
  return 'accepted';
end $$;
comment on function add_person_message(text, text, uuid) is 'What somebody of the team answers on the ticket page: it takes the conversation over from the agent, and a reply in the making is dropped. accepted, repeated, missing, or elsewhere (not a ticket of the web form).';
