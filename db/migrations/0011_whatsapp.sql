-- WhatsApp as it behaves: its 24 hours, those who want no more of us, the files people send, what is only looked at.

alter table conversations add column address text;
comment on column conversations.address is 'The customer''s address as they last wrote from it, where answers go; null: as in thread_key, which is the one form all its spellings have in common.';

alter table messages add column is_late boolean not null default false;
comment on column messages.is_late is 'When it was last tried, the customer''s last word was older than reply_window of the channel: only an approved template may go then.';
comment on column messages.kind is 'Of a reply: answer, clarifying_question, acknowledgement, refusal, handoff, or opt_out (the last word to somebody who wants no more of us). Of a customer: null for what is answered; reaction, sticker, edited, ephemeral or opt_out for what is only kept.';

alter table customer_identifiers
  add column suppressed_at  timestamptz,
  add column suppressed_why text;
alter table customer_identifiers drop constraint customer_identifiers_kind_check,
  add constraint customer_identifiers_kind_check check (kind in ('email', 'phone', 'whatsapp'));
comment on column customer_identifiers.kind is 'email, phone, or whatsapp: the id of somebody who shows no number there.';
comment on column customer_identifiers.value is 'Lower-case address, E.164 number in the one form its spellings share, or an id as the vendor wrote it.';
comment on column customer_identifiers.suppressed_at is 'Since when nothing is sent to this address; null: it may be.';
comment on column customer_identifiers.suppressed_why is 'The customer''s word, such as STOP, or the vendor''s reason.';

comment on column delivery_events.status is 'What a vendor reported: sending, sent, delivered, read or failed; the vendor''s own word where we do not know it. As it was said: payload.';

alter table channel_configs add column reply_window interval;
comment on column channel_configs.reply_window is 'How long after the customer''s last word they may be written to freely; after it only an approved template goes, or a person reaches them in another way. Null: always.';
-- a little less than WhatsApp gives: a try may take 15 seconds
update channel_configs set reply_window = interval '23:59:45' where channel = 'whatsapp';

create table attachments (
  channel     text not null,
  external_id text not null,
  place       smallint not null check (place >= 0),
  id          uuid not null unique default new_id(),
  type        text not null,
  size        int,
  text        text,
  content     bytea,
  error       text,
  created_at  timestamptz not null default clock_timestamp(),
  primary key (channel, external_id, place)
);
create index attachments_fading on attachments (created_at) where content is not null;
comment on table attachments is 'Files that came with chat messages, fetched from the vendor. A mail''s files are in mails.raw.';
comment on column attachments.channel is 'As in messages.';
comment on column attachments.external_id is 'The message it came with, messages.external_id.';
comment on column attachments.place is 'Its place among the files of the message, from 0.';
comment on column attachments.id is 'What the team fetches it by: GET /attachments/{id}.';
comment on column attachments.type is 'Media type by its content; as the vendor declared it where it could not be fetched.';
comment on column attachments.size is 'Bytes; null where it could not be fetched.';
comment on column attachments.text is 'What it says, of text, contact cards and PDF; null where it cannot be read.';
comment on column attachments.content is 'The file; null where it could not be fetched, and 90 days after it came.';
comment on column attachments.error is 'Why it could not be fetched.';
comment on column attachments.created_at is 'When it was fetched, or could not be.';

alter table tickets add column reminded_at timestamptz;
comment on column tickets.reminded_at is 'When its owner was last reminded that the customer can soon no longer be written to freely.';

insert into schedules (name, every) values ('whatsapp_sync', '2 minutes'), ('remind', '5 minutes');

insert into alarm_limits (alarm, unit, shown_from, person_from) values
  ('window_closes', 'conversations', 1, 1);    -- two hours are left to answer
