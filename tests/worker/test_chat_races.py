"""STOP, START, stickers and what Twilio brings late, at the same moment as turns, deliveries and clicks. The races that
matter are forced, as in test_races.py; the storms are there for what nobody thought of."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from channels.base import Blocked, NotSent, read_payload
from db import chats, deliveries, handover, queue, turns
from db.pool import Connection, Pool, acquire
from db.queue import ClaimedLane, NewWork
from db.turns import TurnEnd
from tests.fakes import claim_one
from tests.worker.racing import Desk, begin_chat, hold_commit, on_its_own, pending_agrees, put_off, queue_up
from worker.turn import start_turn

NUMBER = "+4915112345678"
FAREWELL = "You will hear no more from us."
AHEAD = timedelta(hours=2)
ROUNDS = 15
HOURS_AGO = "update messages set sent_at = sent_at - interval '22 hours 30 minutes' where author = 'customer'"
FAREWELLS = """
select count(*) from messages where kind = 'opt_out' and direction = 'outbound' and delivery = 'pending'
   and conversation_id = (select conversation_id from messages where id = $1)
"""


@pytest.fixture
def desk(pool: Pool, conn: Connection) -> Desk:
    return Desk(pool, conn)


def write_payload(text: str, number: str = NUMBER, *, age: timedelta = timedelta(0)) -> dict[str, Any]:
    who = {"kind": "phone", "value": number, "proof": "provider", "name": "Ana Lima", "plan": None}
    return {
        "version": 1, "channel": "whatsapp", "thread_key": number, "external_id": uuid4().hex, "body": text, "trust": 3,
        "sent_at": datetime.now(UTC) - age, "subject": "", "category": None, "customer": who,
    }  # fmt: skip


async def stop(desk: Desk, number: str = NUMBER) -> None:
    await on_its_own(desk, chats.opt_out, write_payload("STOP", number), farewell=FAREWELL)


async def start(desk: Desk, number: str = NUMBER) -> None:
    payload = write_payload("START", number)
    work = NewWork(f"whatsapp:{number}", "inbound", payload, f"whatsapp:{payload['external_id']}")
    async with acquire(desk.pool) as conn, conn.transaction():
        await queue.add_many(conn, [work])
        await chats.opt_in(conn, payload)


async def react(desk: Desk, number: str = NUMBER) -> None:
    await on_its_own(desk, chats.keep_aside, write_payload("[sticker]", number), kind="sticker")


async def miss(desk: Desk, payload: dict[str, Any]) -> object:
    return await on_its_own(
        desk, chats.store_missed, payload,
        quiet=timedelta(0), quiet_cap=timedelta(0), late_after=timedelta(hours=24), prefix="TF",
    )  # fmt: skip


async def list_fates(desk: Desk) -> list[tuple[str, str]]:
    rows = await desk.conn.fetch("select body, delivery from messages where direction = 'outbound' order by sent_at")
    return [(row["body"], row["delivery"]) for row in rows]


async def list_unseen(desk: Desk) -> list[str]:
    return [
        row["waits_for"] for row in await desk.conn.fetch("select waits_for from waiting_customers where is_unseen")
    ]


async def report_opt_out(desk: Desk, body: str) -> None:
    """The vendor says of a message it took that the customer has opted out."""
    vendor_id = await desk.conn.fetchval("select vendor_id from messages where body = $1", body)
    await on_its_own(
        desk, deliveries.record_status, channel="whatsapp", vendor_id=vendor_id, token=None, status="failed",
        error="Twilio 21610", payload={}, is_blocked=True,
    )  # fmt: skip


# STOP and the reply in the making


async def test_stop_before_the_commit_voids_the_reply(desk: Desk) -> None:
    await begin_chat(desk)
    await queue_up(desk, partial(stop, desk), await hold_commit(desk, "Good for you."))
    assert (await desk.list_states())[-1] == "silenced"
    await desk.deliver()
    assert desk.vendor.taken == [FAREWELL]


async def test_stop_right_after_the_commit_keeps_the_reply_from_the_vendor(desk: Desk) -> None:
    await begin_chat(desk)
    await queue_up(desk, await hold_commit(desk, "Glad to hear it."), partial(stop, desk))
    await desk.deliver()
    assert desk.vendor.taken == [FAREWELL]
    assert await desk.list_waiting() == []


async def test_stop_before_the_last_look_at_the_customer_keeps_the_reply_from_the_vendor(desk: Desk) -> None:
    await begin_chat(desk)
    await desk.answer("Good for you.")
    await queue_up(desk, partial(stop, desk), desk.deliver)
    await desk.deliver()
    assert desk.vendor.taken == [FAREWELL]
    assert await desk.list_waiting() == []


@pytest.mark.parametrize(
    "failure", [Blocked("Twilio 21610"), ConnectionResetError(), NotSent("busy", delay=timedelta(0))]
)
async def test_nobody_is_called_for_a_reply_that_does_not_arrive_after_stop(desk: Desk, failure: Exception) -> None:
    await begin_chat(desk)
    await desk.answer("on its way")
    desk.vendor.happens, desk.vendor.failure = lambda: stop(desk), failure
    await desk.deliver()
    await desk.deliver()
    assert desk.vendor.taken == [FAREWELL]
    assert await desk.list_waiting() == []
    assert await desk.conn.fetchval("select status from tickets") == "resolved"


async def test_nobody_is_called_for_a_reply_that_is_reported_failed_after_stop(desk: Desk) -> None:
    await begin_chat(desk)
    await desk.answer("on its way")
    await desk.deliver()
    await stop(desk)
    await report_opt_out(desk, "on its way")
    assert await desk.list_waiting() == []


# The farewell


async def test_whoever_writes_start_before_the_farewell_has_left_does_not_get_it(desk: Desk) -> None:
    await begin_chat(desk)
    await stop(desk)
    await start(desk)
    await desk.deliver()
    assert desk.vendor.taken == []
    assert (await list_fates(desk))[-1] == (FAREWELL, "cancelled")


async def test_stop_start_and_stop_again_get_one_farewell(desk: Desk) -> None:
    await begin_chat(desk)
    await stop(desk)
    await start(desk)
    await stop(desk)
    await desk.deliver()
    assert desk.vendor.taken == [FAREWELL]


async def test_a_farewell_that_was_put_off_is_not_sent_beside_that_of_a_later_stop(desk: Desk) -> None:
    await begin_chat(desk)
    await stop(desk)

    async def change_their_mind() -> None:
        await start(desk)
        await stop(desk)

    desk.vendor.happens, desk.vendor.failure = change_their_mind, NotSent("busy", delay=timedelta(0))
    await desk.deliver()
    await desk.deliver()
    assert desk.vendor.taken == [FAREWELL]


async def test_a_click_keeps_nobody_from_their_farewell_and_makes_nobody_wait(desk: Desk) -> None:
    await begin_chat(desk)
    await stop(desk)
    await desk.click()
    await desk.deliver()
    assert desk.vendor.taken == [FAREWELL]
    assert await desk.list_waiting() == ["queue"], "the word before STOP, which nobody has taken up"


# Whoever waits and must not be written to


async def test_a_reply_that_must_not_be_sent_gives_the_conversation_to_a_person(desk: Desk) -> None:
    await begin_chat(desk)
    await desk.answer("on its way")
    await desk.conn.execute("update messages set delivery = 'delivered' where body = 'Hello.'")
    await report_opt_out(desk, "Hello.")
    await desk.deliver()
    assert desk.vendor.taken == []
    assert await desk.list_waiting() == ["person"]
    assert await list_unseen(desk) == []
    assert await desk.conn.fetchval("select escalation_reason from tickets") == "opted_out"


async def test_a_persons_answer_that_must_not_be_sent_is_not_called_an_answer(desk: Desk) -> None:
    await begin_chat(desk)
    await desk.click()
    await desk.answer()
    await desk.say()
    await desk.conn.execute("update messages set delivery = 'delivered' where body = 'Hello.'")
    await report_opt_out(desk, "Hello.")
    await desk.deliver()
    assert desk.vendor.taken == []
    assert await desk.list_waiting() == ["person"]
    assert await desk.conn.fetchval("select status from tickets") == "escalated"


async def test_whoever_a_person_owed_an_answer_before_stop_is_owed_one_with_a_time_when_they_come_back(
    desk: Desk,
) -> None:
    await begin_chat(desk)
    await desk.click()
    await desk.answer()
    await stop(desk)
    await desk.deliver()
    await desk.conn.execute("update tickets set person_due_at = now() - interval '1 hour'")
    await start(desk)
    await desk.answer()
    assert await desk.list_waiting() == ["person"]
    assert await list_unseen(desk) == []


# Who waits for whom


async def claim_reply(desk: Desk) -> tuple[ClaimedLane, UUID]:
    """A reply that is being handed to the vendor."""
    lane = await claim_one(desk.pool)
    message_id = UUID(lane.jobs[0].payload["message_id"])
    delivery = await deliveries.begin_delivery(desk.conn, lane, message_id, lease=timedelta(minutes=1))
    assert delivery is not None
    assert delivery.act == "send"
    return lane, message_id


async def open_turn(desk: Desk, lane: ClaimedLane) -> object:
    messages = [read_payload(job.payload) for job in lane.jobs]
    return await on_its_own(desk, turns.open_turn, start_turn(lane, messages))


async def test_a_vendors_refusal_and_the_next_turn_do_not_wait_for_each_other(desk: Desk) -> None:
    await begin_chat(desk)
    await desk.answer("on its way")
    lane, message_id = await claim_reply(desk)
    await desk.chat()
    inbound = await claim_one(desk.pool)
    refuse = partial(
        on_its_own, desk, deliveries.end_delivery, lane, lane.jobs[0], message_id, "failed",
        error="Twilio 21610", is_blocked=True, is_last=True,
    )  # fmt: skip
    kept, turn = await queue_up(desk, refuse, partial(open_turn, desk, inbound))
    assert kept
    assert turn is not None


async def test_a_report_of_an_opt_out_and_the_stop_itself_do_not_wait_for_each_other(desk: Desk) -> None:
    await begin_chat(desk)
    await queue_up(desk, partial(report_opt_out, desk, "Hello."), partial(stop, desk))
    assert await list_unseen(desk) == []


async def test_a_turn_that_is_given_up_and_a_sticker_do_not_wait_for_each_other(desk: Desk) -> None:
    await begin_chat(desk)
    lane = await claim_one(desk.pool)
    turn: Any = await open_turn(desk, lane)
    end = TurnEnd(
        lane.lane, lane.token, turn.turn_id, lane.job_ids,
        [{"external_id": job.payload["external_id"], "body": "", "sent_at": job.created_at} for job in lane.jobs],
        "silent", timings_ms={"waiting": 1, "thinking": 1}, dead_error="the last try",
    )  # fmt: skip
    result, _ = await queue_up(desk, partial(on_its_own, desk, turns.commit_turn, end), partial(react, desk))
    assert result == "done"
    assert await desk.list_waiting() == ["person"]


# Everybody at once


async def test_a_sticker_and_the_first_turn_of_a_new_customer_meet_in_one_conversation(desk: Desk) -> None:
    for number in (f"+49151{place:08}" for place in range(20)):
        await desk.chat("Hello there", number=number)
        lane = await claim_one(desk.pool)
        _, _, turn = await asyncio.gather(react(desk, number), react(desk, number), open_turn(desk, lane))
        assert turn is not None
        await put_off(desk)
    assert await desk.conn.fetchval("select count(*) from conversations") == 20
    assert await desk.conn.fetchval("select count(*) from customers") == 20
    assert await desk.conn.fetchval("select count(*) from messages") == 40


async def test_a_message_that_comes_by_webhook_and_by_list_at_one_moment_is_there_once(desk: Desk) -> None:
    for place in range(20):
        payload = write_payload("Hello?", f"+49151{place:08}", age=timedelta(hours=place % 2 * 30))
        lane = f"whatsapp:{payload['thread_key']}"
        work = NewWork(lane, "inbound", payload, f"whatsapp:{payload['external_id']}")
        ids, *is_new = await asyncio.gather(
            on_its_own(desk, queue.add_many, [work, work]), miss(desk, payload), miss(desk, payload)
        )
        assert [*(one is not None for one in ids), *is_new].count(True) == 1  # type: ignore[attr-defined]
    assert await desk.conn.fetchval("select count(*) from message_queue") == 20
    assert await pending_agrees(desk.conn)
    assert len(await desk.list_waiting()) == 20


async def test_stops_starts_stickers_turns_deliveries_and_reminders_at_one_moment_never_deadlock(desk: Desk) -> None:
    for place in range(ROUNDS):
        number = f"+49151{place:08}"
        await desk.chat("Hello there", number=number)
        await desk.answer_with_ticket("Hello.")
        out, message_id = await claim_reply(desk)
        await desk.chat("How does it work?", number=number)
        commit = await hold_commit(desk, "Thanks for that.")
        reference = await desk.reference()
        if place % 3 == 0:  # a person owes an answer, and the window closes
            await desk.conn.execute(HOURS_AGO)
        await asyncio.gather(
            commit(),
            on_its_own(
                desk, deliveries.end_delivery, out, out.jobs[0], message_id, "failed",
                error="Twilio 21610", is_blocked=place % 2 == 0, is_last=True,
            ),
            stop(desk, number), start(desk, number), react(desk, number), stop(desk, number),
            miss(desk, write_payload("Hello?", number, age=timedelta(hours=place % 2 * 30))),
            on_its_own(desk, handover.add_person_message, reference, "Jane here.", idempotency=uuid4()),
            on_its_own(desk, chats.remind_windows, ahead=AHEAD), on_its_own(desk, chats.remind_windows, ahead=AHEAD),
        )  # fmt: skip
        assert await desk.conn.fetchval(FAREWELLS, message_id) <= 1
        await put_off(desk)
    assert await pending_agrees(desk.conn)
    assert await list_unseen(desk) == []
