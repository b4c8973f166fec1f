import pytest

from db.embeddings import finish_model, format_vector, start_model
from db.pool import Connection

DIMENSIONS = 16


async def add_synthetic_vectors(conn: Connection, model: str, count: int) -> None:
    """`count` articles of one passage each, with a vector that is the same in every run."""
    await start_model(conn, model, DIMENSIONS)
    await conn.execute(
        """
        insert into knowledge_base (slug, version, title, body, content_hash)
        select 'article-' || n, 1, 'Title', 'Body', n from generate_series(1, $1::integer) n
        """,
        count,
    )
    await conn.execute(
        """
        insert into passage_embeddings (model, article_id, kind, content_hash, embedding)
        select $1, id, 'title', id,
               (select array_agg(sin(id * 7.1 * place)) from generate_series(1, $2::integer) place)::vector
          from knowledge_base
        """,
        model, DIMENSIONS,
    )  # fmt: skip
    await conn.execute("analyze passage_embeddings")


async def test_among_thousands_of_vectors_the_index_of_the_model_is_used(conn: Connection) -> None:
    await add_synthetic_vectors(conn, "first", 5000)
    await start_model(conn, "second", DIMENSIONS)
    query = format_vector([1.0] * DIMENSIONS)
    index = "select indexrelid from pg_index where pg_get_indexdef(indexrelid) like '%hnsw%' || $1 || '%'"
    async with conn.transaction():
        everything = await conn.fetchval("select array_agg(id) from knowledge_base")
        near = await conn.fetch("select * from nearest_embeddings('first', $1, $2, 60)", query, everything)
        scans = await conn.fetchval(f"select pg_stat_get_xact_numscans(({index}))", "'first'")
        others = await conn.fetchval(f"select pg_stat_get_xact_numscans(({index}))", "'second'")
    assert (len(near), scans, others) == (60, 1, 0)
    plan = await conn.fetch(
        """
        explain select article_id from passage_embeddings where model = 'first'
         order by embedding::vector(16) <=> array_fill(1.0, '{16}')::vector(16) limit 60
        """
    )
    assert "Index Scan using passage_embeddings_" in "\n".join(row[0] for row in plan)


async def test_the_index_finds_what_an_exact_search_finds(conn: Connection) -> None:
    await add_synthetic_vectors(conn, "first", 2000)
    wanted = set(range(10, 1500, 10))
    query = format_vector([0.5] * DIMENSIONS)
    ids = await conn.fetchval("select array_agg(id) from knowledge_base where id % 10 = 0 and id < 1500")
    assert set(ids) == wanted
    near = await conn.fetch("select article_id from nearest_embeddings('first', $1, $2, 20)", query, ids)
    exact = await conn.fetch(
        """
        select article_id from passage_embeddings where article_id = any($2)
         order by embedding <=> $1::text::vector limit 20
        """,
        query, ids,
    )  # fmt: skip
    found, right = ({row["article_id"] for row in rows} for rows in (near, exact))
    assert found <= wanted
    assert len(found & right) >= 18


@pytest.mark.parametrize("dimensions", [384, 1536, 3072])
async def test_models_of_every_usual_length_can_be_searched(conn: Connection, dimensions: int) -> None:
    await start_model(conn, 'it\'s a "model"'.replace(" ", "-"), dimensions)
    near = await conn.fetch(
        "select * from nearest_embeddings($1, $2, '{1}', 5)", 'it\'s-a-"model"', format_vector([1.0] * dimensions)
    )
    assert near == []


async def test_only_one_model_is_ever_active(conn: Connection) -> None:
    for name in ("first", "second", "third"):
        assert await start_model(conn, name, DIMENSIONS) is False
        assert await finish_model(conn, name) is True
        assert await finish_model(conn, name) is False
        assert await start_model(conn, name, DIMENSIONS) is True
    rows = await conn.fetch("select name, state from embedding_models order by name")
    assert [tuple(row) for row in rows] == [("first", "retired"), ("second", "retired"), ("third", "active")]
