"""Promises about WhatsApp's 24 hours: counted when a message is sent, and after them the template or a person."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest

from app.settings import Settings
from app.wiring import open_channels
from channels.whatsapp import NO_FIT, NO_TEMPLATE, WhatsApp
from db import chats, handover
from db.pool import Connection, Pool
from tests.fakes import hand_over, reply_with
from tests.worker.chat_desk import CUSTOMER, ChatDesk, open_chat_desk

TEMPLATE = "HX00000000000000000000000000000001"
TEXT = "Hello, this is about your question: {{1}} Write to us again at any time."
JUST_OVER = timedelta(hours=23, minutes=59, seconds=59)
"""A minute less than WhatsApp gives is what we take, for the way there."""
JUST_UNDER = timedelta(hours=23, minutes=57)


@pytest.fixture
async def desk(database_url: str, pool: Pool, conn: Connection) -> AsyncIterator[ChatDesk]:
    """Without a template."""
    async with open_chat_desk(database_url, pool, conn) as desk:
        yield desk


@pytest.fixture
async def template_desk(database_url: str, pool: Pool, conn: Connection) -> AsyncIterator[ChatDesk]:
    async with open_chat_desk(database_url, pool, conn, TWILIO_TEMPLATE_SID=TEMPLATE) as desk:
        desk.vendor.knobs.templates = {TEMPLATE: TEXT}
        yield desk


async def write_ago(desk: ChatDesk, ago: timedelta) -> None:
    """Everything the customer wrote was so long ago."""
    await desk.conn.execute("update messages set sent_at = now() - $1::interval where direction = 'inbound'", ago)


async def answer(desk: ChatDesk, text: str = "Here\n\nis  how.") -> None:
    await desk.write()
    await desk.turn(reply_with(text))


async def read_fate(desk: ChatDesk) -> tuple[str, str | None]:
    """Of the newest message to the customer: what became of it, and why."""
    row = await desk.conn.fetchrow(
        """
        select delivery, delivery_error from messages
         where direction = 'outbound' order by sent_at desc, id desc limit 1
        """
    )
    assert row is not None
    return row["delivery"], row["delivery_error"]


def list_sent(desk: ChatDesk) -> list[tuple[str, str | None]]:
    """What the vendor has taken: text and template."""
    return [(one.send.body, one.send.template_sid) for one in desk.taken]


async def test_reply_that_was_put_off_beyond_the_window_is_checked_when_it_is_sent(desk: ChatDesk) -> None:
    await answer(desk)
    desk.vendor.knobs.script = ["refuse_429"]
    await desk.deliver()
    assert await read_fate(desk) == ("pending", "Twilio 20429: too many requests at once")
    await write_ago(desk, timedelta(hours=25))
    await desk.deliver()
    assert (await read_fate(desk), desk.taken) == (("failed", NO_TEMPLATE), [])


@pytest.mark.parametrize(("ago", "fate"), [(JUST_UNDER, "sent"), (JUST_OVER, "failed")])
async def test_window_ends_a_minute_before_whatsapp_ends_it(desk: ChatDesk, ago: timedelta, fate: str) -> None:
    await answer(desk)
    await write_ago(desk, ago)
    await desk.deliver()
    assert ((await read_fate(desk))[0], len(desk.taken)) == (fate, fate == "sent")


async def test_word_that_still_waits_on_the_queue_opens_the_window_again(desk: ChatDesk) -> None:
    await answer(desk)
    await write_ago(desk, timedelta(hours=25))
    await desk.write("Are you still there?")
    await desk.deliver()
    assert list_sent(desk) == [("Here\n\nis  how.", None)]


@pytest.mark.parametrize(("kind", "is_sent"), [("sticker", True), ("reaction", False)])
async def test_sticker_opens_the_window_again_and_a_reaction_does_not(desk: ChatDesk, kind: str, is_sent: bool) -> None:
    await answer(desk)
    await write_ago(desk, timedelta(hours=25))
    who = {"kind": "phone", "value": CUSTOMER, "proof": "provider", "name": "Ana Lima", "plan": None}
    payload = {
        "channel": "whatsapp", "thread_key": CUSTOMER, "external_id": uuid4().hex, "body": "👍", "trust": 3,
        "sent_at": await desk.sql("select now()"), "customer": who,
    }  # fmt: skip
    assert await chats.keep_aside(desk.conn, payload, kind=kind)
    await desk.deliver()
    assert bool(desk.taken) == is_sent


async def test_without_a_template_nothing_goes_and_a_person_reads_why(desk: ChatDesk) -> None:
    await answer(desk)
    await write_ago(desk, timedelta(hours=25))
    await desk.deliver()
    assert desk.vendor.journal.asked.total() == 0
    row = await desk.conn.fetchrow("select status, escalation_reason, handoff_note, person_due_at from tickets")
    assert row is not None
    assert (row["status"], row["escalation_reason"]) == ("escalated", "delivery_failed")
    assert NO_TEMPLATE in row["handoff_note"]
    assert row["person_due_at"] is not None
    assert await desk.sql("select waits_for from waiting_customers") == "person"


async def test_with_a_template_the_text_goes_in_it_on_one_line(template_desk: ChatDesk) -> None:
    await answer(template_desk)
    await write_ago(template_desk, timedelta(hours=25))
    template_desk.vendor.knobs.outside_window = [CUSTOMER]
    await template_desk.deliver()
    assert list_sent(template_desk) == [(TEXT.replace("{{1}}", "Here is how."), TEMPLATE)]
    assert template_desk.taken[0].failure is None
    assert await read_fate(template_desk) == ("sent", None)
    assert await template_desk.sql("select count(*) from waiting_customers") == 0


async def test_within_the_window_no_template_is_spent(template_desk: ChatDesk) -> None:
    await answer(template_desk)
    await template_desk.deliver()
    assert list_sent(template_desk) == [("Here\n\nis  how.", None)]


async def test_a_new_word_between_two_tries_saves_the_template(template_desk: ChatDesk) -> None:
    await answer(template_desk)
    await write_ago(template_desk, timedelta(hours=25))
    template_desk.vendor.knobs.script = ["refuse_429"]
    await template_desk.deliver()
    await template_desk.write("Are you still there?")
    await template_desk.deliver()
    assert list_sent(template_desk) == [("Here\n\nis  how.", None)]


async def test_what_does_not_fit_into_the_template_goes_to_a_person(template_desk: ChatDesk) -> None:
    await answer(template_desk, "Thank you for your message, and I hope that this helps you. " * 17)
    await write_ago(template_desk, timedelta(hours=25))
    await template_desk.deliver()
    assert (await read_fate(template_desk), template_desk.taken) == (("failed", NO_FIT), [])
    assert NO_FIT in await template_desk.sql("select handoff_note from tickets")


async def test_template_whose_acceptance_was_lost_is_found_and_sent_once(template_desk: ChatDesk) -> None:
    await answer(template_desk)
    await write_ago(template_desk, timedelta(hours=25))
    template_desk.vendor.knobs.script = ["drop"]
    await template_desk.deliver()
    assert (await read_fate(template_desk))[0] == "unknown"
    await template_desk.deliver()
    assert await read_fate(template_desk) == ("sent", None)
    assert len(template_desk.taken) == 1
    assert not await template_desk.sql("select bool_or(possible_duplicate) from messages")


async def test_message_that_only_contains_the_same_words_is_not_taken_for_the_template(template_desk: ChatDesk) -> None:
    await answer(template_desk, "Once more: Here is how.")
    await template_desk.deliver()
    await answer(template_desk, "Here is how.")
    await write_ago(template_desk, timedelta(hours=25))
    template_desk.vendor.knobs.script = ["fail_500"]
    await template_desk.deliver()
    await template_desk.deliver()
    [_, second] = template_desk.taken
    assert second.send.template_sid == TEMPLATE
    assert await template_desk.sql("select vendor_id from messages where body = 'Here is how.'") == second.id


async def hand_to_a_person(desk: ChatDesk) -> str:
    """The customer has asked for a person, who is late; gives the ticket's reference."""
    await desk.write()
    await desk.turn(hand_over())
    await desk.deliver()
    await write_ago(desk, timedelta(hours=25))
    return str(await desk.sql("select reference from tickets"))


