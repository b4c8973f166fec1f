"""What the team is told before they answer on a channel that does not always let them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.chats import keep_aside, opt_in, opt_out
from db.pool import Connection
from tests.app.desk import HTML, STAFF, find_conversation, make_settings, open_desk

ANSWER_BOX = '<textarea id="message"'


def say(sid: str, text: str, ago: timedelta = timedelta()) -> dict[str, Any]:
    customer = {"kind": "phone", "value": "+4915112345678", "proof": "provider", "name": "Ana", "plan": None}
    return {
        "version": 1, "channel": "whatsapp", "thread_key": "+4915112345678", "external_id": sid, "body": text,
        "trust": 3, "sent_at": datetime.now(UTC) - ago, "address": "+4915112345678", "customer": customer,
    }  # fmt: skip


async def read_page(database_url: str, conn: Connection, **environ: str) -> str:
    reference = await conn.fetchval("select call_person(id, 'late', 'A note', 'TF') from conversations")
    async with open_desk(database_url, settings=make_settings(**environ)) as desk:
        talk = await find_conversation(desk, reference)
        return (await desk.get(talk, headers=STAFF | HTML)).text


@pytest.mark.parametrize(
    ("ago", "approved", "said"),
    [
        (timedelta(hours=1), "HX1", ("freely until", "then only by the approved template")),
        (timedelta(hours=25), "HX1", ("since", "only by the approved template")),
        (timedelta(hours=1), "", ("only until", "TWILIO_TEMPLATE_SID is not set")),
        (timedelta(hours=25), "", ("not here since", "TWILIO_TEMPLATE_SID is not set")),
    ],
)
async def test_the_page_says_until_when_they_may_be_written_to(
    database_url: str, conn: Connection, ago: timedelta, approved: str, said: tuple[str, str]
) -> None:
    await keep_aside(conn, say("SM1", "[sticker]", ago), kind="sticker")
    page = await read_page(database_url, conn, TWILIO_TEMPLATE_SID=approved)
    assert all(words in page for words in said)


async def test_the_page_says_that_nothing_is_sent_after_stop(database_url: str, conn: Connection) -> None:
    await opt_out(conn, say("SM1", "STOP"), farewell=None)
    stopped = await read_page(database_url, conn)
    assert "not here (STOP). They lift that by writing START" in stopped
    assert ANSWER_BOX not in stopped
    await opt_in(conn, say("SM2", "START"))
    lifted = await read_page(database_url, conn)
    assert "only until" in lifted
    assert ANSWER_BOX in lifted


async def test_what_was_typed_before_they_said_stop_is_not_lost(database_url: str, conn: Connection) -> None:
    await opt_out(conn, say("SM1", "STOP"), farewell=None)
    async with open_desk(database_url) as desk:
        talk = await conn.fetchval("select id from conversations")
        page = await desk.post(f"/conversations/{talk}/answer", data={"message": "a long answer"}, headers=STAFF | HTML)
    assert page.status_code == 409
    assert "They asked us to stop" in page.text
    assert ">\na long answer</textarea>" in page.text
    assert await conn.fetchval("select count(*) from messages where author = 'person'") == 0


async def test_the_conversation_of_whoever_only_reacted_can_be_opened(database_url: str, conn: Connection) -> None:
    await keep_aside(conn, say("SM1", "[reaction]"), kind="reaction")
    assert "Reachable" in await read_page(database_url, conn)
