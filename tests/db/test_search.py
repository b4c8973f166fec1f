import asyncpg
import pytest

from db.pool import Connection
from db.search import PassageSearch, add_thresholds, search_passages


@pytest.mark.parametrize(("language", "config"), [("en", "english"), ("de", "german"), ("xx", "english")])
async def test_every_language_has_a_text_search_configuration(conn: Connection, language: str, config: str) -> None:
    assert await conn.fetchval("select search_config($1)::text", language) == config


async def test_thresholds_measured_again_replace_the_earlier_ones(conn: Connection) -> None:
    await add_thresholds(conn, "text", 1.0, 0.3, 20)
    await add_thresholds(conn, "text", 0.9, 0.2, 30)
    [row] = await conn.fetch("select mode, high, low, sample_size from search_thresholds")
    assert tuple(row) == ("text", 0.9, 0.2, 30)


async def test_a_vector_of_a_model_nobody_knows_is_left_out_of_the_search(conn: Connection) -> None:
    wanted = PassageSearch(texts=["refund"], weights=[1.0], model="unknown", vector=[1.0, 0.0])
    assert await search_passages(conn, wanted) == []


async def test_two_live_versions_of_one_article_cannot_be_stored(conn: Connection) -> None:
    add = "insert into knowledge_base (slug, version, title, body, content_hash) values ('a', $1, 'A', 'B', 'h')"
    await conn.execute(add, 1)
    with pytest.raises(asyncpg.UniqueViolationError):
        await conn.execute(add, 2)
