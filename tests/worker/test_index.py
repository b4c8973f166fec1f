"""What a team that had articles before may rely on: after an upgrade the search knows meanings again by itself."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest

from agent import word_vectors
from agent.indexing import import_article
from app.front_matter import parse_article
from db import queue
from db.migrate import apply, list_migrations, migrate, take_turns
from db.pool import Connection, Pool, open_connection, open_pool
from tests.agent.word_embedder import WordEmbedder, write_article
from tests.conftest import database_of
from worker.completer import Completer
from worker.jobs.upkeep import IndexArticle

BEFORE_VECTORS = 12
"""The last schema without vectors that come with the program."""
LEASE = timedelta(minutes=5)
TOPICS = (
    "invoice", "password", "refund", "export", "keyboard", "calendar", "backup", "webhook", "discount", "language",
    "printer", "photo",
)  # fmt: skip


async def migrate_half_way(conn: Connection) -> None:
    async with conn.transaction():
        await take_turns(conn)
        for migration in list_migrations()[:BEFORE_VECTORS]:
            await apply(conn, migration)


async def import_as_before(conn: Connection, slug: str, **fields: str) -> None:
    text = write_article(slug, f"All about the {slug}.", questions=f'["Where is my {slug}?"]', **fields)
    await import_article(conn, parse_article(text, f"{slug}.md"))
    await conn.execute("delete from passage_embeddings where model = $1", word_vectors.NAME)
    await conn.execute("delete from embedding_models where name = $1", word_vectors.NAME)


@pytest.fixture
async def upgraded(server_url: str) -> AsyncIterator[Pool]:
    """A desk that had public and internal articles when the schema was older, migrated since."""
    name = f"test_{uuid4().hex}"
    admin = await open_connection(server_url)
    await admin.execute(f"create database {name}")
    async with open_pool(database_of(server_url, name), size=4) as pool:
        async with pool.acquire() as conn:
            await migrate_half_way(conn)
            for topic in TOPICS:
                await import_as_before(conn, topic)
            await import_as_before(conn, "secret", visibility="internal")
            await conn.execute("insert into search_thresholds values ('text', 9, 8, now(), 7)")
            await migrate(conn)
        yield pool
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


async def run_upkeep(pool: Pool, embedder: WordEmbedder | None, at_once: int) -> int:
    """Do what waits, so many pieces at a time; how many times there was something."""
    job, rounds = IndexArticle(pool, Completer(pool), embedder), 0
    while True:
        async with pool.acquire() as conn:
            lanes = await queue.claim_lanes(conn, worker="w", lanes=1, messages=at_once, lease=LEASE)
        if not lanes:
            return rounds
        await job.run(lanes[0])
        rounds += 1


@pytest.mark.parametrize("embedder", [None, WordEmbedder()], ids=["no model", "a model"])
async def test_an_upgraded_desk_gets_its_vectors_and_thresholds_without_an_import(
    upgraded: Pool, embedder: WordEmbedder | None
) -> None:
    async with upgraded.acquire() as conn:
        assert await conn.fetchval("select count(*) from search_thresholds") == 0
    assert await run_upkeep(upgraded, embedder, at_once=5) == 3
    async with upgraded.acquire() as conn:
        articles = await conn.fetch(
            """
            select slug from knowledge_base article where exists (
              select from passage_embeddings made where made.article_id = article.id and made.model = $1)
            """,
            word_vectors.NAME,
        )
        assert {row["slug"] for row in articles} == set(TOPICS)
        modes = await conn.fetch("select mode from search_thresholds")
        assert {row["mode"] for row in modes} == ({"text"} if embedder is None else {"text", embedder.name})


async def test_a_desk_without_articles_has_nothing_to_index_after_migrating(pool: Pool, conn: Connection) -> None:
    assert await conn.fetchval("select count(*) from message_queue where kind = 'index_article'") == 0
