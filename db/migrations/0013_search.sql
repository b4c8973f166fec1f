-- Finding at any size: how often each word stem stands in the articles, which stems are spelt nearly alike, and the
-- nearest vectors among what may be shown, without listing every article.

create table search_lexemes (
  lexeme    text primary key,
  passages  bigint not null,
  spellings text[] not null
);
create index search_lexemes_spellings on search_lexemes using gin (spellings);
comment on table search_lexemes is 'Every word stem of the articles that can be found: how telling it is, and what it may be mistaken for.';
comment on column search_lexemes.lexeme is 'As in passage_terms.';
comment on column search_lexemes.passages is 'How many passages it stands in; kept true by the triggers on passage_terms.';
comment on column search_lexemes.spellings is 'The stem, and the stem without each one of its letters: two stems that share one of these differ by a slip.';

create table search_corpus (
  only_one boolean primary key default true check (only_one),
  passages bigint not null,
  words    bigint not null
);
comment on table search_corpus is 'One row: the size of what is searched. Writers of passage_terms wait for each other here.';
comment on column search_corpus.only_one is 'Always true.';
comment on column search_corpus.passages is 'How many passages have terms.';
comment on column search_corpus.words is 'Their lengths together.';

create function list_spellings(word text) returns text[] language sql immutable as $$
  select array[word] || case when length(word) between 5 and 30
    then array(select distinct left(word, at - 1) || substr(word, at + 1) from generate_series(1, length(word)) at)
    else '{}' end
$$;
comment on function list_spellings(text) is
  'A word and, from five letters on, the word without each one of its letters. One letter more, less, other or swapped: two such lists meet.';

create function count_terms() returns trigger language plpgsql as $$
declare
  direction integer := case tg_op when 'INSERT' then 1 else -1 end;
begin
  update search_corpus set passages = search_corpus.passages + direction * changed.passages,
                           words = search_corpus.words + direction * changed.words
    from (select count(*) as passages, coalesce(sum(length), 0) as words
            from (select distinct passage_id, length from terms) passage) changed;
  insert into search_lexemes as known (lexeme, passages, spellings)
    select lexeme, direction * count(*), list_spellings(lexeme) from terms group by lexeme order by lexeme
    on conflict (lexeme) do update set passages = known.passages + excluded.passages;
  if tg_op = 'DELETE' then
    delete from search_lexemes where passages <= 0 and lexeme in (select lexeme from terms);
  end if;
  return null;
end
$$;
comment on function count_terms() is 'Keeps search_lexemes and search_corpus true to passage_terms.';

-- Nobody may write between the counts and the triggers that keep them.
lock table passage_terms in share row exclusive mode;
insert into search_corpus (passages, words)
  select count(*), coalesce(sum(length), 0) from (select distinct passage_id, length from passage_terms) passage;
insert into search_lexemes (lexeme, passages, spellings)
  select lexeme, count(*), list_spellings(lexeme) from passage_terms group by lexeme;

create trigger passage_terms_added after insert on passage_terms
  referencing new table as terms for each statement execute function count_terms();
create trigger passage_terms_gone after delete on passage_terms
  referencing old table as terms for each statement execute function count_terms();

create index knowledge_base_found on knowledge_base (id) include (language, plan, category)
  where state = 'live' and visibility = 'public' and not superseded;
create index knowledge_base_language on knowledge_base (language)
  where state = 'live' and visibility = 'public' and not superseded;

create function nearest_passages(wanted_model text, query text, wanted integer, wanted_category text, wanted_plan text)
returns table (article_id bigint, passage_id bigint) language plpgsql stable rows 60
set hnsw.ef_search = 100 set hnsw.iterative_scan = relaxed_order as $$
declare
  model_dimensions integer := (select m.dimensions from embedding_models m where m.name = wanted_model);
  as_type text := format('%s(%s)', embedding_type(model_dimensions), model_dimensions);
begin
  -- As in nearest_embeddings. Whether an article may be shown is asked of the nearest ones only, in their order.
  return query execute format(
    'select e.article_id, e.passage_id from passage_embeddings e
      where e.model = %1$L and exists (
        select from knowledge_base article
         where article.id = e.article_id and state = ''live'' and visibility = ''public'' and not superseded
           and ($3 is null or category = $3) and ($4 is null or plan is null or plan = $4))
      order by e.embedding::%2$s <=> $1::%2$s limit $2', wanted_model, as_type)
    using query, wanted, wanted_category, wanted_plan;
end
$$;
comment on function nearest_passages(text, text, integer, text, text) is
  'The vectors nearest to a query among the articles that may be shown, of one model, nearest first. Null for any category or plan.';

-- What was measured before was measured with another ranking. Upkeep makes the vectors that come with the program, article
-- by article, and then measures anew.
delete from search_thresholds;
select add_work('job:index_article', 'index_article', 2, 'index_article:' || id, jsonb_build_object('article_id', id))
  from knowledge_base where state = 'live' and visibility = 'public' order by id;
