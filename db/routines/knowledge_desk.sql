--- What people do with articles ---------------------------------------------------------------------------------------

create or replace function sign_version(who jsonb, in_article bigint) returns void language sql as $$
  with signed as (
    update knowledge_base set written_by = who->>'name' where id = in_article returning slug, version
  )
  select note_audit(who, 'article_published', 'article:' || slug, jsonb_build_object('version', version)) from signed
$$;
comment on function sign_version(jsonb, bigint) is 'Keeps who published a version; called where it is stored, but for imports.';

create or replace function retire_version(who jsonb, in_slug text) returns table (id bigint, supersedes text) language plpgsql as $$
begin
  return query
    update knowledge_base k set state = 'retired', retired_by = who->>'name', retired_at = now()
     where k.slug = in_slug and k.state = 'live' returning k.id, k.supersedes;
  if found then perform note_audit(who, 'article_retired', 'article:' || in_slug); end if;
end $$;
comment on function retire_version(jsonb, text) is 'Retires the live version of an article; no row when there is none.';

create or replace function propose_article(who jsonb, in_slug text, in_based_on int, in_title text, in_body text, in_questions text[],
                                           in_fields jsonb, in_message uuid) returns uuid language plpgsql as $$
declare made uuid;
begin
  insert into article_proposals (slug, based_on, title, body, questions, fields, source_message, source_conversation, proposed_by)
  select in_slug, in_based_on, in_title, in_body, in_questions, in_fields, m.id, m.conversation_id, who->>'name'
    from (select) one left join messages m on m.id = in_message returning id into made;
  perform note_audit(who, 'article_proposed', coalesce('article:' || in_slug, 'proposal:' || made), jsonb_build_object('proposal', made));
  return made;
end $$;
comment on function propose_article(jsonb, text, int, text, text, text[], jsonb, uuid) is 'Keeps a proposal, made from a message where that exists, and returns its id.';

create or replace function decide_proposal(who jsonb, in_proposal uuid, in_state text) returns text language plpgsql as $$
declare was text; changes text;
begin
  select state, slug into was, changes from article_proposals where id = in_proposal for update;
  if was is null then return 'missing'; end if;
  if was = in_state then return 'repeated'; end if;
  if was <> 'proposed' then return 'decided'; end if;
  update article_proposals set state = in_state, decided_by = who->>'name', decided_at = clock_timestamp() where id = in_proposal;
  perform note_audit(who, 'proposal_' || in_state, coalesce('article:' || changes, 'proposal:' || in_proposal), jsonb_build_object('proposal', in_proposal));
  return 'accepted';
end $$;
comment on function decide_proposal(jsonb, uuid, text) is 'Notes that a proposal was published or declined: accepted, repeated, decided (in the other way) or missing.';

--- Who was told what no longer holds ----------------------------------------------------------------------------------

