-- What an answer stands on: articles in versions, their passages, the words and the vectors they are found by.
-- Needs the extension vector, 0.8 or newer, and nothing else beyond core.

create extension if not exists vector;

create table knowledge_base (
  id           bigint generated always as identity primary key,
  slug         text not null check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
  version      integer not null check (version > 0),
  title        text not null,
  body         text not null,
  questions    text[] not null default '{}',
  category     text not null default 'general',
  visibility   text not null default 'public' check (visibility in ('public', 'internal')),
  plan         text,
  language     text not null default 'en',
  updated      date,
  supersedes   text check (supersedes <> slug),
  superseded   boolean not null default false,
  content_hash text not null,
  passages     integer not null default 0,
  words        integer not null default 0,
  state        text not null default 'live' check (state in ('live', 'replaced', 'retired')),
  created_at   timestamptz not null default now(),
  unique (slug, version)
);
create unique index knowledge_base_live on knowledge_base (slug) where state = 'live';
create index knowledge_base_supersedes on knowledge_base (supersedes) where state = 'live';
comment on table knowledge_base is 'Articles. A row is one version, whose text never changes; only live, public, not superseded ones are found.';
comment on column knowledge_base.id is 'Of this version.';
comment on column knowledge_base.slug is 'The name all versions share, as it stands in the address of the article.';
comment on column knowledge_base.version is 'Counts up from 1 with every import of other words.';
comment on column knowledge_base.title is 'As customers read it.';
comment on column knowledge_base.body is 'Markdown, without the front matter.';
comment on column knowledge_base.questions is 'Wordings customers use for what this article answers; they are searched and measure the search.';
comment on column knowledge_base.category is 'billing, technical, account, security, legal, feedback or general.';
comment on column knowledge_base.visibility is 'public, or internal: never shown to or cited for a customer, and never indexed.';
comment on column knowledge_base.plan is 'The plan this variant is for; null for everybody.';
comment on column knowledge_base.language is 'Two-letter code of the language the article is written in.';
comment on column knowledge_base.updated is 'The date its author gives it.';
comment on column knowledge_base.supersedes is 'The slug of the article this one takes the place of, whether or not that one exists yet.';
comment on column knowledge_base.superseded is 'Another live article takes its place: kept for old citations, not found any more.';
comment on column knowledge_base.content_hash is 'SHA-256 of everything the author wrote: an import with the same hash changes nothing.';
comment on column knowledge_base.passages is 'How many passages it has.';
comment on column knowledge_base.words is 'The length of all its passages together.';
comment on column knowledge_base.state is 'live; replaced by a newer version; retired by hand.';
comment on column knowledge_base.created_at is 'When this version was imported.';

create table passages (
  id           bigint generated always as identity primary key,
  article_id   bigint not null references knowledge_base on delete cascade,
  ordinal      integer not null,
  heading      text not null,
  text         text not null,
  content_hash text not null,
  length       integer not null,
  unique (article_id, ordinal) include (length)
);
comment on table passages is 'What is found and cited: a part of one version of an article. Kept as long as the version, for old citations.';
comment on column passages.id is 'What a citation names.';
comment on column passages.article_id is 'The version it is part of.';
comment on column passages.ordinal is 'Its place in the article, from 0.';
comment on column passages.heading is 'The headings above it, joined by a colon; empty at the top of an article.';
comment on column passages.text is 'Markdown, without its heading.';
comment on column passages.content_hash is 'Of what is embedded for it; the same hash needs no second embedding.';
comment on column passages.length is 'Its words for ranking: those of title and headings counted three times, of questions and text once.';

create table passage_terms (
  lexeme     text not null,
  passage_id bigint not null references passages on delete cascade,
  article_id bigint not null,
  tf         integer not null,
  length     integer not null,
  primary key (lexeme, passage_id) include (article_id, tf, length)
);
create index passage_terms_passage on passage_terms (passage_id);
comment on table passage_terms is 'The words of live public passages, stemmed for their language: BM25 reads nothing but its index.';
comment on column passage_terms.lexeme is 'A word stem as to_tsvector gives it under search_config(language).';
comment on column passage_terms.passage_id is 'The passage it stands in.';
comment on column passage_terms.article_id is 'The article of that passage.';
comment on column passage_terms.tf is 'How often; a word of the title or a heading counts three times.';
comment on column passage_terms.length is 'The length of that passage.';

create table embedding_models (
  name       text primary key check (name ~ '^[[:graph:]]{1,100}$'),
  dimensions integer not null check (dimensions between 1 and 4000),
  state      text not null default 'building' check (state in ('building', 'active', 'retired')),
  exclude (state with =) where (state = 'active') deferrable initially immediate
);
comment on table embedding_models is 'Models that have made vectors here. At most one is searched; the next is filled beside it and then takes over.';
comment on column embedding_models.name is 'As the embedder calls itself.';
comment on column embedding_models.dimensions is 'Length of its vectors.';
comment on column embedding_models.state is 'building: being filled; active: searched; retired: another took over, its vectors are deleted.';

