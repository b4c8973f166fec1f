-- What the team has not finished although nobody waits: a list of its own in the inbox.

create index conversations_with_person on conversations (updated_at) where handler = 'human' and status <> 'resolved' and waiting_since is null;
