-- What the list of the team is looked through by.

create or replace function find_said(words text, most int) returns table (conversation_id uuid, said text, sent_at timestamptz)
language plpgsql stable set enable_indexscan = off set enable_seqscan = off as $$
declare until timestamptz := 'infinity'; since timestamptz := now(); hours int := 6; found int := 0; more int;
begin
  -- Back in time by ever longer spans: a frequent word is in so many messages that all of them cannot be read and sorted,
  -- and without its index a rare one cannot be found. Planned anew each time, by the word, and
  -- never as a walk by time that reads every text: the planner takes that for far cheaper than it is.
  while found < most and since > '-infinity' loop
    since := case when hours > 50000 then '-infinity' else now() - hours * interval '1 hour' end;
    return query execute $q$
      select m.conversation_id, left(m.body, 240), m.sent_at from messages m
       where to_tsvector('simple', m.body) @@ $1 and m.sent_at >= $2 and m.sent_at < $3 order by m.sent_at desc limit $4 $q$
      using websearch_to_tsquery('simple', words), since, until, most - found;
    get diagnostics more = row_count;
    found := found + more; until := since; hours := hours * 4;
  end loop;
end $$;
comment on function find_said(text, int) is 'The newest messages in which these words were said, as people type them into a search, at most so many, newest first.';
