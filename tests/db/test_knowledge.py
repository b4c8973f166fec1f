import asyncio

import pytest

from agent.indexing import import_article
from app.front_matter import parse_article
from db import knowledge
from db.errors import NotFound
from db.pool import Connection, Pool


async def take_in(conn: Connection, slug: str, body: str, **fields: str) -> int:
    matter = "\n".join(f"{name}: {value}" for name, value in fields.items())
    article = parse_article(f"---\nslug: {slug}\n{matter}\n---\n{body}", slug)
    return (await import_article(conn, article)).article_id


async def test_the_live_version_is_read_unless_another_is_named(conn: Connection) -> None:
    await take_in(conn, "prices", "## Pro\nTwelve dollars.", title="Prices", questions='["What is it?"]', plan="pro")
    await take_in(conn, "prices", "Fifteen dollars.", title="Prices")
    live = await knowledge.load_article(conn, "prices")
    assert (live.version, live.body, live.state) == (2, "Fifteen dollars.", "live")
    old = await knowledge.load_article(conn, "prices", 1)
    assert (old.version, old.state, old.plan, old.questions) == (1, "replaced", "pro", ("What is it?",))
    assert [(passage.heading, passage.text) for passage in old.passages] == [("Pro", "Twelve dollars.")]


@pytest.mark.parametrize(("slug", "version"), [("nothing", None), ("prices", 2), ("secret", None), ("secret", 1)])
async def test_what_is_not_there_or_not_public_is_not_found(conn: Connection, slug: str, version: int | None) -> None:
    await take_in(conn, "prices", "Twelve dollars.")
    await take_in(conn, "secret", "Offers.", visibility="internal")
    with pytest.raises(NotFound):
        await knowledge.load_article(conn, slug, version)


async def test_no_version_of_an_article_that_became_internal_is_readable(conn: Connection) -> None:
    await take_in(conn, "offers", "Ten percent.")
    await take_in(conn, "offers", "Ten percent.", visibility="internal")
    with pytest.raises(NotFound):
        await knowledge.load_article(conn, "offers", 1)


async def test_passages_of_a_replaced_version_keep_their_ids_for_old_citations(conn: Connection) -> None:
    first = await take_in(conn, "prices", "Twelve dollars.")
    cited = await knowledge.list_passages(conn, first)
    await take_in(conn, "prices", "Fifteen dollars.")
    assert await knowledge.list_passages(conn, first) == cited


async def test_a_retired_article_gives_back_what_it_superseded(conn: Connection) -> None:
    await take_in(conn, "old", "Old price.")
    await take_in(conn, "new", "New price.", supersedes="old")
    await knowledge.retire_article(conn, "new")
    [article] = await knowledge.list_articles(conn)
    assert (article.slug, article.superseded) == ("old", False)
    assert await conn.fetchval("select count(distinct passage_id) from passage_terms") == 1
    with pytest.raises(NotFound):
        await knowledge.retire_article(conn, "new")


async def test_words_of_the_title_count_three_times_and_those_of_questions_once(conn: Connection) -> None:
    await take_in(conn, "a", "Refund refund.", title="Refund board", questions='["A refund?", "My **money**"]')
    rows = await conn.fetch("select lexeme, tf from passage_terms order by lexeme")
    assert [tuple(row) for row in rows] == [("board", 3), ("money", 1), ("refund", 6)]
    assert await conn.fetchval("select length from passages") == 10


async def test_lists_show_internal_and_superseded_articles_to_staff(conn: Connection) -> None:
    await take_in(conn, "b", "Words.", visibility="internal")
    await take_in(conn, "a", "Words.", category="billing", updated="2026-01-31", supersedes="c")
    await take_in(conn, "c", "Words.")
    shown = [(article.slug, article.visibility, article.superseded) for article in await knowledge.list_articles(conn)]
    assert shown == [("a", "public", False), ("b", "internal", False), ("c", "public", True)]


async def test_imports_of_one_slug_at_the_same_time_become_versions_in_turn(pool: Pool) -> None:
    async def take_in_alone(number: int) -> None:
        async with pool.acquire() as conn:
            await take_in(conn, "prices", f"{number} dollars.")

    await asyncio.gather(*(take_in_alone(number) for number in range(6)))
    rows = await pool.fetch("select version, state from knowledge_base order by version")
    assert [row["version"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["state"] for row in rows].count("live") == 1
