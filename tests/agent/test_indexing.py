import pytest

from agent.embeddings import EmbeddingUnavailable
from agent.indexing import import_article, index_article, reindex
from agent.retrieval import SearchQuery, search
from app.front_matter import parse_article
from db import knowledge
from db.articles import ArticleError
from db.embeddings import WrongDimensions, list_unindexed
from db.pool import Connection, Pool
from tests.agent.word_embedder import WordEmbedder, take_in, write_article

REFUNDS = "Refunds are paid within 14 days."


async def find_mode(pool: Pool, embedder: WordEmbedder) -> str:
    found = await search(pool, embedder, SearchQuery("refunds"))
    assert found.sureness is not None
    return found.sureness.mode


async def find_superseded(conn: Connection) -> dict[str, bool]:
    return {article.slug: article.superseded for article in await knowledge.list_articles(conn)}


async def test_the_same_text_again_changes_nothing(pool: Pool) -> None:
    first = await take_in(pool, "refunds", REFUNDS)
    again = await take_in(pool, "refunds", REFUNDS)
    assert (first.status, again.status) == ("new", "same")
    assert (again.article_id, again.version) == (first.article_id, 1)


async def test_another_text_is_a_new_version_and_replaces_the_old_one(pool: Pool, conn: Connection) -> None:
    await take_in(pool, "refunds", REFUNDS)
    changed = await take_in(pool, "refunds", "Refunds are paid within 30 days.")
    assert (changed.status, changed.version) == ("changed", 2)
    states = await conn.fetch("select version, state from knowledge_base order by version")
    assert [tuple(row) for row in states] == [(1, "replaced"), (2, "live")]
    found = await search(pool, None, SearchQuery("refunds"))
    assert [passage.text for passage in found.passages] == ["Refunds are paid within 30 days."]


async def test_going_back_to_an_older_text_is_a_new_version(pool: Pool) -> None:
    for body in (REFUNDS, "Other words.", REFUNDS):
        done = await take_in(pool, "refunds", body)
    assert (done.status, done.version) == ("changed", 3)


@pytest.mark.parametrize("order", [("old", "new"), ("new", "old")])
async def test_a_superseded_article_is_marked_whichever_comes_first(
    pool: Pool, conn: Connection, order: tuple[str, str]
) -> None:
    texts = {
        "old": write_article("old", "The old price."),
        "new": write_article("new", "The new price.", supersedes="old"),
    }
    for slug in order:
        await import_article(conn, parse_article(texts[slug], slug))
    assert await find_superseded(conn) == {"new": False, "old": True}
    assert [passage.slug for passage in (await search(pool, None, SearchQuery("price"))).passages] == ["new"]


async def test_an_import_that_no_longer_supersedes_gives_the_old_article_back(pool: Pool, conn: Connection) -> None:
    await take_in(pool, "old", "The old price.")
    await take_in(pool, "new", "The new price.", supersedes="old")
    await take_in(pool, "new", "The new price.")
    assert await find_superseded(conn) == {"new": False, "old": False}


async def test_articles_that_supersede_each_other_are_refused_and_nothing_is_kept(pool: Pool, conn: Connection) -> None:
    await take_in(pool, "a", "One.", supersedes="b")
    await take_in(pool, "b", "Two.", supersedes="c")
    with pytest.raises(ArticleError, match="c: supersedes"):
        await import_article(conn, parse_article(write_article("c", "Three.", supersedes="a"), "c.md"))
    assert await find_superseded(conn) == {"a": False, "b": True}


async def test_an_internal_article_is_neither_indexed_nor_found(pool: Pool, conn: Connection) -> None:
    embedder = WordEmbedder()
    await take_in(pool, "offers", "Offer 20 percent to those who leave.", embedder, visibility="internal")
    assert await conn.fetchval("select count(*) from passage_terms") == 0
    assert embedder.asked == []
    assert (await search(pool, embedder, SearchQuery("offer percent"))).passages == ()


async def test_an_article_that_becomes_internal_leaves_both_indexes(pool: Pool, conn: Connection) -> None:
    embedder = WordEmbedder()
    await take_in(pool, "offers", "Offer 20 percent.", embedder)
    await take_in(pool, "offers", "Offer 20 percent.", embedder, visibility="internal")
    assert await conn.fetchval("select count(*) from passage_terms") == 0
    assert await conn.fetchval("select count(*) from passage_embeddings") == 0