create table passage_embeddings (
  id           bigint generated always as identity primary key,
  model        text not null references embedding_models,
  article_id   bigint not null references knowledge_base on delete cascade,
  passage_id   bigint references passages on delete cascade,
  kind         text not null check (kind in ('title', 'question', 'heading', 'text')),
  content_hash text not null,
  embedding    vector not null,
  check ((passage_id is null) = (kind in ('title', 'question'))),
  unique nulls not distinct (article_id, model, passage_id, kind, content_hash)
);
create index passage_embeddings_content on passage_embeddings (content_hash, model);
create index passage_embeddings_passage on passage_embeddings (passage_id);
comment on table passage_embeddings is 'Vectors of live public articles: of the title and each question wording once, of the headings and text of each passage.';
comment on column passage_embeddings.id is 'Of the vector.';
comment on column passage_embeddings.model is 'The model that made it; vectors of two models are never compared.';
comment on column passage_embeddings.article_id is 'The version of the article it belongs to.';
comment on column passage_embeddings.passage_id is 'The passage it belongs to; null for a title or question, which belong to all passages of the article.';
comment on column passage_embeddings.kind is 'What was embedded: title, question, heading (title and headings) or text.';
comment on column passage_embeddings.content_hash is 'Of the words that were embedded: equal words are embedded once.';
comment on column passage_embeddings.embedding is 'A unit vector of the model''s dimensions.';

create table search_thresholds (
  mode        text primary key,
  high        double precision not null,
  low         double precision not null,
  computed_at timestamptz not null default now(),
  sample_size integer not null
);
comment on table search_thresholds is 'When a search counts as sure, measured with the question wordings of the articles themselves.';
comment on column search_thresholds.mode is 'The embedding model searched with, or "text" for words alone.';
comment on column search_thresholds.high is 'From this sureness on (score plus four times the lead over the next article) the first passage is right 95 times in 100.';
comment on column search_thresholds.low is 'Below this score the articles most likely say nothing about the question.';
comment on column search_thresholds.computed_at is 'When it was measured.';
comment on column search_thresholds.sample_size is 'How many question wordings it was measured with.';

create function search_config(language text) returns regconfig language sql immutable as $$
  select case language
    when 'ar' then 'arabic' when 'ca' then 'catalan' when 'da' then 'danish' when 'de' then 'german'
    when 'el' then 'greek' when 'es' then 'spanish' when 'eu' then 'basque' when 'fi' then 'finnish'
    when 'fr' then 'french' when 'ga' then 'irish' when 'hi' then 'hindi' when 'hu' then 'hungarian'
    when 'hy' then 'armenian' when 'id' then 'indonesian' when 'it' then 'italian' when 'lt' then 'lithuanian'
    when 'ne' then 'nepali' when 'nl' then 'dutch' when 'no' then 'norwegian' when 'nb' then 'norwegian'
    when 'pt' then 'portuguese' when 'ro' then 'romanian' when 'ru' then 'russian' when 'sr' then 'serbian'
    when 'sv' then 'swedish' when 'ta' then 'tamil' when 'tr' then 'turkish' when 'yi' then 'yiddish'
    else 'english' end::regconfig
$$;
comment on function search_config(text) is 'The text-search configuration for a two-letter language code; english where there is none.';

create function content_hash(words text) returns text language sql immutable as $$
  select left(encode(sha256(convert_to(words, 'UTF8')), 'hex'), 32)
$$;
comment on function content_hash(text) is 'What tells whether words have a vector already.';

create function embedding_type(dimensions integer) returns text language sql immutable as $$
  select case when dimensions <= 2000 then 'vector' else 'halfvec' end
$$;
comment on function embedding_type(integer) is 'What a vector is indexed as: HNSW takes at most 2,000 dimensions in full precision.';

create function add_embedding_model(model text, model_dimensions integer) returns void language plpgsql as $$
begin
  insert into embedding_models (name, dimensions) values (model, model_dimensions)
    on conflict (name) do update set state = 'building'
    where embedding_models.state = 'retired' and embedding_models.dimensions = excluded.dimensions;
  if not exists (select from embedding_models where name = model and dimensions = model_dimensions) then
    raise exception 'the model % was first used with other dimensions than %', model, model_dimensions;
  end if;
  execute format(
    'create index if not exists %I on passage_embeddings using hnsw ((embedding::%s(%s)) %s) where model = %L',
    'passage_embeddings_' || left(md5(model), 12), embedding_type(model_dimensions), model_dimensions,
    embedding_type(model_dimensions) || '_cosine_ops', model);
end
$$;
comment on function add_embedding_model(text, integer) is 'Makes room for the vectors of a model, with an HNSW index of their own.';

create function nearest_embeddings(wanted_model text, query text, articles bigint[], wanted integer)
returns table (article_id bigint, passage_id bigint) language plpgsql stable rows 60
set hnsw.ef_search = 100 set hnsw.iterative_scan = relaxed_order as $$
declare
  model_dimensions integer := (select m.dimensions from embedding_models m where m.name = wanted_model);
  as_type text := format('%s(%s)', embedding_type(model_dimensions), model_dimensions);
begin
  -- The model and its dimensions stand in the statement itself: only so does the planner see that the partial index fits.
  return query execute format(
    'select e.article_id, e.passage_id from passage_embeddings e
      where e.model = %1$L and e.article_id = any($2)
      order by e.embedding::%2$s <=> $1::%2$s limit $3', wanted_model, as_type)
    using query, articles, wanted;
end
$$;
comment on function nearest_embeddings(text, text, bigint[], integer) is
  'The vectors nearest to a query among the given articles, of one model, nearest first.';

create function unindexed_articles(wanted_model text) returns setof bigint language sql stable as $$
  select article.id
    from knowledge_base article join passages on passages.article_id = article.id
   where article.state = 'live' and article.visibility = 'public'
   group by article.id
  having 1 + cardinality(article.questions) + count(*) + count(*) filter (where passages.heading <> '')
         > (select count(*) from passage_embeddings made where made.article_id = article.id and made.model = wanted_model)
   order by article.id
$$;
comment on function unindexed_articles(text) is
  'The live public articles that lack a vector of this model: one for the title, each question, each heading, each text.';
