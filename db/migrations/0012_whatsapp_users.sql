-- Who hides their number on WhatsApp is known by an id that WhatsApp has given them for us.

alter table customer_identifiers drop constraint customer_identifiers_kind_check,
  add constraint customer_identifiers_kind_check check (kind in ('email', 'phone', 'whatsapp'));
comment on column customer_identifiers.kind is 'email, phone, or whatsapp: the id of somebody who shows no number there.';
comment on column customer_identifiers.value is 'Lower-case address, E.164 number in the one form its spellings share, or an id as the vendor wrote it.';
comment on column messages.kind is 'Of a reply: answer, clarifying_question, acknowledgement, refusal, handoff, or opt_out (the last word to somebody who wants no more of us). Of a customer: null for what is answered; reaction, sticker, edited, ephemeral or opt_out for what is only kept.';
