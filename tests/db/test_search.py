import asyncpg
import pytest

from db.knowledge import retire_article
from db.left_out import list_left_out
from db.pool import Connection, Pool
from db.search import PassageSearch, add_thresholds, search_passages
from tests.agent.word_embedder import take_in


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


async def test_how_often_a_word_stands_is_true_after_imports_and_removals(pool: Pool, conn: Connection) -> None:
    await take_in(pool, "one", "Refund.", title="Refund")
    await take_in(pool, "two", "Refund of an invoice.", title="Money")
    await take_in(pool, "two", "Only an invoice.", title="Money")
    await take_in(pool, "three", "Refund in secret.", visibility="internal")
    await retire_article(conn, "one")
    counted = await conn.fetch("select lexeme, passages from search_lexemes order by lexeme")
    stands = await conn.fetch("select lexeme, count(*) from passage_terms group by lexeme order by lexeme")
    assert [tuple(row) for row in counted] == [tuple(row) for row in stands]
    size = await conn.fetchrow("select passages, words from search_corpus")
    assert size is not None
    assert tuple(size) == (1, await conn.fetchval("select sum(tf) from passage_terms"))


@pytest.mark.parametrize("slip", ["pasword", "passwordd", "passwird", "psasword"])
async def test_two_spellings_one_letter_apart_meet(conn: Connection, slip: str) -> None:
    assert await conn.fetchval("select list_spellings('password') && list_spellings($1)", slip)
    assert not await conn.fetchval("select list_spellings('passport') && list_spellings($1)", slip)


async def test_what_was_left_out_is_told_with_the_reason(pool: Pool, conn: Connection) -> None:
    await take_in(pool, "old", "The old price.", title="Price of last year")
    await take_in(pool, "new", "The new price.", title="Price", supersedes="old")
    await take_in(pool, "secret", "For leavers.", title="Price offers", visibility="internal")
    await take_in(pool, "free", "Nothing.", title="Price of Free", plan="free")
    left = await list_left_out(conn, "what is the price?", "pro", 5)
    assert {(article.slug, article.why) for article in left} == {
        ("old", "superseded by new"), ("secret", "internal"), ("free", "for the plan free"),
    }  # fmt: skip
    assert await list_left_out(conn, "webhooks", "pro", 5) == []
