"""The search over passages: one statement that ranks by words and by vectors, and how sure a score is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from db.embeddings import format_vector
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class PassageSearch:
    """What to search for. `texts` and `weights` belong together: the newest words weigh 1, earlier ones less.

    english: the texts in English words, for English articles, where they are in another language.
    is_english_vector: the vector is of these; articles in `language` are then preferred by more, for English ones are
    found by the words of the table alone and so match better than they are meant.
    related: pairs of a word of the texts and other words for it, which count for it, but less.
    vector: the query in the space of `model`; None searches without a model.
    built_in: name and query vector of the table of word vectors, used where the model cannot be.
    without_article, without_question: leave this question wording out of that article, as if its author had not
    written it: how the search is measured with the articles' own questions.
    """

    texts: Sequence[str]
    weights: Sequence[float]
    english: Sequence[str] | None = None
    is_english_vector: bool = False
    related: Sequence[tuple[str, str]] = ()
    model: str | None = None
    vector: Sequence[float] | None = None
    built_in: tuple[str, Sequence[float]] | None = None
    category: str | None = None
    plan: str | None = None
    language: str | None = None
    limit: int = 5
    without_article: int | None = None
    without_question: str | None = None


@dataclass(frozen=True, slots=True)
class PassageMatch:
    """A passage that was found. Scores are 0 to 1; `label` and `semantic` are None where it has no vectors.

    label: cosine to the nearest of title, headings and questions; semantic: that and the cosine to the text, blended.
    lexical: how much of what was asked stands in the passage, rare words counting more.
    lead: how far ahead of the best passage of any other article, negative when behind it.
    high, low: the thresholds measured for `mode`, None where none were.
    """

    passage_id: int
    article_id: int
    slug: str
    version: int
    title: str
    heading: str
    text: str
    plan: str | None
    language: str
    updated: date | None
    score: float
    lexical: float
    semantic: float | None
    label: float | None
    words: list[str]
    lead: float
    mode: str
    high: float | None
    low: float | None


async def search_passages(conn: Connection, wanted: PassageSearch) -> list[PassageMatch]:
    """The best passages of live, public, not superseded articles, best first, at most two of one article."""
    rows = await conn.fetch(
        SEARCH,
        list(wanted.texts), list(wanted.weights), wanted.model,
        format_vector(wanted.vector) if wanted.vector is not None else None,
        wanted.category, wanted.plan, wanted.language, wanted.limit, wanted.without_article, wanted.without_question,
        [word for word, _ in wanted.related], [others for _, others in wanted.related],
        wanted.built_in[0] if wanted.built_in else None,
        format_vector(wanted.built_in[1]) if wanted.built_in else None,
        list(wanted.texts if wanted.english is None else wanted.english), wanted.is_english_vector,
    )  # fmt: skip
    return [PassageMatch(**row) for row in rows]


SEARCH = """
with model as materialized (
  -- The query becomes a vector here, once: a plan made for any query would parse its text again for every row.
  select name, given.vector::vector as query, given.is_built_in
    from (values ($3::text, $4::text, false), ($13, $14, true)) given (name, vector, is_built_in)
    join embedding_models using (name)
   where given.vector is not null and state = case when given.is_built_in then 'building' else 'active' end
   order by given.is_built_in limit 1),
spoken as materialized (
  with recursive listed as (
    select min(language) as language from knowledge_base
     where state = 'live' and visibility = 'public' and not superseded
    union all
    select (select min(language) from knowledge_base
             where state = 'live' and visibility = 'public' and not superseded and language > listed.language)
      from listed where listed.language is not null)
  select language, search_config(language) as config from listed where language is not null),
corpus as materialized (
  select greatest(passages, 1)::float8 as passages, greatest(words::float8 / greatest(passages, 1), 1) as length
    from search_corpus),
asked as materialized (
  select row_number() over () as place, spoken.language, config, term.lexeme, max(part.weight) as weight,
         sum(cardinality(term.positions)) as times,
         coalesce((select passages from search_lexemes where lexeme = term.lexeme), 0) as seen
    from spoken, unnest($1::text[], $2::float8[], $15::text[]) part (words, weight, english),
         lateral unnest(to_tsvector(config, case when spoken.language = 'en' then english else words end)) term
   group by spoken.language, config, term.lexeme),
