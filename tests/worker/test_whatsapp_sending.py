"""What becomes of an answer on WhatsApp: sent once, reported on, and never against the rules of the vendor."""

from collections.abc import AsyncIterator
from typing import Literal
from uuid import uuid4

import pytest

from db.handover import add_person_message
from db.pool import Connection, Pool
from tests.fakes import reply_with
from tests.stand_ins.journal import Fault
from tests.worker.chat_desk import CUSTOMER, ChatDesk, open_chat_desk

TEMPLATE = "HX00000000000000000000000000000001"


@pytest.fixture
async def desk(database_url: str, pool: Pool, conn: Connection) -> AsyncIterator[ChatDesk]:
    async with open_chat_desk(database_url, pool, conn) as desk:
        yield desk


async def test_reports_in_any_order_end_at_the_furthest_and_all_are_kept(desk: ChatDesk) -> None:
    await desk.write()
    await desk.turn(reply_with("Here is how."))
    await desk.deliver()
    [taken] = desk.taken
    for status in ("read", "queued", "delivered", "sent", "delivered"):
        await desk.report(taken, status)
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "read"
    assert await desk.sql("select count(*) from delivery_events") == 5


async def test_a_failure_calls_a_person_and_an_arrival_after_it_still_counts(desk: ChatDesk) -> None:
    await desk.write()
    await desk.turn(reply_with("Here is how."))
    await desk.deliver()
    [taken] = desk.taken
    await desk.report(taken, "undelivered", ErrorCode="63024")
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "failed"
    assert await desk.sql("select waits_for from waiting_customers") == "person"
    assert "63024" in await desk.sql("select delivery_error from messages where direction = 'outbound'")
    await desk.report(taken, "delivered")
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "delivered"


@pytest.mark.parametrize("fault", ["drop", "accept_500"])
async def test_an_answer_whose_acceptance_was_lost_is_found_by_asking_and_sent_once(
    desk: ChatDesk, fault: Fault
) -> None:
    await desk.write()
    await desk.turn(reply_with("Here is how."))
    desk.vendor.knobs.script = [fault]
    await desk.deliver()
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "unknown"
    await desk.deliver()
    [taken] = desk.taken
    assert await desk.sql("select vendor_id from messages where direction = 'outbound'") == taken.id
    assert not await desk.sql("select bool_or(possible_duplicate) from messages")


async def test_a_report_alone_proves_that_an_answer_was_taken(desk: ChatDesk) -> None:
    await desk.write()
    await desk.turn(reply_with("Here is how."))
    desk.vendor.knobs.script = ["drop"]
    await desk.deliver()
    [taken] = desk.taken
    await desk.report(taken, "sent")
    await desk.deliver()
    assert await desk.sql("select vendor_id from messages where direction = 'outbound'") == taken.id
    assert (len(desk.taken), desk.vendor.journal.looked_up) == (1, 0)


@pytest.mark.parametrize("fault", ["refuse_429", "fail_500"])
async def test_an_answer_that_was_not_taken_is_sent_again_until_it_is(desk: ChatDesk, fault: Fault) -> None:
    await desk.write()
    await desk.turn(reply_with("Here is how."))
    desk.vendor.knobs.script = [fault]
    await desk.deliver()
    await desk.deliver()
    assert [one.send.body for one in desk.taken] == ["Here is how."]
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "sent"
    assert await desk.sql("select possible_duplicate from messages where direction = 'outbound'") is (
        fault == "fail_500"
    )


async def age(desk: ChatDesk) -> None:
    """Let a day and an hour go by since the customer's last word."""
    await desk.conn.execute("update messages set sent_at = sent_at - interval '25 hours' where direction = 'inbound'")


async def test_after_the_window_no_plain_text_goes_and_a_person_knows(desk: ChatDesk) -> None:
    await desk.write()
    await desk.turn(reply_with("Here is how."))
    await age(desk)
    await desk.deliver()
    assert desk.taken == []
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "failed"
    assert await desk.sql("select waits_for from waiting_customers") == "person"


@pytest.mark.parametrize("fault", ["ok", "drop"])
async def test_after_the_window_the_answer_goes_once_in_an_approved_template(
    database_url: str, pool: Pool, conn: Connection, fault: Fault | Literal["ok"]
) -> None:
    async with open_chat_desk(database_url, pool, conn, TWILIO_TEMPLATE_SID=TEMPLATE) as desk:
        desk.vendor.knobs.templates, desk.vendor.knobs.outside_window = {TEMPLATE: "Our answer: {{1}}"}, [CUSTOMER]
        desk.vendor.knobs.script = [fault]
        await desk.write()
        await desk.turn(reply_with("Here is how."))
        await age(desk)
        await desk.deliver()
        if fault == "drop":
            await desk.deliver()
        [taken] = desk.taken
        assert (taken.send.template_sid, taken.send.body) == (TEMPLATE, "Our answer: Here is how.")
        assert await desk.sql("select vendor_id from messages where direction = 'outbound'") == taken.id


@pytest.mark.parametrize("code", [63016, 63003])
async def test_what_twilio_refuses_for_good_goes_to_a_person_in_words(desk: ChatDesk, code: int) -> None:
    await desk.write()
    await desk.turn(reply_with("Here is how."))
    desk.vendor.knobs.script, desk.vendor.knobs.refusal_code = ["refuse_400"], code
    await desk.deliver()
    assert desk.taken == []
    assert await desk.sql("select waits_for from waiting_customers") == "person"
    error = await desk.sql("select delivery_error from messages where direction = 'outbound'")
    assert error.startswith(f"Twilio {code}: ")


async def test_whoever_twilio_says_has_opted_out_gets_nothing_more_from_people_either(desk: ChatDesk) -> None:
    desk.vendor.knobs.refused_to = {CUSTOMER: 21610}
    await desk.write()
    await desk.turn(reply_with("Here is how."))
    await desk.deliver()
    reference = await desk.sql("select reference from waiting_customers where waits_for = 'person'")
    desk.vendor.knobs.refused_to = {}
    outcome = await add_person_message(desk.conn, reference, "Jane here: like this.", idempotency=uuid4())
    assert outcome == "suppressed"
    assert desk.taken == []
    assert await desk.sql("select count(*) from messages where author = 'person'") == 0
    assert await desk.sql("select count(*) from message_queue") == 0


@pytest.mark.parametrize("code", [21606, 63007])
async def test_while_our_number_is_set_up_wrongly_nothing_is_lost(desk: ChatDesk, code: int) -> None:
    await desk.write()
    await desk.turn(reply_with("Here is how."))
    desk.vendor.knobs.script, desk.vendor.knobs.refusal_code = ["refuse_400"] * 3, code
    for _ in range(4):
        await desk.deliver()
    assert [one.send.body for one in desk.taken] == ["Here is how."]
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "sent"


async def test_a_new_word_opens_the_window_for_what_waits_to_be_sent(desk: ChatDesk) -> None:
    await desk.write()
    await desk.turn(reply_with("Here is how."))
    await age(desk)
    await desk.write("Are you still there?")
    await desk.deliver()
    assert [one.send.body for one in desk.taken] == ["Here is how."]
