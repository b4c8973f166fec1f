"""Articles in versions and their passages: what is written when one is imported, and what is read of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from db.errors import DeskError, NotFound
from db.people import Actor
from db.pool import Connection


class CircularSupersedes(DeskError):
    """Articles that take each other's place: none of them would be found any more."""


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A part of an article: Markdown `text` to show, plain `words` to rank by, the hash of what is embedded."""

    heading: str
    text: str
    words: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class NewArticle:
    """An article as its author wrote it, not yet stored. Equal `content_hash` means nothing changed."""

    slug: str
    title: str
    body: str
    questions: tuple[str, ...]
    category: str
    visibility: str
    plan: str | None
    language: str
    updated: date | None
    supersedes: str | None
    content_hash: str
    passages: tuple[NewPassage, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """One stored version of an article."""

    id: int
    version: int
    content_hash: str
    supersedes: str | None


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage of a stored article."""

    id: int
    ordinal: int
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Article:
    """One version of an article with its passages, in order."""

    id: int
    slug: str
    version: int
    title: str
    body: str
    questions: tuple[str, ...]
    category: str
    visibility: str
    plan: str | None
    language: str
    updated: date | None
    supersedes: str | None
    superseded: bool
    state: str
    created_at: datetime
    passages: tuple[StoredPassage, ...]


@dataclass(frozen=True, slots=True)
class ArticleLine:
    """A live article as lists show it. `indexed` is None for internal ones, and while no embedding model is active."""

    id: int
    slug: str
    version: int
    title: str
    category: str
    visibility: str
    plan: str | None
    language: str
    updated: date | None
    supersedes: str | None
    superseded: bool
    passages: int
    indexed: bool | None


