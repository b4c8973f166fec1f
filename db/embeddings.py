"""Vectors of articles, per model: filled beside each other, searched one at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from db.errors import DeskError
from db.pool import Connection


class WrongDimensions(DeskError):
    """A model has come back with vectors of another length: its name must change with it."""


@dataclass(frozen=True, slots=True)
class Surface:
    """Words of an article that get a vector. `kind`: title, question, heading or text.

    `passage` is its passage's place in the article, None for a title or a question, which belong to the whole article.
    """

    kind: str
    passage: int | None
    text: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class IndexSource:
    """What the vectors of a live public article are made from. `passages`: (heading, Markdown text) in order."""

    title: str
    questions: tuple[str, ...]
    passages: tuple[tuple[str, str], ...]
    language: str


def format_vector(vector: Sequence[float]) -> str:
    """A vector as Postgres reads it."""
    return "[" + ",".join(f"{number:.7g}" for number in vector) + "]"


async def has_model(conn: Connection, name: str) -> bool:
    """Whether there is room for vectors of this name."""
    return bool(await conn.fetchval("select exists (select from embedding_models where name = $1)", name))


async def start_model(conn: Connection, name: str, dimensions: int) -> bool:
    """Make room for a model's vectors; whether it is the one searched with already. Raises WrongDimensions."""
    known = await conn.fetchrow("select dimensions, state from embedding_models where name = $1", name)
    if known is not None and known["dimensions"] != dimensions:
        raise WrongDimensions(f"{name} gave vectors of {known['dimensions']} numbers before, now of {dimensions}")
    if known is None or known["state"] == "retired":
        await conn.execute("select add_embedding_model($1, $2)", name, dimensions)
    return known is not None and known["state"] == "active"


async def finish_model(conn: Connection, name: str) -> bool:
    """Search with this model from now on if no live article lacks a vector of it; whether it took over."""
    switched = await conn.fetch(
        """
        update embedding_models set state = case when name = $1 then 'active' else 'retired' end
         where (name = $1 or state = 'active')
           and exists (select from embedding_models where name = $1 and state = 'building')
           and not exists (select from unindexed_articles($1))
        returning name
        """,
        name,
    )
    return bool(switched)


async def drop_retired_vectors(conn: Connection) -> None:
    """Delete the vectors of models that another one took over from."""
    await conn.execute(
        "delete from passage_embeddings where model in (select name from embedding_models where state = 'retired')"
    )


async def find_index_source(conn: Connection, article_id: int) -> IndexSource | None:
    """What to embed of an article; None when it is no longer live, or internal."""
    rows = await conn.fetch(
        """
        select title, questions, heading, text, language
          from knowledge_base article join passages on passages.article_id = article.id
         where article.id = $1 and state = 'live' and visibility = 'public' order by ordinal
        """,
        article_id,
    )
    if not rows:
        return None
    passages = tuple((row["heading"], row["text"]) for row in rows)
    return IndexSource(rows[0]["title"], tuple(rows[0]["questions"]), passages, rows[0]["language"])


async def reuse_vectors(conn: Connection, article_id: int, surfaces: Sequence[Surface]) -> None:
    """Copy the vectors of equal words, of every model that has them, to an article."""
    await conn.execute(
        """
        insert into passage_embeddings (model, article_id, passage_id, kind, content_hash, embedding)
        select distinct on (made.model, passages.id, wanted.kind, wanted.content_hash)
               made.model, $1, passages.id, wanted.kind, wanted.content_hash, made.embedding
          from unnest($2::text[], $3::integer[], $4::text[]) wanted (kind, ordinal, content_hash)
          join passage_embeddings made on made.content_hash = wanted.content_hash
          left join passages on passages.article_id = $1 and passages.ordinal = wanted.ordinal
        on conflict do nothing
        """,
        article_id, [surface.kind for surface in surfaces], [surface.passage for surface in surfaces],
        [surface.content_hash for surface in surfaces],
    )  # fmt: skip


async def list_embedded(conn: Connection, article_id: int, model: str) -> set[str]:
    """The content hashes of an article that have a vector of this model."""
    rows = await conn.fetch(
        "select content_hash from passage_embeddings where article_id = $1 and model = $2", article_id, model
    )
    return {row["content_hash"] for row in rows}


async def add_vectors(
    conn: Connection, article_id: int, model: str, surfaces: Sequence[Surface], vectors: Sequence[Sequence[float]]
) -> None:
    """Store one vector per surface; nothing when the article has been replaced meanwhile."""
    await conn.execute(
        """
        insert into passage_embeddings (model, article_id, passage_id, kind, content_hash, embedding)
        select $2, article.id, passages.id, wanted.kind, wanted.content_hash, wanted.embedding::vector
          from unnest($3::text[], $4::integer[], $5::text[], $6::text[]) wanted (kind, ordinal, content_hash, embedding)
          join knowledge_base article on article.id = $1 and article.state = 'live' and article.visibility = 'public'
          left join passages on passages.article_id = article.id and passages.ordinal = wanted.ordinal
        on conflict do nothing
        """,
        article_id, model, [surface.kind for surface in surfaces], [surface.passage for surface in surfaces],
        [surface.content_hash for surface in surfaces], [format_vector(vector) for vector in vectors],
    )  # fmt: skip


async def list_unindexed(conn: Connection, model: str) -> list[int]:
    """The live public articles that lack a vector of this model, oldest first."""
    rows = await conn.fetch("select id from unindexed_articles($1) id", model)
    return [row["id"] for row in rows]
