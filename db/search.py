"""The search over passages: one statement that ranks by words and by vectors, and how sure a score is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from db.embeddings import format_vector
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class PassageSearch:
    """What to search for. `texts` and `weights` belong together: the newest words weigh 1, earlier ones less.

    synonyms: other words for them, which weigh little and are not missed where they are missing.
    vector: the query in the space of `model`; None searches by words alone.
    without_article, without_question: leave this question wording out of that article, as if its author had not
    written it: how the search is measured with the articles' own questions.
    """

    texts: Sequence[str]
    weights: Sequence[float]
    synonyms: str = ""
    model: str | None = None
    vector: Sequence[float] | None = None
    category: str | None = None
    plan: str | None = None
    language: str | None = None
    limit: int = 5
    without_article: int | None = None
    without_question: str | None = None


@dataclass(frozen=True, slots=True)
class PassageMatch:
    """A passage that was found. All scores are 0 to 1; `label` and `semantic` are None where words alone were searched.

    label: cosine to the nearest of title, headings and questions; semantic: that and the cosine to the text, blended.
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
        wanted.synonyms,
    )  # fmt: skip
    return [PassageMatch(**row) for row in rows]


SEARCH = """
with model as materialized (
  -- The query becomes a vector here, once: a plan made for any query would parse its text again for every row.
  select name, $4::text::vector as query
    from embedding_models where name = $3 and state = 'active' and $4::text is not null),
eligible as materialized (
  select id, slug, version, title, plan, language, updated, passages, words from knowledge_base
   where state = 'live' and visibility = 'public' and not superseded
     and ($5::text is null or category = $5) and ($6::text is null or plan is null or plan = $6)),
corpus as materialized (
  select sum(passages)::float8 as passages, greatest(sum(words)::float8 / sum(passages), 1) as length from eligible),
asked as materialized (
  select row_number() over () as place, spoken.language, term.lexeme, max(part.weight) as weight,
         bool_or(part.is_asked) as is_asked, sum(cardinality(term.positions)) filter (where part.is_asked) as times
    from (select distinct language from eligible) spoken,
         (select words, weight, true from unnest($1::text[], $2::float8[]) turn (words, weight)
          union all select $11::text, 0.2, false) part (words, weight, is_asked),
         lateral unnest(to_tsvector(search_config(spoken.language), part.words)) term
   group by spoken.language, term.lexeme),
hits as materialized (
  select asked.place, terms.passage_id, terms.length,
         terms.tf - case when terms.article_id = $9 then coalesce(asked.times, 0) else 0 end as tf
    from asked
    join passage_terms terms using (lexeme)
    join eligible on eligible.id = terms.article_id and eligible.language = asked.language),
rarity as materialized (
  select place, asked.language, asked.lexeme, asked.is_asked,
         asked.weight * ln(1 + (corpus.passages - seen.times + 0.5) / (seen.times + 0.5)) as weight
    from asked cross join corpus
    join (select asked.place, count(hits.place) as times
            from asked left join hits on hits.place = asked.place group by asked.place) seen using (place)
   -- A synonym that stands everywhere tells nothing and costs time.
   where asked.is_asked or seen.times <= greatest(100, corpus.passages / 20)),
ceilings as materialized (
  select language, sum(weight) as weight from rarity where is_asked group by language),
lexical as materialized (
  -- BM25 with k1 1.2 and b 0.75, as a share of what a passage full of the asked words could reach.
  select hits.passage_id,
         least(1, sum(rarity.weight * hits.tf / (hits.tf + 1.2 * (0.25 + 0.75 * hits.length / corpus.length)))
                  / ceilings.weight) as score
    from hits join rarity using (place) join ceilings using (language) cross join corpus
   where hits.tf > 0
   group by hits.passage_id, ceilings.weight),
near as (
  select passages.id as passage_id
    from model, nearest_embeddings(model.name, $4, array(select id from eligible), 60) found
    join passages on passages.article_id = found.article_id
     and (found.passage_id is null or found.passage_id = passages.id)),
candidates as materialized (
  -- One list instead of a join: how many there are is not known when the statement is planned.
  select passage_id, max(score) as lexical
    from (select passage_id, score, row_number() over (order by score desc, passage_id) as nth from lexical
          union all select passage_id, 0, 0 from near) listed
   group by passage_id having min(nth) <= 60),
blended as materialized (
  select passages.id as passage_id, passages.article_id, candidates.lexical,
         max(1 - (made.embedding <=> model.query)) filter (where made.kind <> 'text') as label,
         max(1 - (made.embedding <=> model.query)) filter (where made.kind = 'text') as text
    from candidates
    join passages on passages.id = candidates.passage_id
    left join model on true
    left join passage_embeddings made on made.article_id = passages.article_id and made.model = model.name
     and (made.passage_id is null or made.passage_id = passages.id)
     and ($9::bigint is null or made.article_id <> $9 or made.kind <> 'question'
          or made.content_hash <> content_hash($10))
   group by passages.id, passages.article_id, candidates.lexical),
fused as (
  select passage_id, article_id, lexical, label,
         0.6 * greatest(label, text) + 0.4 * least(label, text) as semantic
    from blended),
scored as (
  select *, case when semantic is null then lexical else 0.75 * greatest(semantic, 0) + 0.25 * lexical end as score
    from fused),
ranked as (
  select scored.*,
         scored.score
           + case when eligible.plan is null then 0 when $6::text is null then -0.04 else 0.04 end
           + case when eligible.language = $7 then 0.04 else 0 end as rank,
         eligible.slug, eligible.version, eligible.title, eligible.plan, eligible.language, eligible.updated
    from scored join eligible on eligible.id = scored.article_id),
placed as (
  select ranked.*, row_number() over (partition by article_id order by rank desc, passage_id) as nth from ranked),
shown as materialized (
  select * from placed where nth <= 2 order by rank desc, passage_id limit $8),
matched as (
  select hits.passage_id, array_agg(rarity.lexeme order by rarity.weight desc, rarity.lexeme) as words
    from hits join rarity using (place)
   where hits.tf > 0 and hits.passage_id in (select passage_id from shown)
   group by hits.passage_id)
select shown.passage_id, shown.article_id, slug, version, title, passages.heading, passages.text, plan, language,
       updated, score, lexical, semantic, label, coalesce(matched.words, '{}') as words,
       rank - coalesce((select max(rank) from placed where placed.article_id <> shown.article_id), 0) as lead,
       coalesce((select name from model), 'text') as mode, thresholds.high, thresholds.low
  from shown
  join passages on passages.id = shown.passage_id
  left join matched on matched.passage_id = shown.passage_id
  left join search_thresholds thresholds on thresholds.mode = coalesce((select name from model), 'text')
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
