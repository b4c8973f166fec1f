"""What the team is told before they answer on a channel that does not always let them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.chats import keep_aside, opt_in, opt_out
from db.pool import Connection
from tests.app.desk import HTML, STAFF, open_desk


def say(sid: str, text: str, ago: timedelta = timedelta()) -> dict[str, Any]:
    customer = {"kind": "phone", "value": "+4915112345678", "proof": "provider", "name": "Ana", "plan": None}
    return {
        "version": 1, "channel": "whatsapp", "thread_key": "+4915112345678", "external_id": sid, "body": text,
        "trust": 3, "sent_at": datetime.now(UTC) - ago, "address": "+4915112345678", "customer": customer,
    }  # fmt: skip


async def read_page(database_url: str, conn: Connection) -> str:
    reference = await conn.fetchval("select call_person(id, 'late', 'A note', 'TF') from conversations")
    async with open_desk(database_url) as desk:
        return (await desk.get(f"/support/ticket/{reference}", headers=STAFF | HTML)).text


@pytest.mark.parametrize(
    ("ago", "said"),
    [(timedelta(hours=1), "freely until"), (timedelta(hours=25), "only by an approved template since")],
)
async def test_the_ticket_says_until_when_they_may_be_written_to(
    database_url: str, conn: Connection, ago: timedelta, said: str
) -> None:
    await keep_aside(conn, say("SM1", "[sticker]", ago), kind="sticker")
    assert said in await read_page(database_url, conn)


async def test_the_ticket_says_that_nothing_is_sent_after_stop(database_url: str, conn: Connection) -> None:
    await opt_out(conn, say("SM1", "STOP"), farewell=None)
    assert "not here (STOP). They lift that by writing START" in await read_page(database_url, conn)
    await opt_in(conn, say("SM2", "START"))
    assert "freely until" in await read_page(database_url, conn)