-- What counts for an asked word: itself, a word of its group, and for a word nobody wrote those it may be a slip of.
standing as (
  select place, lexeme, 1::float8 as share from asked
  union all
  select place, term.lexeme, 0.45
    from unnest($11::text[], $12::text[]) related (word, others)
    join asked on asked.language = 'en' and asked.lexeme = any(tsvector_to_array(to_tsvector('english', related.word))),
         lateral unnest(to_tsvector('english', related.others)) term
   where term.lexeme not in (select lexeme from asked where language = 'en')
  union all
  select place, alike.lexeme, 0.8
    from asked join search_lexemes alike on alike.spellings && list_spellings(asked.lexeme) and alike.passages > 0
   where asked.seen <= 0 and length(asked.lexeme) >= 5),
weighed as materialized (
  select standing.place, asked.language, standing.lexeme, standing.share = 1 as is_asked, asked.times, known.passages,
         asked.weight * max(standing.share) * least(
           ln(1 + (greatest(corpus.passages, asked.seen) - asked.seen + 0.5) / (asked.seen + 0.5)),
           ln(1 + (greatest(corpus.passages, known.passages) - known.passages + 0.5) / (known.passages + 0.5))) as gain
    from standing join asked using (place)
    join search_lexemes known on known.lexeme = standing.lexeme and known.passages > 0
   cross join corpus
   group by standing.place, asked.language, standing.lexeme, standing.share, asked.times, asked.weight, asked.seen,
            known.passages, corpus.passages),
rated as materialized (
  -- The rare words choose what is looked at; the common ones only say which of these is better.
  select *, row_number() over (order by passages, lexeme, place) = 1
            or sum(passages) over (order by passages, lexeme, place) <= 6000 as leads
    from weighed),
ceilings as materialized (
  select language, sum(weight * ln(1 + (greatest(corpus.passages, seen) - seen + 0.5) / (seen + 0.5))) as weight
    from asked cross join corpus group by language),
first_hits as materialized (
  select rated.place, rated.language, terms.passage_id, terms.length, gain, rated.lexeme,
         terms.tf - case when terms.article_id = $9 and is_asked then times else 0 end as tf
    from rated,
         -- offset 0: one look into the index per word, whatever the planner thinks of their number
         lateral (select * from passage_terms where lexeme = rated.lexeme offset 0) terms
    join knowledge_base article on article.id = terms.article_id
     and state = 'live' and visibility = 'public' and not superseded
     and ($5::text is null or category = $5) and ($6::text is null or plan is null or plan = $6)
   where leads and article.language = rated.language),
shortlist as materialized (
  select passage_id, language, min(first_hits.length) as length from first_hits cross join corpus where tf > 0
   group by passage_id, language
   order by sum(gain * tf / (tf + 2 * (0.1 + 0.9 * first_hits.length / corpus.length))) desc, passage_id limit 300),
hits as materialized (
  select place, passage_id, first_hits.language, first_hits.length, tf, gain, lexeme
    from first_hits join shortlist using (passage_id) where tf > 0
  union all
  select rated.place, passage_id, rated.language, shortlist.length, terms.tf, gain, rated.lexeme
    from rated join shortlist on shortlist.language = rated.language,
         lateral (select tf from passage_terms terms
                   where lexeme = rated.lexeme and terms.passage_id = shortlist.passage_id offset 0) terms
   where not leads),
lexical as materialized (
  -- BM25 with k1 2 and b 0.9, as a share of what a passage full of the asked words could reach. Of the words that
  -- stand for one asked word the best counts.
  select passage_id, least(1, sum(best) / max(ceilings.weight)) as score
    from (select passage_id, place, hits.language,
                 max(gain * tf / (tf + 2 * (0.1 + 0.9 * hits.length / corpus.length))) as best
            from hits cross join corpus group by passage_id, place, hits.language) worded
    join ceilings using (language)
   group by passage_id),
near as (
  select passages.id as passage_id
    from model, nearest_passages(model.name, model.query::text, 60, $5, $6) found
    join passages on passages.article_id = found.article_id
     and (found.passage_id is null or found.passage_id = passages.id)),
candidates as materialized (
  -- One list instead of a join: how many there are is not known when the statement is planned.
  select passage_id, max(score) as lexical
    from (select passage_id, score, row_number() over (order by score desc, passage_id) as nth from lexical
          union all select passage_id, 0, 0 from near) listed
   group by passage_id having min(nth) <= 60),
blended as materialized (
  select passages.id as passage_id, passages.article_id, passages.ordinal, candidates.lexical,
         max(1 - (made.embedding <=> model.query)) filter (where made.kind <> 'text') as label,
         max(1 - (made.embedding <=> model.query)) filter (where made.kind = 'text') as text
    from candidates
    join passages on passages.id = candidates.passage_id
    left join model on true
    left join passage_embeddings made on made.article_id = passages.article_id and made.model = model.name
     and (made.passage_id is null or made.passage_id = passages.id)
     and ($9::bigint is null or made.article_id <> $9 or made.kind <> 'question'
          or made.content_hash <> content_hash($10))
   group by passages.id, passages.article_id, passages.ordinal, candidates.lexical),
