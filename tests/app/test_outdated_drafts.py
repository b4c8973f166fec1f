"""Promises about drafts whose articles change before anybody decides: the old text does not go out unseen."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import httpx2
import pytest

from db.pool import Connection, Pool
from db.publishing import retire_article
from tests.app.desk import STAFF, open_desk
from tests.app.test_thread_page import press, read
from tests.db.test_knowledge_desk import LONG, MAY, cite, publish
from tests.worker.test_drafts import find_talk, let_draft, list_waiting, write_draft

CHANGED = "An article it stands on has changed since it was written"
PRICES = f"## Pro\n\nPro costs nine dollars a month. {LONG}\n\n## Team\n\nTeam costs forty dollars a month. {LONG}"

Change = Callable[[Connection], Awaitable[object]]


async def raise_price(conn: Connection) -> object:
    return await publish(conn, PRICES.replace("nine", "ten"), based_on=1)


async def retire(conn: Connection) -> object:
    return await retire_article(conn, "prices", MAY)


async def change_another_part(conn: Connection) -> object:
    return await publish(conn, PRICES.replace("forty", "fifty"), based_on=1)


async def draft_price(pool: Pool, conn: Connection) -> tuple[str, UUID, str]:
    """The address of a conversation with a draft that stands on the price, the draft, and its text."""
    await publish(conn, PRICES)
    await let_draft(conn)
    _, draft = await write_draft(pool, conn)
    await conn.execute("update drafts set citations = $1", await cite(conn, "prices"))
    return f"/conversations/{await find_talk(conn, draft)}", draft.id, draft.body


async def approve(desk: httpx2.AsyncClient, conn: Connection, talk: str, draft: UUID, text: str) -> httpx2.Response:
    """As a program that has read all that was said."""
    seen = await conn.fetchval("select count_said(c) from conversations c")
    return await desk.post(f"{talk}/answer", json={"message": text, "draft": str(draft), "seen": seen}, headers=STAFF)


@pytest.mark.parametrize("change", [raise_price, retire])
async def test_a_draft_whose_article_has_changed_is_sent_only_in_other_words(
    database_url: str, pool: Pool, conn: Connection, change: Change
) -> None:
    talk, draft, text = await draft_price(pool, conn)
    async with open_desk(database_url) as desk:
        assert CHANGED not in await read(desk, talk)
        await change(conn)
        assert CHANGED in await read(desk, talk)
        refused = await approve(desk, conn, talk, draft, text)
        assert (refused.status_code, CHANGED in refused.json()["detail"]) == (409, True)
        key, said = "0" * 31 + "1", str(await conn.fetchval("select count_said(c) from conversations c"))
        page = await press(desk, f"{talk}/answer", message=text, draft=str(draft), submission_id=key, seen=said)
        assert (page.status_code, text in page.text) == (409, True)
        assert await list_waiting(conn) == ["person"]
        assert await conn.fetchval("select count(*) from messages where direction = 'outbound'") == 0
        sent = await approve(desk, conn, talk, draft, f"{text} It is ten dollars.")
        assert sent.json()["outcome"] == "accepted"
        assert await conn.fetchval("select state from drafts") == "edited"


async def test_a_draft_is_sent_as_it_is_where_another_part_of_its_article_has_changed(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    talk, draft, text = await draft_price(pool, conn)
    await change_another_part(conn)
    async with open_desk(database_url) as desk:
        assert CHANGED not in await read(desk, talk)
        assert (await approve(desk, conn, talk, draft, text)).json()["outcome"] == "accepted"
