"""What makes a version of an article live, and what takes it back."""

from dataclasses import dataclass
from typing import Literal

from db import knowledge, queue
from db.articles import ArticleError, list_surfaces
from db.embeddings import reuse_vectors
from db.errors import DeskError
from db.knowledge import CircularSupersedes, NewArticle, Version
from db.people import Actor
from db.pool import Connection
from db.text import search_words

INDEX_LANE = "job:index_article"


class EditConflict(DeskError):
    """The article is not in the version any more that somebody started from. `version`: the live one, 0 for none."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the article is in version {version} now")
        self.version = version


@dataclass(frozen=True, slots=True)
class Published:
    """What became of an article: the version that is live now."""

    status: Literal["new", "changed", "same"]
    article_id: int
    version: int


async def store_article(
    conn: Connection, article: NewArticle, live: Version | None, who: Actor | None = None
) -> Version:
    """Make this the live version of its slug, found by its words from the commit on; its vectors are made by a worker.

    live: the version it replaces; the vectors of its unchanged words are kept. who: None for what nobody signs. Call in
    a transaction, after lock_articles(). Raises ArticleError when articles would take each other's place.
    """
    touched = {article.slug, article.supersedes, live.supersedes if live else None}
    stored = await knowledge.add_article(conn, article)
    if who is not None:
        await conn.execute("select sign_version($1, $2)", who, stored.id)
    await knowledge.add_passages(conn, stored.id, search_words("\n".join(article.questions)), article.passages)
    if article.visibility == "public":
        parts = [(passage.heading, passage.text) for passage in article.passages]
        await reuse_vectors(conn, stored.id, list_surfaces(article.title, article.questions, parts))
    await knowledge.drop_index_entries(conn, article.slug)
    try:
        await knowledge.mark_superseded(conn, [slug for slug in touched if slug])
    except CircularSupersedes as error:
        raise ArticleError(article.slug, "supersedes", str(error)) from error
    return stored


async def publish_article(conn: Connection, who: Actor, article: NewArticle, *, based_on: int) -> Published:
    """Publish what somebody wrote, starting from a version (0: from none), and have it indexed.

    Raises EditConflict when another one is live meanwhile, ArticleError as store_article(). Nothing is kept then.
    """
    async with conn.transaction():
        await knowledge.lock_articles(conn)
        live = await knowledge.find_live(conn, article.slug)
        if (live.version if live else 0) != based_on:
            raise EditConflict(live.version if live else 0)
        if live is not None and live.content_hash == article.content_hash:
            return Published("same", live.id, live.version)
        stored = await store_article(conn, article, live, who)
        await queue_indexing(conn, stored.id)
    return Published("changed" if live else "new", stored.id, stored.version)


async def retire_article(conn: Connection, slug: str, who: Actor | None = None) -> int:
    """Take an article out of search for good; what it superseded is found again. Its id. Raises NotFound."""
    async with conn.transaction():
        article_id = await knowledge.retire_article(conn, slug, who)
        await queue_measuring(conn, article_id)
    return article_id


async def queue_indexing(conn: Connection, article_id: int) -> None:
    """Have the vectors of an article made."""
    key, payload = f"index_article:{article_id}", {"article_id": article_id}
    await queue.add_work(conn, INDEX_LANE, "index_article", payload, dedupe_key=key, priority=2)


async def queue_measuring(conn: Connection, article_id: int) -> None:
    """Without this article others are found: when a search counts as sure is to be measured anew."""
    key, payload = f"index_article:{article_id}:retired", {"article_id": article_id}
    await queue.add_work(conn, INDEX_LANE, "index_article", payload, dedupe_key=key, priority=2)