fused as (
  -- What a model understood counts more than words; what a table of words knows counts less, and of its two views of a
  -- passage the nearer one.
  select passage_id, article_id, lexical, label, model.is_built_in,
         ordinal = 0 and coalesce(label >= text, true) as is_opening,
         case when model.is_built_in then greatest(label, text)
              else 0.7 * greatest(label, text) + 0.3 * least(label, text) end as semantic
    from blended left join model on true),
scored as (
  select fused.*, case when semantic is null then lexical
                       when is_built_in then 0.6 * lexical + 0.4 * greatest(semantic, 0)
                       else 0.3 * lexical + 0.7 * greatest(semantic, 0) end as score,
         article.slug, article.version, article.title, article.plan, article.language, article.updated
    from fused join knowledge_base article on article.id = fused.article_id),
ranked as (
  select scored.*,
         scored.score
           + case when scored.plan is null then 0 when $6::text is null then -0.04 else 0.04 end
           + case when scored.language = $7 then case when $16 then 0.25 else 0.04 end else 0 end as rank
    from scored),
ordered as (
  -- Where the question is the article's own, and not that of one of its sections, its opening comes before them. How
  -- the article fares among the others stays as it is: the passages change places, and their places keep the figures.
  select ranked.*, row_number() over of_article as nth,
         array_agg(rank) over (by_rank rows between unbounded preceding and unbounded following) as ranks,
         array_agg(score) over (by_rank rows between unbounded preceding and unbounded following) as scores
    from ranked
  window of_article as (partition by article_id
                        order by rank + case when is_opening then 0.06 else 0 end desc, passage_id),
         by_rank as (partition by article_id order by rank desc, passage_id)),
placed as (
  select passage_id, article_id, slug, version, title, plan, language, updated, lexical, semantic, label, nth,
         ranks[nth] as rank, scores[nth] as score
    from ordered),
shown as materialized (
  select * from placed where nth <= 2 order by rank desc, passage_id limit $8),
matched as (
  select passage_id, array_agg(lexeme order by gain desc, lexeme) as words
    from (select passage_id, lexeme, max(gain) as gain from hits
           where passage_id in (select passage_id from shown) group by passage_id, lexeme) found
   group by passage_id)
select shown.passage_id, shown.article_id, slug, version, title, passages.heading, passages.text, plan, language,
       updated, score, lexical, semantic, label, coalesce(matched.words, '{}') as words,
       rank - coalesce((select max(rank) from placed where placed.article_id <> shown.article_id), 0) as lead,
       coalesce((select name from model where not is_built_in), 'text') as mode, thresholds.high, thresholds.low
  from shown
  join passages on passages.id = shown.passage_id
  left join matched on matched.passage_id = shown.passage_id
  left join search_thresholds thresholds
    on thresholds.mode = coalesce((select name from model where not is_built_in), 'text')
 order by rank desc, shown.passage_id
"""


async def add_thresholds(conn: Connection, mode: str, high: float, low: float, sample_size: int) -> None:
    """Keep what was measured for a mode, in place of what was measured before."""
    await conn.execute(
        """
        insert into search_thresholds (mode, high, low, sample_size) values ($1, $2, $3, $4)
            on conflict (mode) do update
           set high = excluded.high, low = excluded.low, sample_size = excluded.sample_size, computed_at = now()
        """,
        mode, high, low, sample_size,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SampleQuestion:
    """A question wording of a live article, with its vector where the model has one."""

    article_id: int
    question: str
    plan: str | None
    language: str
    vector: list[float] | None


async def list_sample_questions(conn: Connection, model: str | None, limit: int) -> list[SampleQuestion]:
    """Up to `limit` question wordings of the articles that can be found, the same ones every time."""
    rows = await conn.fetch(
        """
        select article.id as article_id, question, plan, language, made.embedding::real[] as vector
          from knowledge_base article cross join unnest(questions) question
          left join embedding_models model on model.name = $1 and model.state = 'active'
          left join passage_embeddings made on made.article_id = article.id and made.model = model.name
            and made.kind = 'question' and made.content_hash = content_hash(question)
         where article.state = 'live' and visibility = 'public' and not superseded
         order by md5(question), article.id limit $2
        """,
        model, limit,
    )  # fmt: skip
    return [SampleQuestion(**row) for row in rows]
