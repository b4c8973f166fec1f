"""Promises to whoever wants no more of us on WhatsApp: nothing goes there, and whoever writes again gets a person."""

from collections.abc import AsyncIterator

import pytest

from db import chats
from db.pool import Connection, Pool
from tests.fakes import hand_over, reply_with
from tests.worker.chat_desk import CUSTOMER, ChatDesk, open_chat_desk
from tests.worker.twilio_desk import make_payload

SENTENCE = "Thank you for your message, and I hope that this helps you. "
THREE_PARTS = SENTENCE * (4000 // len(SENTENCE))


@pytest.fixture
async def desk(database_url: str, pool: Pool, conn: Connection) -> AsyncIterator[ChatDesk]:
    await conn.execute("update channel_configs set max_chars = 5000 where channel = 'whatsapp'")
    async with open_chat_desk(database_url, pool, conn) as desk:
        yield desk


async def read_fates(desk: ChatDesk) -> list[tuple[str, str | None]]:
    """What became of everything that was to be sent, oldest first, and why."""
    rows = await desk.conn.fetch(
        "select delivery, delivery_error from messages where direction = 'outbound' order by sent_at, id"
    )
    return [(row["delivery"], row["delivery_error"]) for row in rows]


STOPPED = ("cancelled", "they asked us to stop")


async def answer_in_three_parts(desk: ChatDesk) -> None:
    await desk.write()
    await desk.turn(reply_with(THREE_PARTS))


async def send_first_part(desk: ChatDesk) -> None:
    """The first of three is out, the others wait."""
    await answer_in_three_parts(desk)
    desk.vendor.knobs.script = ["ok", "refuse_429"]
    await desk.deliver()
    assert [fate for fate, _ in await read_fates(desk)] == ["sent", "pending", "pending"]


async def test_stop_amid_a_long_reply_ends_it_and_is_confirmed_once(desk: ChatDesk) -> None:
    await send_first_part(desk)
    await desk.write("STOP")
    await desk.write("stop!")
    await desk.deliver()
    assert await read_fates(desk) == [("sent", None), STOPPED, STOPPED, ("sent", None)]
    assert ["START" in one.send.body for one in desk.taken] == [False, True]
    assert await desk.sql("select count(*) from message_queue") == 0
    assert await desk.sql("select count(*) from waiting_customers") == 0


async def test_stop_that_twilio_hands_in_twice_is_confirmed_once(desk: ChatDesk) -> None:
    sid = await desk.write("STOP")
    await desk.write("STOP", MessageSid=sid, SmsSid=sid, SmsMessageSid=sid)
    await desk.deliver()
    assert [one.send.to for one in desk.taken] == [f"whatsapp:{CUSTOMER}"]


async def test_stop_said_again_is_kept_and_not_confirmed_again(desk: ChatDesk) -> None:
    await desk.write("STOP")
    await desk.deliver()
    await desk.write("STOP")
    assert await desk.sql("select count(*) from message_queue") == 0
    assert await desk.sql("select count(*) from messages where kind = 'opt_out' and direction = 'inbound'") == 2


async def test_stop_that_two_readers_bring_counts_once(desk: ChatDesk) -> None:
    payload = make_payload("SM1")
    assert await chats.opt_out(desk.conn, payload, farewell="Goodbye.")
    await chats.opt_in(desk.conn, payload)
    assert not await chats.opt_out(desk.conn, payload, farewell="Goodbye.")
    assert await desk.sql("select suppressed_at from customer_identifiers") is None
    assert await desk.sql("select count(*) from messages where direction = 'outbound'") == 1


async def test_stop_that_twilio_has_answered_leaves_nothing_on_its_way_and_nobody_waiting(desk: ChatDesk) -> None:
    await answer_in_three_parts(desk)
    await desk.write("STOP", OptOutType="STOP")
    assert await read_fates(desk) == [STOPPED] * 3
    assert await desk.sql("select count(*) from waiting_customers") == 0


@pytest.mark.parametrize(
    ("before", "after"), [("open", "resolved"), ("answered", "resolved"), ("escalated", "escalated")]
)
async def test_stop_closes_a_ticket_that_no_person_owes(desk: ChatDesk, before: str, after: str) -> None:
    await desk.write()
    await desk.turn(hand_over())
    await desk.sql("update tickets set status = $1", before)
    await desk.sql("update conversations set handler = 'agent'")
    await desk.write("STOP", OptOutType="STOP")
    row = await desk.conn.fetchrow("select t.status, c.status from tickets t join conversations c on true")
    assert row is not None
    assert tuple(row) == (after, "resolved")


async def test_stop_is_confirmed_where_it_was_written(desk: ChatDesk) -> None:
    await desk.write("STOP", sender="+551187654321")
    await desk.deliver()
    assert [one.send.to for one in desk.taken] == ["whatsapp:+551187654321"]


async def test_start_brings_back_nothing_that_stop_has_ended(desk: ChatDesk) -> None:
    await answer_in_three_parts(desk)
    desk.vendor.knobs.script = ["fail_500"]
    await desk.deliver()
    await desk.write("STOP", OptOutType="STOP")
    await desk.write("START")
    await desk.deliver()
    assert desk.taken == []


async def test_stop_while_a_part_is_in_doubt_sends_it_no_second_time(desk: ChatDesk) -> None:
    await answer_in_three_parts(desk)
    desk.vendor.knobs.script = ["fail_500"]
    await desk.deliver()
    assert [fate for fate, _ in await read_fates(desk)] == ["unknown", "pending", "pending"]
    await desk.write("STOP")
    await desk.deliver()
    assert (await read_fates(desk))[:3] == [STOPPED] * 3
    assert ["START" in one.send.body for one in desk.taken] == [True]
    assert await desk.sql("select count(*) from waiting_customers") == 0


async def test_stop_while_a_part_is_in_doubt_that_was_taken_leaves_it_as_sent(desk: ChatDesk) -> None:
    await answer_in_three_parts(desk)
    desk.vendor.knobs.script = ["drop"]
    await desk.deliver()
    await desk.write("STOP")
    await desk.deliver()
    assert (await read_fates(desk))[:3] == [("sent", None), STOPPED, STOPPED]
    assert ["START" in one.send.body for one in desk.taken] == [False, True]


OPTED_OUT = "Twilio 21610: the customer has opted out"


async def test_whoever_has_opted_out_at_twilio_gets_no_further_part(desk: ChatDesk) -> None:
    desk.vendor.knobs.refused_to = {CUSTOMER: 21610}
    await answer_in_three_parts(desk)
    await desk.deliver()
    assert await read_fates(desk) == [("failed", OPTED_OUT), STOPPED, STOPPED]
    assert desk.vendor.journal.asked.total() == 1
    assert await desk.sql("select suppressed_why from customer_identifiers") == OPTED_OUT
    row = await desk.conn.fetchrow("select status, escalation_reason, handoff_note from tickets")
    assert row is not None
    assert (row["status"], row["escalation_reason"]) == ("escalated", "delivery_failed")
    assert OPTED_OUT in row["handoff_note"]


async def test_opt_out_that_twilio_reports_later_stops_what_waits(desk: ChatDesk) -> None:
    await send_first_part(desk)
    await desk.report(desk.taken[0], "undelivered", ErrorCode="21610")
    await desk.deliver()
    assert await read_fates(desk) == [("failed", OPTED_OUT), STOPPED, STOPPED]
    assert len(desk.taken) == 1


async def test_whoever_writes_again_after_stop_gets_a_person_and_no_message(desk: ChatDesk) -> None:
    await desk.write("STOP")
    await desk.deliver()
    await desk.write("Where is my invoice?")
    await desk.turn()
    while await desk.sql("select exists (select from message_queue where kind = 'deliver')"):
        await desk.deliver()
    assert len(desk.taken) == 1, "the farewell"
    assert await desk.sql("select outcome from turns") == "escalated"
    row = await desk.conn.fetchrow("select waits_for, is_unseen, owner is not null, reference from waiting_customers")
    assert row is not None
    assert tuple(row)[:3] == ("person", False, True)
    assert await desk.sql("select status from tickets where reference = $1", row["reference"]) == "escalated"


async def test_whoever_writes_again_after_stop_is_not_thought_about_and_the_person_knows_why(desk: ChatDesk) -> None:
    await desk.write("STOP", OptOutType="STOP")
    await desk.write("Where is my invoice?")
    await desk.turn(reply_with("Here it is."))
    assert await desk.sql("select count(*) from messages where body like '%Here it is.%'") == 0
    assert "until they write START" in await desk.sql("select handoff_note from tickets")


@pytest.mark.parametrize("at_once", [True, False])
async def test_farewell_that_does_not_arrive_is_nobodys_work(desk: ChatDesk, at_once: bool) -> None:
    desk.vendor.knobs.refused_to = {CUSTOMER: 63024} if at_once else {}
    await desk.write("STOP")
    await desk.deliver()
    for taken in desk.taken:
        await desk.report(taken, "undelivered", ErrorCode="63024")
    assert [fate for fate, _ in await read_fates(desk)] == ["failed"]
    assert await desk.sql("select count(*) from tickets") == 0
    assert await desk.sql("select count(*) from waiting_customers") == 0


async def test_start_of_one_customer_undoes_no_other_ones_stop(desk: ChatDesk) -> None:
    for text, sender in (("STOP", CUSTOMER), ("STOP", "+4915112345678"), ("START", CUSTOMER)):
        await desk.write(text, sender=sender)
    stopped = await desk.sql("select array_agg(value) from customer_identifiers where suppressed_at is not null")
    assert stopped == ["+4915112345678"]


async def test_start_lets_us_write_again_also_after_an_opt_out_at_twilio(desk: ChatDesk) -> None:
    desk.vendor.knobs.refused_to = {CUSTOMER: 21610}
    await desk.write()
    await desk.turn(reply_with("Here is how."))
    await desk.deliver()
    desk.vendor.knobs.refused_to = {}
    await desk.write("START")
    assert await desk.sql("select suppressed_at from customer_identifiers") is None
    await desk.conn.execute("update conversations set handler = 'agent'")  # as a person does who hands it back
    await desk.write("And now?")
    await desk.turn(reply_with("Now it works."))
    await desk.deliver()
    assert [one.send.body for one in desk.taken] == ["Now it works."]
