"""A mail to the team is sent once, and whatever comes back of it is nobody's question."""

import asyncio
from collections.abc import AsyncIterator
from typing import Literal
from uuid import UUID

import pytest

from channels.mail.threads import make_message_id
from db.pool import Connection, Pool
from tests.app.people import add_person
from tests.stand_ins.gmail import Gmail
from tests.stand_ins.gmail_journal import GmailFault
from tests.worker.mail_desk import make_bounce, make_mail, open_mail_desk
from tests.worker.telling_desk import TellingDesk, escalate


@pytest.fixture
async def desk(pool: Pool, conn: Connection, gmail: Gmail) -> AsyncIterator[TellingDesk]:
    async with open_mail_desk(TellingDesk, pool, conn, gmail) as desk:
        yield desk


@pytest.mark.parametrize("fault", ["drop", "accept_500", "lose", "fail_503", "quota_429"])
async def test_a_mail_whose_answer_was_lost_is_not_sent_again(desk: TellingDesk, fault: GmailFault) -> None:
    await add_person(desk.conn)
    await escalate(desk.pool, desk.conn)
    await desk.notify()
    desk.gmail.knobs.script["drafts.send"] = [fault]
    for _ in range(3):
        if await desk.count("team_mail"):
            await desk.mail()
    assert len(await desk.list_told()) == 1
    assert await desk.sql("select state from team_mails") == "sent"


@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize("call", ["drafts.create", "drafts.send"])
async def test_a_worker_killed_while_it_tells_the_team_leaves_one_mail(
    desk: TellingDesk, call: str, point: Literal["before", "after"]
) -> None:
    await add_person(desk.conn)
    await escalate(desk.pool, desk.conn)
    await desk.notify()
    desk.gmail.knobs.held = call
    desk.gmail.gate.close(point)
    telling = asyncio.create_task(desk.mail())
    await desk.gmail.gate.reached.wait()
    telling.cancel()
    await asyncio.wait([telling])
    desk.gmail.gate.open(forget=True)
    await desk.mail()
    assert len(await desk.list_told()) == 1


async def test_a_mail_nobody_can_find_again_is_left_in_doubt_and_not_sent_twice(desk: TellingDesk) -> None:
    await add_person(desk.conn)
    await escalate(desk.pool, desk.conn)
    await desk.notify()
    desk.gmail.knobs.script["drafts.send"] = ["drop"]
    await desk.mail()
    [sent] = await desk.gmail.list_sent()
    await desk.gmail.delete_mail(sent.id)
    await desk.mail()
    assert await desk.count("team_mail") == 1
    await desk.sql("update message_queue set created_at = now() - interval '2 hours'")
    await desk.mail()
    assert await desk.sql("select state from team_mails") == "unknown"
    assert await desk.gmail.list_sent() == []


@pytest.mark.parametrize(("fault", "state"), [("lose", "unknown"), ("quota_429", "failed")])
async def test_after_a_day_of_tries_it_says_whether_the_mail_can_have_gone(
    desk: TellingDesk, fault: GmailFault, state: str
) -> None:
    await add_person(desk.conn)
    await escalate(desk.pool, desk.conn)
    await desk.notify()
    desk.gmail.knobs.always["drafts.send"] = fault
    await desk.mail()
    assert await desk.sql("select state from team_mails") == "pending"
    await desk.sql("update message_queue set created_at = now() - interval '25 hours'")
    await desk.mail()
    assert await desk.sql("select state from team_mails") == state


# What comes back -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [("INBOX", "UNREAD", "SENT"), ("INBOX", "UNREAD")])
async def test_a_mail_to_the_team_that_comes_back_to_the_mailbox_starts_nothing(
    desk: TellingDesk, labels: tuple[str, ...]
) -> None:
    await add_person(desk.conn, desk.gmail.address)
    await escalate(desk.pool, desk.conn)
    await desk.notify()
    await desk.mail()
    [sent] = await desk.gmail.list_sent()
    await desk.sync()
    await desk.receive(sent.raw, labels=labels)
    assert await desk.sql("select array_agg(distinct verdict) from mails") == ["own"]
    assert await desk.count("inbound") == 0
    assert await desk.sql("select count(*) from conversations where channel = 'gmail'") == 0


async def tell_kim(desk: TellingDesk) -> str:
    """The Message-ID of a mail she got."""
    await add_person(desk.conn)
    await escalate(desk.pool, desk.conn)
    await desk.notify()
    await desk.mail()
    token = await desk.sql("select id from team_mails")
    return f"<{make_message_id(UUID(str(token)), desk.gmail.address.rpartition('@')[2])}>"


async def test_an_answer_of_the_team_to_such_a_mail_is_no_customers(desk: TellingDesk) -> None:
    ours = await tell_kim(desk)
    await desk.receive(make_mail("I am on it", sender="Kim <kim@example.com>", answers=ours))
    assert await desk.sql("select verdict from mails where why = 'answers a mail to the team'") == "own"
    assert await desk.count("inbound") == 0


async def test_a_customer_to_whom_such_a_mail_was_passed_on_is_still_answered(desk: TellingDesk) -> None:
    ours = await tell_kim(desk)
    await desk.receive(make_mail("What is this?", sender="Ana <ana@example.org>", answers=ours))
    assert await desk.count("inbound") == 1


async def test_a_mail_to_the_team_that_bounces_is_seen_on_its_notice(desk: TellingDesk) -> None:
    ours = (await tell_kim(desk)).strip("<>")
    bounce = make_bounce(ours, "kim@example.com")
    await desk.receive(bounce)
    assert await desk.sql("select error from notices") == "it came back from kim@example.com"
    assert await desk.count("inbound") == 0


async def test_a_name_on_several_lines_cannot_write_into_the_mail(desk: TellingDesk) -> None:
    await add_person(desk.conn)
    await escalate(desk.pool, desk.conn)
    await desk.sql("update customers set name = E'Eve\\r\\nBcc: x@evil.example\\r\\n\\r\\nhello'")
    await desk.notify()
    await desk.mail()
    [mail] = await desk.list_told()
    assert mail["Bcc"] is None
    assert "Eve Bcc: x@evil.example hello waits for a person" in mail.get_content()