async def test_what_a_person_types_after_the_window_is_not_sent_as_plain_text(desk: ChatDesk) -> None:
    reference = await hand_to_a_person(desk)
    await handover.add_person_message(desk.conn, reference, "Jane here.", idempotency=uuid4())
    await desk.deliver()
    assert (await read_fate(desk), len(desk.taken)) == (("failed", NO_TEMPLATE), 1)
    assert await desk.sql("select waits_for from waiting_customers") == "person"
    assert NO_TEMPLATE in await desk.sql("select handoff_note from tickets")


async def test_what_a_person_types_after_the_window_goes_in_the_template(template_desk: ChatDesk) -> None:
    reference = await hand_to_a_person(template_desk)
    await handover.add_person_message(template_desk.conn, reference, "Jane here.", idempotency=uuid4())
    await template_desk.deliver()
    assert list_sent(template_desk)[1:] == [(TEXT.replace("{{1}}", "Jane here."), TEMPLATE)]
    assert await template_desk.sql("select count(*) from waiting_customers") == 0


MEANING = "Twilio 63016: more than 24 hours after their last message, only an approved template may be sent"


@pytest.mark.parametrize("at_once", [True, False])
async def test_window_that_only_whatsapp_knows_is_over_reaches_a_person_in_words(desk: ChatDesk, at_once: bool) -> None:
    desk.vendor.knobs.outside_window, desk.vendor.knobs.window_refuses_at_once = [CUSTOMER], at_once
    await answer(desk)
    await desk.deliver()
    assert [one.failure for one in desk.taken] == ([] if at_once else [63016])
    for taken in desk.taken:
        await desk.report(taken, "undelivered", ErrorCode=str(taken.failure))
    assert await read_fate(desk) == ("failed", MEANING)
    assert MEANING in await desk.sql("select handoff_note from tickets")
    assert await desk.sql("select waits_for from waiting_customers") == "person"


async def test_worker_sends_with_the_template_of_its_settings(template_desk: ChatDesk) -> None:
    settings = Settings(**template_desk.settings.model_dump() | {"twilio_api_base": template_desk.vendor.url})
    async with open_channels(settings) as channels:
        channel = channels["whatsapp"]
        assert isinstance(channel, WhatsApp)
        assert channel.template_sid == TEMPLATE


async def test_a_message_nobody_can_read_holds_up_no_reply(desk: ChatDesk) -> None:
    await desk.write()
    await desk.turn(reply_with("Here is how."))
    await desk.write("more")
    await desk.sql("update message_queue set payload = payload || '{\"sent_at\": \"nonsense\"}' where kind = 'inbound'")
    await desk.deliver()
    assert [one.send.body for one in desk.taken] == ["Here is how."]


async def test_whoever_only_reacted_is_not_written_to_freely(desk: ChatDesk) -> None:
    await desk.write("👍", MessageType="reaction")
    reference = await desk.sql("select call_person(id, 'late', '', 'TF') from conversations")
    await handover.add_person_message(desk.conn, reference, "Hello, can we help?", idempotency=uuid4())
    await desk.deliver()
    assert desk.taken == []
    assert await desk.sql("select is_late from messages where author = 'person'")
