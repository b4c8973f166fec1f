"""What became of our messages is learned even where no callback tells."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from db.pool import Connection, Pool
from tests.worker.twilio_desk import Desk, is_suppressed, make_payload, open_desk


@pytest.fixture
async def desk(pool: Pool, conn: Connection) -> AsyncIterator[Desk]:
    """It was first read two days ago."""
    async with open_desk(pool, conn) as opened:
        await opened.began(timedelta(days=2))
        yield opened


async def test_a_lost_failure_reaches_a_person(desk: Desk) -> None:
    await desk.have_sent("SM77")
    desk.twilio.send("SM77", "undelivered", error_code=63024)
    await desk.sync()
    row = await desk.conn.fetchrow("select delivery, delivery_error from messages")
    assert row is not None
    assert (row["delivery"], "63024" in row["delivery_error"]) == ("failed", True)
    assert await desk.sql("select escalation_reason from tickets") == "delivery_failed"


@pytest.mark.parametrize(
    ("ours", "theirs", "after"),
    [
        ("sent", "delivered", "delivered"),
        ("sent", "read", "read"),
        ("delivered", "read", "read"),
        ("failed", "delivered", "delivered"),
        ("sent", "sent", "sent"),
        ("sent", "queued", "sent"),
        ("read", "delivered", "read"),
        ("delivered", "failed", "delivered"),
        ("sent", "a word we do not know", "sent"),
    ],
)
async def test_a_message_moves_only_up_and_each_report_is_kept_once(
    desk: Desk, ours: str, theirs: str, after: str
) -> None:
    await desk.have_sent("SM1")  # keeps the list being asked for
    await desk.have_sent("SM77", ours)
    desk.twilio.send("SM77", theirs)
    for _ in range(2):
        await desk.sync()
    assert await desk.sql("select delivery from messages where vendor_id = 'SM77'") == after
    assert await desk.sql("select count(*) from delivery_events") == (after != ours)


async def test_a_message_of_yesterday_that_failed_only_now_is_noticed(desk: Desk) -> None:
    await desk.sync()
    await desk.have_sent("SM77", ago=timedelta(hours=30))
    desk.twilio.send("SM77", "failed", error_code=63024, age=timedelta(hours=30))
    await desk.sync()
    assert await desk.sql("select delivery from messages") == "failed"


async def test_a_message_that_is_not_ours_changes_nothing(desk: Desk) -> None:
    await desk.have_sent("SM1")
    desk.twilio.send("SM77", "failed", error_code=63024)
    await desk.sync()
    assert await desk.sql("select count(*) from delivery_events") == 0


async def test_a_report_that_may_be_on_its_way_is_left_to_its_callback(desk: Desk) -> None:
    await desk.have_sent("SM1")  # keeps the list being asked for
    await desk.have_sent("SM77", ago=timedelta(seconds=5))
    desk.twilio.send("SM77", "delivered")
    await desk.sync()
    assert await desk.sql("select delivery from messages where vendor_id = 'SM77'") == "sent"


@pytest.mark.parametrize(
    ("delivery", "ago"),
    [("delivered", timedelta(hours=2)), ("sent", timedelta(days=4)), ("sent", timedelta(seconds=5))],
)
async def test_nothing_is_asked_about_ours_while_none_of_them_is_open(
    desk: Desk, delivery: str, ago: timedelta
) -> None:
    await desk.have_sent("SM77", delivery, ago=ago)
    await desk.sync()
    assert [query for query in desk.twilio.asked if "From=" in query] == []
    await desk.have_sent("SM1")
    await desk.sync()
    assert [query for query in desk.twilio.asked if "From=" in query] != []


async def test_blocked_customer_is_sent_nothing_more(desk: Desk) -> None:
    await desk.sql("select resolve_customer($1)", make_payload("x")["customer"])
    await desk.have_sent("SM77")
    await desk.sql("update conversations set customer_id = (select id from customers)")
    desk.twilio.send("SM77", "failed", error_code=21610)
    await desk.sync()
    assert await is_suppressed(desk)
