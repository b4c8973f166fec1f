"""Whoever owes a customer an answer is reminded before the chat closes to free text: once, and only then."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db import chats, queue
from db.health import list_alarms
from db.pool import Connection, Pool, open_connection
from worker.completer import Completer
from worker.jobs.upkeep import Remind

NUMBER = "+4915112345678"
AHEAD = timedelta(hours=2)
HOUR = timedelta(hours=1)
WINDOW = timedelta(hours=23, minutes=59)


def make_payload(left: timedelta, number: str = NUMBER, sid: str = "SM1") -> dict[str, Any]:
    """A message after which so much of the window is left."""
    who = {"kind": "phone", "value": number, "proof": "provider", "name": None, "plan": None}
    return {
        "version": 1, "channel": "whatsapp", "thread_key": number, "external_id": sid, "body": "Hello?", "trust": 3,
        "sent_at": datetime.now(UTC) - WINDOW + left, "subject": "", "category": None, "customer": who, "kind": None,
    }  # fmt: skip


async def wait_for_person(
    conn: Connection, left: timedelta, *, due: timedelta = HOUR * 4, number: str = NUMBER
) -> None:
    """A customer who waits for a person, which is due by then, and can be written to freely for so long."""
    await conn.execute("select keep_aside($1)", make_payload(left, number, f"SM{number}"))
    await conn.execute(
        "select call_person(id, 'refund', 'About a refund.', 'TF') from conversations where thread_key = $1", number
    )
    await conn.execute(
        """
        update tickets set person_due_at = now() + $1::interval
         where conversation_id = (select id from conversations where thread_key = $2)
        """,
        due,
        number,
    )


async def remind(conn: Connection) -> int:
    return await chats.remind_windows(conn, ahead=AHEAD)


async def find_alarm(conn: Connection) -> str | None:
    return next((alarm.detail for alarm in await list_alarms(conn) if alarm.alarm == "window_closes"), None)


async def test_the_ticket_says_until_when_and_is_due_by_then(conn: Connection) -> None:
    await wait_for_person(conn, HOUR)
    assert await remind(conn) == 1
    row = await conn.fetchrow("select *, person_due_at - now() as left from tickets")
    assert row is not None
    closes = await conn.fetchval("select free_until(c) from conversations c")
    assert row["person_due_at"] == closes
    assert f"Answer before {closes:%Y-%m-%d %H:%M} UTC" in row["handoff_note"]
    assert row["handoff_note"].startswith("About a refund.")
    assert (row["priority"], row["priority_why"]) == (8, "window_closes")


async def test_once_per_window(conn: Connection) -> None:
    await wait_for_person(conn, HOUR)
    assert [await remind(conn) for _ in range(3)] == [1, 0, 0]


async def test_a_new_message_opens_a_new_window_with_a_reminder_of_its_own(conn: Connection) -> None:
    await wait_for_person(conn, HOUR)
    await remind(conn)
    await conn.execute("select keep_aside($1)", make_payload(HOUR * 23, sid="SM2"))
    assert await remind(conn) == 0
    # twenty-two hours later
    await conn.execute("update tickets set reminded_at = reminded_at - interval '22 hours'")
    await conn.execute("update messages set sent_at = sent_at - interval '22 hours'")
    assert [await remind(conn) for _ in range(2)] == [1, 0]


async def test_the_due_time_never_moves_later(conn: Connection) -> None:
    await wait_for_person(conn, HOUR * 1.5, due=HOUR)
    before = await conn.fetchval("select person_due_at from tickets")
    assert await remind(conn) == 1
    assert await conn.fetchval("select person_due_at from tickets") == before


async def test_a_higher_priority_stays_with_its_reason(conn: Connection) -> None:
    await wait_for_person(conn, HOUR)
    await conn.execute("update tickets set priority = 9, priority_why = 'legal'")
    await remind(conn)
    assert tuple(await conn.fetchrow("select priority, priority_why from tickets") or ()) == (9, "legal")


@pytest.mark.parametrize("left", [HOUR * 3, -HOUR])
async def test_nobody_is_reminded_too_early_or_when_it_is_too_late(conn: Connection, left: timedelta) -> None:
    await wait_for_person(conn, left)
    assert await remind(conn) == 0


@pytest.mark.parametrize(
    "change",
    [
        "update conversations set waiting_since = null",
        "update conversations set handler = 'agent'",
        "update conversations set is_test = true",
        "update tickets set status = 'answered'",
        "update channel_configs set reply_window = null",
    ],
)
async def test_nobody_is_reminded_when_nobody_waits_for_a_person(conn: Connection, change: str) -> None:
    await wait_for_person(conn, HOUR)
    await conn.execute(change)
    assert await remind(conn) == 0
    assert await conn.fetchval("select reminded_at from tickets") is None


async def test_a_message_that_waits_on_the_queue_counts_as_their_last_word(conn: Connection) -> None:
    await wait_for_person(conn, HOUR)
    fresh = make_payload(HOUR * 23, sid="SM2")
    await queue.add_work(conn, f"whatsapp:{NUMBER}", "inbound", fresh, dedupe_key="whatsapp:SM2")
    assert await remind(conn) == 0


async def test_a_reaction_opens_no_window(conn: Connection) -> None:
    await wait_for_person(conn, HOUR)
    await conn.execute("select keep_aside($1)", make_payload(HOUR * 23, sid="SM2") | {"kind": "reaction"})
    assert await remind(conn) == 1


async def test_who_is_being_answered_is_looked_at_the_next_time(database_url: str, conn: Connection) -> None:
    await wait_for_person(conn, HOUR)
    await wait_for_person(conn, HOUR, number="+4915112345679")
    other = await open_connection(database_url)
    try:
        async with other.transaction():
            await other.execute("select from conversations where thread_key = $1 for update", NUMBER)
            assert await remind(conn) == 1
    finally:
        await other.close()
    assert await remind(conn) == 1


async def test_the_alarm_comes_and_goes(conn: Connection) -> None:
    await wait_for_person(conn, HOUR * 3)
    assert await find_alarm(conn) is None
    await conn.execute("update messages set sent_at = sent_at - interval '2 hours'")
    reference = await conn.fetchval("select reference from tickets")
    assert reference in (await find_alarm(conn) or "")
    await conn.execute("update conversations set waiting_since = null")
    assert await find_alarm(conn) is None


async def test_a_window_that_closes_is_no_alarm_while_no_person_is_waited_for(conn: Connection) -> None:
    await wait_for_person(conn, HOUR)
    assert await find_alarm(conn) is not None
    await conn.execute("update conversations set handler = 'agent'")
    assert await conn.fetchval("select free_until is not null and waits_for <> 'person' from waiting_customers")
    assert await find_alarm(conn) is None


async def test_a_window_that_has_closed_is_no_alarm_any_more(conn: Connection) -> None:
    await wait_for_person(conn, HOUR)
    await conn.execute("update messages set sent_at = sent_at - interval '2 hours'")
    assert await find_alarm(conn) is None


async def test_waiting_customers_says_until_when_they_may_be_written_to(conn: Connection) -> None:
    await wait_for_person(conn, HOUR * 3)
    left = await conn.fetchval("select free_until - now() from waiting_customers")
    assert HOUR * 2.9 < left < HOUR * 3.1


async def test_a_channel_that_is_always_open_has_no_such_time(conn: Connection) -> None:
    await wait_for_person(conn, HOUR)
    await conn.execute("update channel_configs set reply_window = null")
    assert await conn.fetchval("select free_until from waiting_customers") is None
    assert await find_alarm(conn) is None


async def test_the_scheduled_work_reminds(pool: Pool, conn: Connection) -> None:
    await wait_for_person(conn, HOUR)
    await queue.add_scheduled(conn)
    lanes = await queue.claim_lanes(conn, worker="w", lanes=9, messages=20, lease=timedelta(minutes=1))
    [mine] = [lane for lane in lanes if [job.kind for job in lane.jobs] == ["remind"]]
    await Remind(pool, Completer(pool)).run(mine)
    assert await conn.fetchval("select reminded_at is not null from tickets")
    assert await conn.fetchval("select count(*) from message_queue where kind = 'remind'") == 0


async def test_nobody_is_reminded_of_an_answer_that_would_not_be_sent(conn: Connection) -> None:
    await wait_for_person(conn, HOUR)
    await conn.execute("update customer_identifiers set suppressed_at = now(), suppressed_why = 'Twilio 21610'")
    assert await remind(conn) == 0
