from typing import Any

import pytest

from db.pool import Connection
from tests.app.desk import open_desk


async def add_article(conn: Connection, slug: str, body: str, **changed: Any) -> None:
    row = {"version": 1, "visibility": "public", "state": "live", "language": "en"} | changed
    await conn.execute(
        """
        insert into knowledge_base (slug, title, body, version, visibility, state, language, content_hash)
        values ($1, 'Title of ' || $1, $2, $3, $4, $5, $6, $1)
        """,
        slug, body, row["version"], row["visibility"], row["state"], row["language"],
    )  # fmt: skip


async def test_article_is_shown_in_the_version_that_was_cited(database_url: str, conn: Connection) -> None:
    await add_article(conn, "prices", "Old **price**", version=1, state="replaced")
    await add_article(conn, "prices", "New price", version=2, language="de")
    async with open_desk(database_url) as desk:
        newest = (await desk.get("/help/prices")).text
        cited = (await desk.get("/help/prices?version=1")).text
    assert "New price" in newest
    assert 'lang="de"' in newest
    assert "Old <strong>price</strong>" in cited
    assert "earlier text" in cited


async def test_article_is_text_and_never_markup(database_url: str, conn: Connection) -> None:
    await add_article(conn, "evil", "<script>alert(1)</script> [x](javascript:alert(1))")
    async with open_desk(database_url) as desk:
        page = (await desk.get("/help/evil")).text
    assert "<script>alert" not in page
    assert 'href="javascript' not in page


async def test_internal_article_does_not_exist_for_customers(database_url: str, conn: Connection) -> None:
    await add_article(conn, "secret", "Secret", visibility="internal")
    await add_article(conn, "withdrawn", "Was public", version=1, state="replaced")
    await add_article(conn, "withdrawn", "Now secret", version=2, visibility="internal")
    async with open_desk(database_url) as desk:
        for path in ("/help/secret", "/help/secret?version=1", "/help/withdrawn", "/help/withdrawn?version=1"):
            assert (await desk.get(path)).status_code == 404


@pytest.mark.parametrize(
    "path", ["nothing", "prices?version=9", "prices?version=x", "prices?version=" + "9" * 40, "%00", "a%2F..%2Fb"]
)
async def test_unknown_article_is_not_found(database_url: str, path: str) -> None:
    async with open_desk(database_url) as desk:
        assert (await desk.get(f"/help/{path}")).status_code == 404