async def test_only_words_that_changed_are_embedded_again(pool: Pool) -> None:
    embedder = WordEmbedder()
    paragraph = "Plain words about boards. " * 30
    body = f"## Boards\n{paragraph}\n\n## Refunds\n{REFUNDS * 12}"
    await take_in(pool, "faq", body, embedder, questions='["Where is my money?"]')
    embedder.asked.clear()
    await take_in(pool, "faq", body.replace("14", "30"), embedder, questions='["Where is my money?", "How long?"]')
    assert len(embedder.asked) == 2
    assert embedder.asked[0] == "How long?"
    assert "30 days" in embedder.asked[1]


async def test_lists_tell_which_articles_have_their_vectors(pool: Pool, conn: Connection) -> None:
    await take_in(pool, "before", REFUNDS)
    assert [article.indexed for article in await knowledge.list_articles(conn)] == [None]
    await reindex(pool, WordEmbedder())
    await take_in(pool, "later", REFUNDS)
    await take_in(pool, "private", REFUNDS, visibility="internal")
    assert [article.indexed for article in await knowledge.list_articles(conn)] == [True, False, None]


async def test_indexing_twice_embeds_nothing_the_second_time(pool: Pool) -> None:
    embedder = WordEmbedder()
    done = await take_in(pool, "refunds", REFUNDS, embedder)
    embedder.asked.clear()
    assert await index_article(pool, embedder, done.article_id) == 0
    assert embedder.asked == []


async def test_an_article_replaced_while_it_is_embedded_gets_no_vectors(pool: Pool, conn: Connection) -> None:
    class SlowEmbedder(WordEmbedder):
        async def embed(self, texts: object) -> list[list[float]]:
            await take_in(pool, "refunds", "Other words.")
            return await super().embed(list(texts))  # type: ignore[call-overload]

    first = await take_in(pool, "refunds", REFUNDS)
    await index_article(pool, SlowEmbedder(), first.article_id)
    assert await conn.fetchval("select count(*) from passage_embeddings where model = 'words'") == 0


async def test_a_new_model_takes_over_only_when_everything_has_its_vectors(pool: Pool, conn: Connection) -> None:
    old, new = WordEmbedder("old", 32), WordEmbedder("new", 48)
    first = await take_in(pool, "refunds", REFUNDS, old)
    await take_in(pool, "boards", "Boards hold tasks.", old)
    active = "select name from embedding_models where state = 'active'"
    await index_article(pool, new, first.article_id)
    assert await conn.fetchval(active) == "old"
    assert await find_mode(pool, old) == "old"
    assert await find_mode(pool, new) == "text"
    seen: list[tuple[int, int]] = []
    assert await reindex(pool, new, lambda done, total: seen.append((done, total))) == 1
    assert seen == [(0, 1), (1, 1)]
    assert await conn.fetchval(active) == "new"
    assert await find_mode(pool, new) == "new"
    assert await conn.fetchval("select count(*) from passage_embeddings where model = 'old'") == 0


async def test_changing_back_to_an_earlier_model_works(pool: Pool, conn: Connection) -> None:
    first, second = WordEmbedder("first", 32), WordEmbedder("second", 48)
    await take_in(pool, "refunds", REFUNDS, first)
    for embedder in (second, first):
        await reindex(pool, embedder)
    assert await conn.fetchval("select name from embedding_models where state = 'active'") == "first"
    assert await list_unindexed(conn, "first") == []


async def test_a_reindex_that_stops_half_way_goes_on_where_it_stopped(pool: Pool, conn: Connection) -> None:
    embedder = WordEmbedder()
    for slug in ("one", "two", "three"):
        await take_in(pool, slug, f"Words about {slug}.")

    def stop_after_two(done: int, _total: int) -> None:
        embedder.is_down = done == 2

    with pytest.raises(EmbeddingUnavailable):
        await reindex(pool, embedder, stop_after_two)
    assert len(await list_unindexed(conn, embedder.name)) == 1
    embedder.is_down = False
    assert await reindex(pool, embedder) == 1


async def test_a_model_that_changes_its_dimensions_under_the_same_name_is_refused(pool: Pool) -> None:
    done = await take_in(pool, "refunds", REFUNDS, WordEmbedder("same", 32))
    with pytest.raises(WrongDimensions, match="32 numbers before, now of 48"):
        await index_article(pool, WordEmbedder("same", 48), done.article_id)