async def lock_articles(conn: Connection) -> None:
    """Imports and removals wait for each other until the end of the transaction: they touch each other's rows."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended('knowledge_base', 0))")


async def find_live(conn: Connection, slug: str) -> Version | None:
    """The version of an article that is live now."""
    row = await conn.fetchrow(
        "select id, version, content_hash, supersedes from knowledge_base where slug = $1 and state = 'live'", slug
    )
    return Version(**row) if row else None


async def add_article(conn: Connection, article: NewArticle) -> Version:
    """Store the next version of an article, live at once; the one before is replaced. Call inside a transaction."""
    await conn.execute("update knowledge_base set state = 'replaced' where slug = $1 and state = 'live'", article.slug)
    rows = await conn.fetch(
        """
        insert into knowledge_base (slug, version, title, body, questions, category, visibility, plan, language,
                                    updated, supersedes, content_hash)
        select $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
          from knowledge_base where slug = $1
        returning id, version, content_hash, supersedes
        """,
        article.slug, article.title, article.body, article.questions, article.category, article.visibility,
        article.plan, article.language, article.updated, article.supersedes, article.content_hash,
    )  # fmt: skip
    return Version(**rows[0])


async def add_passages(conn: Connection, article_id: int, words: str, passages: Sequence[NewPassage]) -> list[int]:
    """Store the passages of an article with the terms they are ranked by; their ids, in order.

    words: the question wordings, which count for each passage. Internal articles get no terms.
    """
    rows = await conn.fetch(
        """
        with article as (
          select title, search_config(language) as config, visibility from knowledge_base where id = $1),
        parts as (
          select * from unnest($3::text[], $4::text[], $5::text[], $6::text[])
            with ordinality as part (heading, text, words, content_hash, place)),
        terms as materialized (
          select parts.place, term.lexeme, sum(source.weight * cardinality(term.positions))::integer as tf
            from parts, article,
                 lateral (values (3, article.title || ' ' || parts.heading), (1, $2), (1, parts.words))
                   source (weight, words),
                 lateral unnest(to_tsvector(article.config, source.words)) term
           group by parts.place, term.lexeme),
        added as (
          insert into passages (article_id, ordinal, heading, text, content_hash, length)
          select $1, place - 1, heading, text, content_hash,
                 coalesce((select sum(tf) from terms where terms.place = parts.place), 0)
            from parts
          returning id, ordinal, length),
        indexed as (
          insert into passage_terms (lexeme, passage_id, article_id, tf, length)
          select lexeme, added.id, $1, tf, length from terms join added on added.ordinal = terms.place - 1
           where exists (select from article where visibility = 'public')),
        sized as (
          update knowledge_base set passages = (select count(*) from added), words = (select sum(length) from added)
           where id = $1)
        select id from added order by ordinal
        """,
        article_id, words, [passage.heading for passage in passages], [passage.text for passage in passages],
        [passage.words for passage in passages], [passage.content_hash for passage in passages],
    )  # fmt: skip
    return [row["id"] for row in rows]


async def drop_index_entries(conn: Connection, slug: str) -> None:
    """Take all versions of an article that are not live out of both indexes; their text stays for old citations."""
    await conn.execute(
        """
        with gone as (select id from knowledge_base where slug = $1 and state <> 'live'),
        vectors as (delete from passage_embeddings where article_id in (select id from gone))
        delete from passage_terms where passage_id in (
          select passages.id from passages join gone on gone.id = passages.article_id)
        """,
        slug,
    )


async def mark_superseded(conn: Connection, slugs: Sequence[str]) -> None:
    """Make `superseded` of these articles true to what the live articles say. Raises CircularSupersedes."""
    circle = await conn.fetchval(
        """
        with recursive chain as (
          select slug as start, supersedes from knowledge_base where slug = any($1) and state = 'live'
          union
          select chain.start, older.supersedes
            from chain join knowledge_base older on older.slug = chain.supersedes and older.state = 'live')
        select start from chain where start = supersedes limit 1
        """,
        slugs,
    )
    if circle is not None:
        raise CircularSupersedes(f"{circle} would supersede itself by way of other articles")
    await conn.execute(
        """
        update knowledge_base article set superseded = not superseded
         where article.slug = any($1) and article.state = 'live'
           and article.superseded <> exists (
             select from knowledge_base newer where newer.supersedes = article.slug and newer.state = 'live')
        """,
        slugs,
    )


async def retire_article(conn: Connection, slug: str, who: Actor | None = None) -> int:
    """Take an article out of search for good; what it superseded is found again. Its id. Raises NotFound."""
    async with conn.transaction():
        await lock_articles(conn)
        row = await conn.fetchrow("select id, supersedes from retire_version($1, $2)", who, slug)
        if row is None:
            raise NotFound(f"no live article {slug}")
        await drop_index_entries(conn, slug)
        await mark_superseded(conn, [row["supersedes"]] if row["supersedes"] else [])
    return int(row["id"])


async def list_articles(conn: Connection) -> list[ArticleLine]:
    """All live articles by slug, internal and superseded ones too: for staff."""
    rows = await conn.fetch(
        """
        with model as (select name from embedding_models where state = 'active'),
        unindexed as materialized (select id from model, unindexed_articles(model.name) id)
        select id, slug, version, title, category, visibility, plan, language, updated, supersedes, superseded,
               passages,
               case when visibility = 'public' and exists (select from model)
                    then id not in (select id from unindexed) end as indexed
          from knowledge_base
         where state = 'live' order by slug
        """
    )
    return [ArticleLine(**row) for row in rows]


async def load_article(conn: Connection, slug: str, version: int | None = None) -> Article:
    """A public article for anyone to read; without `version` the live one. Raises NotFound.

    Old versions stay readable for the citations that name them, until the article becomes internal.
    """
    row = await conn.fetchrow(
        """
        select id, slug, version, title, body, questions, category, visibility, plan, language, updated, supersedes,
               superseded, state, created_at
          from knowledge_base article
         where slug = $1 and visibility = 'public' and (version = $2 or ($2 is null and state = 'live'))
           and not exists (select from knowledge_base now where now.slug = $1 and now.version > article.version
                              and now.visibility = 'internal')
        """,
        slug, version,
    )  # fmt: skip
    if row is None:
        raise NotFound(f"no article {slug}" if version is None else f"no version {version} of {slug}")
    passages = await list_passages(conn, row["id"])
    return Article(**{**row, "questions": tuple(row["questions"])}, passages=tuple(passages))


async def list_passages(conn: Connection, article_id: int) -> list[StoredPassage]:
    """The passages of one version of an article, in order."""
    rows = await conn.fetch(
        "select id, ordinal, heading, text from passages where article_id = $1 order by ordinal", article_id
    )
    return [StoredPassage(**row) for row in rows]
