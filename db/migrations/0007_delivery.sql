-- Delivery: every message to a vendor is a row with its own token, tries and outcome.

alter table messages
  add column reply_id       uuid,
  add column part           smallint not null default 1,
  add column parts          smallint not null default 1,
  add column tries          smallint not null default 0,
  add column first_try_at   timestamptz,
  add column last_try_at    timestamptz,
  add column draft_id       text,
  add column delivery_error text,
  add check (part between 1 and parts);
create index messages_in_delivery on messages (conversation_id) where delivery in ('pending', 'sending', 'unknown');
create index messages_reply on messages (reply_id) where reply_id is not null;
create index delivery_events_message on delivery_events (message_id) where message_id is not null;
create index messages_vendor on messages (channel, vendor_id) where vendor_id is not null;
comment on column messages.delivery is 'pending: to be sent; sending: a try is under way; unknown: nobody knows whether the vendor took it; sent, delivered, read: as the vendor says; failed: the vendor refused it; cancelled: a person spoke first. Null for inbound.';
comment on column messages.reply_id is 'What its parts have in common: the turn, or the token a person''s message came with.';
comment on column messages.part is 'A long reply is several messages to the vendor, sent in this order.';
comment on column messages.parts is 'How many messages the reply is.';
comment on column messages.tries is 'How often the vendor was asked to take it.';
comment on column messages.first_try_at is 'When the vendor was first asked.';
comment on column messages.last_try_at is 'When the vendor was last asked; what it says about it counts once its index has had time to catch up.';
comment on column messages.draft_id is 'The vendor''s draft of it, where sending has two phases: as long as it is there, it was not sent.';
comment on column messages.delivery_error is 'Why it failed, or why nobody knows.';
comment on column messages.possible_duplicate is 'The customer may have got it twice: the vendor had no trace of the first try, so there was one more; or two tries were both taken.';

alter table conversations add column silenced_at timestamptz;
comment on column conversations.silenced_at is 'When a person last took it over or spoke: no reply that the agent wrote before is tried after it.';

alter table delivery_events add column error text;
comment on column delivery_events.error is 'The vendor''s reason in words, where it gave one.';

alter table channel_configs
  add column replies_per_thread int not null default 30 check (replies_per_thread > 0),
  add column replies_per_domain int check (replies_per_domain > 0),
  add column replies_window     interval not null default interval '1 hour';
comment on column channel_configs.replies_per_thread is 'Replies of the agent one conversation may get per replies_window; the next goes to a person. Stops two machines that answer each other.';
comment on column channel_configs.replies_per_domain is 'The same for all addresses of one mail domain; null: no limit.';
comment on column channel_configs.replies_window is 'The window of both.';

comment on column message_queue.kind is 'inbound, deliver, index_article or sweep.';
comment on column lanes.lane is 'channel:thread_key for messages, out:conversation id for what is to be sent there, job:name for upkeep.';

drop function add_person_message(text, text, uuid);  -- it takes the parts of a message now
