-- WhatsApp: the rules of the channel. Twilio takes 1,600 characters; a chat is read in shorter ones.

insert into channel_configs (channel, greeting, signature, max_chars, preferred_chars, quiet_cap_seconds) values
  ('whatsapp', '', '', 1600, 300, 8);
