"""What the team may rely on when a customer has said STOP, and when somebody can only be reached in another way."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from channels.base import read_payload
from db import chats, deliveries, handover, queue, turns
from db.pool import Connection, Pool, acquire
from db.threads import list_entries, load_thread
from tests.app.desk import STAFF, find_conversation
from tests.fakes import hand_over, reply_with
from tests.worker.chat_desk import CUSTOMER, ChatDesk, open_chat_desk
from tests.worker.racing import queue_up
from tests.worker.twilio_desk import make_payload
from worker.turn import start_turn


@pytest.fixture
async def desk(database_url: str, pool: Pool, conn: Connection) -> AsyncIterator[ChatDesk]:
    async with open_chat_desk(database_url, pool, conn) as desk:
        yield desk


async def write_after_stop(desk: ChatDesk) -> str:
    """A customer said STOP and wrote again: the reference of the ticket a person was called by."""
    await desk.write("STOP", OptOutType="STOP")
    await desk.write("Where is my invoice?")
    await desk.turn()
    reference: str = await desk.sql("select reference from tickets where status = 'escalated'")
    return reference


async def count_waiting(desk: ChatDesk) -> int:
    count: int = await desk.sql("select count(*) from waiting_customers")
    return count


async def test_an_answer_that_would_not_be_sent_is_refused_and_the_customer_still_waits(desk: ChatDesk) -> None:
    reference = await write_after_stop(desk)
    path = f"/support/ticket/{reference}/messages"
    answer = await desk.web.post(path, json={"message": "It is on its way."}, headers=STAFF)
    assert answer.status_code == 409
    assert "until they write START" in answer.json()["detail"]
    assert await desk.sql("select count(*) from messages where author = 'person'") == 0
    assert await count_waiting(desk) == 1


async def test_what_was_settled_in_another_way_is_off_the_list_and_the_agent_answers_what_comes_next(
    desk: ChatDesk,
) -> None:
    reference = await write_after_stop(desk)
    talk = await find_conversation(desk.web, reference)
    for outcome in ("accepted", "repeated"):
        settled = await desk.web.post(f"{talk}/resolve", headers=STAFF)
        assert (settled.status_code, settled.json()["outcome"]) == (200, outcome)
        assert await desk.sql("select handler from conversations") == "agent"
    assert await count_waiting(desk) == 0
    assert await desk.sql("select status from tickets where reference = $1", reference) == "resolved"
    await desk.write("START")
    await desk.turn(reply_with("Good to hear."))
    await desk.deliver()
    assert [one.send.body for one in desk.taken] == ["Good to hear."]


async def test_nobody_but_the_team_settles_a_conversation(desk: ChatDesk) -> None:
    talk = await find_conversation(desk.web, await write_after_stop(desk))
    assert (await desk.web.post(f"{talk}/resolve")).status_code == 401
    assert await count_waiting(desk) == 1
    for nobody in (uuid4(), "TF-20260101-0000"):
        missing = await desk.web.post(f"/conversations/{nobody}/resolve", headers=STAFF)
        assert missing.status_code == 404


async def test_what_a_person_owes_stays_owed_after_stop(desk: ChatDesk) -> None:
    await desk.write("I want my money back")
    await desk.turn(hand_over())
    await desk.write("STOP")
    assert await count_waiting(desk) == 1
    await desk.deliver()
    assert await desk.sql("select first_response_met_at from tickets") is None
    assert await desk.sql("select status from tickets") == "escalated"


async def test_only_what_was_said_meanwhile_stops_a_persons_answer(desk: ChatDesk) -> None:
    await desk.write("I want my money back")
    await desk.turn(hand_over())
    await desk.deliver()
    await desk.write("Hello?")
    talk = await desk.sql("select id from conversations")
    answer = {"message": "It is on its way.", "seen": (await load_thread(desk.conn, talk)).said}
    await desk.turn()  # takes up what the person had before them
    said = await desk.web.post(f"/conversations/{talk}/answer", json=answer, headers=STAFF)
    assert (said.status_code, said.json()["outcome"]) == (200, "accepted")
    answer = {"message": "Anything else?", "seen": (await load_thread(desk.conn, talk)).said}
    await desk.write("Never mind.")
    late = await desk.web.post(f"/conversations/{talk}/answer", json=answer, headers=STAFF)
    assert late.status_code == 409
    assert await desk.sql("select count(*) from messages where author = 'person'") == 1


async def test_a_persons_answer_that_stop_overtook_is_shown_as_not_sent(desk: ChatDesk) -> None:
    await desk.write("I want my money back")
    await desk.turn(hand_over())
    reference = await desk.sql("select reference from tickets")
    await handover.add_person_message(desk.conn, reference, "It is on its way.", idempotency=uuid4())
    await desk.write("STOP", OptOutType="STOP")
    talk = await load_thread(desk.conn, await desk.sql("select id from conversations"))
    shown, _ = await list_entries(desk.conn, talk, most=50)
    assert [(one.delivery, one.delivery_error) for one in shown if one.author == "person"] == [
        ("failed", "they asked us to stop")
    ]
    assert await count_waiting(desk) == 1


async def test_whom_only_stop_had_given_to_a_person_start_gives_back(desk: ChatDesk) -> None:
    await write_after_stop(desk)
    await desk.write("START")
    await desk.turn(reply_with("How can I help?"))
    await desk.deliver()
    assert [one.send.body for one in desk.taken] == ["How can I help?"]
    assert await count_waiting(desk) == 0


async def test_whom_a_person_had_before_stop_start_leaves_with_them(desk: ChatDesk) -> None:
    await desk.write("I want my money back")
    await desk.turn(hand_over())
    await desk.write("STOP", OptOutType="STOP")
    await desk.write("START")
    await desk.turn()
    assert await desk.sql("select handler from conversations") == "human"
    assert await count_waiting(desk) == 1


async def test_a_report_that_comes_again_undoes_no_start(desk: ChatDesk) -> None:
    await desk.write()
    await desk.turn(reply_with("Here."))
    await desk.deliver()
    [taken] = desk.taken
    for text in (None, "START", None):
        if text is None:
            await desk.report(taken, "failed", ErrorCode="21610")
        else:
            await desk.write(text)
    assert await desk.sql("select suppressed_at from customer_identifiers") is None


async def test_nobody_is_reminded_of_an_answer_that_could_not_be_sent(desk: ChatDesk) -> None:
    await write_after_stop(desk)
    await desk.sql("update messages set sent_at = now() - interval '23 hours'")
    assert await chats.remind_windows(desk.conn, ahead=timedelta(hours=2)) == 0
    assert await desk.sql("select count(*) from alarms where alarm = 'window_closes'") == 0


async def test_reactions_do_not_push_the_conversation_out_of_sight(desk: ChatDesk) -> None:
    await desk.write()
    await desk.turn(reply_with("Here."))
    for _ in range(12):
        await desk.write("👍", MessageType="reaction")
    await desk.write("And as PDF?")
    lane = await desk.claim("whatsapp:")
    turn = await turns.open_turn(desk.conn, start_turn(lane, [read_payload(job.payload) for job in lane.jobs]))
    assert turn is not None
    assert [said.author for said in turn.history] == ["customer", "agent"]


async def test_a_reaction_between_a_reply_and_its_sending_leaves_nobody_waiting(desk: ChatDesk) -> None:
    await desk.write()
    await desk.turn(reply_with("Here."))
    await desk.write("👍", MessageType="reaction")
    await desk.deliver()
    assert await count_waiting(desk) == 0


async def test_a_late_message_waits_since_it_was_written_and_is_answered_where_it_was_written(desk: ChatDesk) -> None:
    await desk.write()
    await desk.turn(reply_with("Here."))
    await desk.deliver()
    await desk.sql(
        "update messages set created_at = created_at - interval '30 days', sent_at = sent_at - interval '30 days'"
    )
    await miss(desk, "SM9", address="+551187654321")
    waits = await desk.sql("select now() - waiting_since from conversations")
    assert timedelta(hours=29) < waits < timedelta(hours=31)
    assert await desk.sql("select address from conversations") == "+551187654321"


async def miss(desk: ChatDesk, sid: str, **fields: str) -> None:
    """A message that was written 30 hours ago reaches us now."""
    late = make_payload(sid) | {"sent_at": datetime.now(UTC) - timedelta(hours=30), "thread_key": CUSTOMER} | fields
    none = timedelta(0)
    await chats.store_missed(
        desk.conn, late, quiet=none, quiet_cap=none, late_after=timedelta(hours=24), prefix="TF"
    )  # fmt: skip


async def test_a_late_message_is_not_answered_by_what_was_said_before_anybody_read_it(desk: ChatDesk) -> None:
    await desk.write("I want my money back")
    await desk.turn(hand_over())
    await desk.deliver()
    reference = await desk.sql("select reference from tickets")
    await handover.add_person_message(desk.conn, reference, "It is on its way.", idempotency=uuid4())
    await miss(desk, "SM9")
    await desk.turn()
    await desk.deliver()
    assert [one.send.body for one in desk.taken][-1] == "It is on its way."
    assert await count_waiting(desk) == 1


async def test_a_message_that_was_given_up_opens_no_window_it_had_not_opened(desk: ChatDesk) -> None:
    await miss(desk, "SM9")
    lane = await desk.claim("whatsapp:")
    await queue.bury_work(desk.conn, lane, error="it cannot be read")
    assert await desk.sql("select free_until(c) < now() from conversations c")


async def test_a_word_of_twilios_that_nobody_knows_is_kept_and_moves_nothing(desk: ChatDesk) -> None:
    await desk.write()
    await desk.turn(reply_with("Here."))
    await desk.deliver()
    await desk.report(desk.taken[0], "partially_delivered")
    assert await desk.sql("select status from delivery_events") == "partially_delivered"
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "sent"


Act = Callable[[ChatDesk], Awaitable[object]]


async def keep_sticker(desk: ChatDesk) -> object:
    async with acquire(desk.pool) as conn:
        return await chats.keep_aside(conn, make_payload("SM8") | {"thread_key": CUSTOMER}, kind="sticker")


async def say_stop(desk: ChatDesk) -> object:
    async with acquire(desk.pool) as conn:
        return await chats.opt_out(conn, make_payload("SM8") | {"thread_key": CUSTOMER}, farewell=None)


@pytest.mark.parametrize("other", [keep_sticker, say_stop])
async def test_a_report_of_an_opt_out_and_a_message_do_not_wait_for_each_other(desk: ChatDesk, other: Act) -> None:
    await desk.write()
    await desk.turn(reply_with("Here."))
    await desk.deliver()
    vendor_id = desk.taken[0].id

    async def report() -> object:
        async with acquire(desk.pool) as conn:
            return await deliveries.record_status(
                conn, channel="whatsapp", vendor_id=vendor_id, token=None, status="failed", error="x", payload={},
                is_blocked=True,
            )  # fmt: skip

    await queue_up(desk, report, lambda: other(desk))  # type: ignore[arg-type]
    assert await desk.sql("select suppressed_at is not null from customer_identifiers")
