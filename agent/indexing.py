"""Articles into the knowledge base: text in, passages and vectors out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from agent.embeddings import ENGLISH_MODELS, Embedder
from agent.glossary import put_in_english
from agent.word_vectors import NAME, find_word_vectors
from db import embeddings, knowledge
from db.articles import list_surfaces
from db.embeddings import Surface
from db.knowledge import NewArticle
from db.pool import Connection, Pool, acquire
from db.publishing import store_article

Progress = Callable[[int, int], None]
"""Called with how many are done and how many there are."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. `article_id` and `version` are those that are live now."""

    status: Literal["new", "changed", "same"]
    slug: str
    article_id: int
    version: int
    passages: int


async def import_article(conn: Connection, article: NewArticle) -> Imported:
    """Make this the live version of its slug, found by its words, and what they mean, from the commit on.

    The vectors of a model are made by index_article; those of unchanged words are kept. Raises ArticleError.
    """
    async with conn.transaction():
        await knowledge.lock_articles(conn)
        live = await knowledge.find_live(conn, article.slug)
        if live is not None and live.content_hash == article.content_hash:
            passages = await knowledge.list_passages(conn, live.id)
            return Imported("same", article.slug, live.id, live.version, len(passages))
        stored = await store_article(conn, article, live)
        if article.visibility == "public":
            await add_word_vectors(conn, stored.id)
    status: Literal["new", "changed"] = "changed" if live is not None else "new"
    return Imported(status, article.slug, stored.id, stored.version, len(article.passages))


async def add_word_vectors(conn: Connection, article_id: int) -> None:
    """The vectors an article lacks from the table that comes with the program. Call under lock_articles.

    Otherwise two that both make room for the first of these vectors could wait for each other in a circle.
    """
    table = find_word_vectors()
    if table is None:
        return
    if not await embeddings.has_model(conn, NAME):
        await embeddings.start_model(conn, NAME, table.dimensions)
    missing = await list_missing(conn, NAME, article_id)
    made = [(surface, vector) for surface in missing if (vector := table.embed(surface.text)) is not None]
    surfaces, vectors = [surface for surface, _ in made], [vector for _, vector in made]
    await embeddings.add_vectors(conn, article_id, NAME, surfaces, vectors)


async def index_article(pool: Pool, embedder: Embedder | None, article_id: int) -> int:
    """Make the vectors an article lacks; how many the embedder made. Equal words are not embedded twice.

    A model that now has a vector for everything takes over the search. Nothing happens to an article that is no
    longer live. Raises EmbeddingUnavailable, and WrongDimensions for another model under the same name.
    """
    async with acquire(pool) as conn, conn.transaction():
        await knowledge.lock_articles(conn)
        await add_word_vectors(conn, article_id)
    return await embed_article(pool, embedder, article_id) if embedder else 0


async def embed_article(pool: Pool, embedder: Embedder, article_id: int) -> int:
    async with acquire(pool) as conn:
        is_active = await embeddings.start_model(conn, embedder.name, embedder.dimensions)
        missing = await list_missing(conn, embedder.name, article_id)
    vectors = await embed_once(embedder, missing)
    async with acquire(pool) as conn:
        await embeddings.add_vectors(conn, article_id, embedder.name, missing, vectors)
        if not is_active:
            await embeddings.finish_model(conn, embedder.name)
    return len({surface.content_hash for surface in missing})


async def list_missing(conn: Connection, model: str, article_id: int) -> list[Surface]:
    """What has no vector of this model yet, as the model can take it."""
    source = await embeddings.find_index_source(conn, article_id)
    if source is None:
        return []
    surfaces = list_surfaces(source.title, source.questions, source.passages)
    await embeddings.reuse_vectors(conn, article_id, surfaces)
    there = await embeddings.list_embedded(conn, article_id, model)
    missing = [surface for surface in surfaces if surface.content_hash not in there]
    if model != NAME and model not in ENGLISH_MODELS:
        return missing
    return [replace(surface, text=put_in_english(surface.text, source.language).english) for surface in missing]


async def embed_once(embedder: Embedder, surfaces: Sequence[Surface]) -> list[list[float]]:
    """A vector per surface; equal words are sent once."""
    texts = {surface.content_hash: surface.text for surface in surfaces}
    vectors = dict(zip(texts, await embedder.embed(list(texts.values())), strict=True)) if texts else {}
    return [vectors[surface.content_hash] for surface in surfaces]


async def reindex(pool: Pool, embedder: Embedder, on_progress: Progress = lambda _done, _all: None) -> int:
    """Make every vector this model lacks, beside those of the model searched with, and let it take over at the end.

    How many articles were indexed. May be stopped and started again at any time. Raises EmbeddingUnavailable.
    """
    async with acquire(pool) as conn:
        await embeddings.start_model(conn, embedder.name, embedder.dimensions)
        articles = await embeddings.list_unindexed(conn, embedder.name)
    for done, article_id in enumerate(articles):
        on_progress(done, len(articles))
        await index_article(pool, embedder, article_id)
    async with acquire(pool) as conn:
        await embeddings.finish_model(conn, embedder.name)
        await embeddings.drop_retired_vectors(conn)
    on_progress(len(articles), len(articles))
    return len(articles)