create or replace function list_told(in_slug text) returns table (
  reply_id uuid, conversation_id uuid, customer text, language text, channel text, sent_at timestamptz, version int,
  old_heading text, old_text text, article_id bigint, new_passage bigint, new_text text, is_public boolean
) language sql stable as $$
  with current as (
    select k.id, k.state, k.visibility from knowledge_base k where k.slug = in_slug order by k.version desc limit 1
  ), gone as materialized (
    select old.id, old.heading, old.text, was.version, was.language
      from knowledge_base was join passages old on old.article_id = was.id cross join current
     where was.slug = in_slug
       and not exists (select from passages p where p.article_id = current.id and current.state = 'live' and p.text = old.text)
  ), cited as materialized (
    select distinct on (coalesce(m.reply_id, m.id), gone.id)
           coalesce(m.reply_id, m.id) as reply, m.conversation_id, m.channel, m.sent_at, gone.id as passage
      from messages m cross join lateral jsonb_array_elements(m.citations) c
      join gone on gone.id = case when c->>'passage' ~ '^[0-9]{1,18}$' then (c->>'passage')::bigint end
     where m.citations <> '[]' and m.citations @> jsonb_build_array(jsonb_build_object('slug', in_slug))
       and m.direction = 'outbound' and m.delivery not in ('pending', 'cancelled', 'failed')
     order by coalesce(m.reply_id, m.id), gone.id, m.sent_at
  ), replaced as materialized (
    -- the passage that took its place: of the same heading, else the one with most of its words, if those are many
    select g.*, now.id as new_id, now.text as new_text
      from gone g cross join current
      left join lateral (
        select p.id, p.text from (
          select p.id, p.text, p.ordinal, p.heading = g.heading as is_same,
                 (select count(*) from unnest(tsvector_to_array(to_tsvector('simple', g.text))) word
                   where word = any(tsvector_to_array(to_tsvector('simple', p.text))))::real
                   / greatest(length(to_tsvector('simple', g.text)), 1) as shared
            from passages p where p.article_id = current.id and current.state = 'live') p
         where p.is_same or p.shared >= 0.3
         order by p.is_same desc, p.shared desc, p.ordinal limit 1) now on true
     where g.id in (select cited.passage from cited)
  )
  select cited.reply, cited.conversation_id, u.name, coalesce(v.language, r.language), cited.channel, cited.sent_at, r.version,
         r.heading, r.text, current.id, r.new_id, r.new_text, current.visibility = 'public'
    from cited join replaced r on r.id = cited.passage cross join current
    join conversations v on v.id = cited.conversation_id and not v.is_test
    left join customers u on u.id = v.customer_id
$$;
comment on function list_told(text) is 'Answers sent that cite a passage of an article whose text it has no longer, each with the passage that took its place, null where none did.';

create or replace function is_outdated(citations jsonb) returns boolean language sql stable as $$
  select exists (
    select from jsonb_array_elements(citations) c
      join passages old on old.id = case when c->>'passage' ~ '^[0-9]{1,18}$' then (c->>'passage')::bigint end
      join knowledge_base was on was.id = old.article_id
     where not exists (
       select from knowledge_base k join passages p on p.article_id = k.id
        where k.slug = was.slug and k.state = 'live' and not k.superseded and p.text = old.text))
$$;
comment on function is_outdated(jsonb) is 'Whether a passage that is cited (as messages.citations) does not stand in its article any more, or the article was taken back.';

create or replace function draft_correction(who jsonb, in_replies uuid[], in_article bigint, in_body text, in_citations jsonb, in_note text)
returns text language plpgsql as $$
declare talk conversations; about knowledge_base; made uuid; open_replies uuid[];
begin
  select c.* into talk from messages m join conversations c on c.id = m.conversation_id
   where m.reply_id = in_replies[1] or m.id = in_replies[1] limit 1 for update of c;
  select * into about from knowledge_base where id = in_article;
  if talk.id is null or about.id is null then return 'missing'; end if;
  select array_agg(reply) into open_replies from unnest(in_replies) reply
   where not exists (select from article_corrections a where a.reply_id = reply and a.article_id = in_article);
  if open_replies is null then return 'repeated'; end if;
  insert into drafts (conversation_id, channel, category, source, body, citations, note)
  values (talk.id, talk.channel,
          coalesce((select t.category from tickets t where t.conversation_id = talk.id order by t.created_at desc limit 1), about.category),
          'correction', in_body, in_citations, in_note)
  on conflict (conversation_id, source) where state = 'pending' do nothing returning id into made;
  if made is null then return 'waiting'; end if;
  insert into article_corrections (reply_id, article_id, draft_id, made_by)
  select reply, in_article, made, who->>'name' from unnest(open_replies) reply;
  perform note_audit(who, 'correction_drafted', 'conversation:' || talk.id, jsonb_build_object('article', about.slug, 'draft', made));
  return 'accepted';
end $$;
comment on function draft_correction(jsonb, uuid[], bigint, text, jsonb, text) is
  'Puts a correction of answers of one conversation before whoever approves drafts there; sends nothing. accepted, repeated, waiting (another correction is not decided yet) or missing.';
