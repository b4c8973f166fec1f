"""Promises about telling people: of who needs one they are told once, by a mail nobody mistakes for a customer's."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Literal
from uuid import UUID, uuid4

import pytest

from agent.models.scripted import ScriptedModel
from app.settings import read_settings
from channels.gmail import Gmail as GmailChannel
from channels.gmail import open_gmail
from channels.mail.threads import make_message_id
from db import audit, handover, notices, queue, webhooks
from db.errors import RetryLater
from db.people import Actor
from db.pool import Connection, Pool, acquire
from tests.app.people import add_person
from tests.fakes import claim_now, claim_one, hand_over, make_runner, submit, write_again
from tests.stand_ins.gmail import Gmail
from tests.stand_ins.gmail_journal import GmailFault
from tests.worker.mail_desk import MailDesk, make_mail
from worker.completer import Completer
from worker.jobs.notify import Digest, MailTeam, Notify

BASE = "https://desk.example.com"


class TellingDesk(MailDesk):
    """A desk whose team is told by the mailbox that its customers write to."""

    async def notify(self) -> None:
        await Notify(self.pool, Completer(self.pool), BASE).run(await self.claim("notify:"))

    async def mail(self, channel: GmailChannel | None = None, *, is_on: bool = True) -> None:
        """One try; whatever puts it off, it is due again."""
        lane = await self.claim("mail:")
        try:
            await MailTeam(self.pool, (channel or self.channel) if is_on else None, BASE).run(lane)
        except RetryLater as error:
            await queue.release_lane(self.conn, lane, pause=error.delay, failure=str(error), is_try=False)

    async def list_told(self) -> list[EmailMessage]:
        """The mails that went to the team, as it reads them."""
        sent = [message_from_bytes(one.raw, policy=policy.default) for one in await self.gmail.list_sent()]
        return [one for one in sent if isinstance(one, EmailMessage) and one["Auto-Submitted"] == "auto-generated"]

    async def count(self, kind: str) -> int:
        found: int = await self.sql("select count(*) from message_queue where kind = $1", kind)
        return found


@pytest.fixture
async def desk(pool: Pool, conn: Connection, gmail: Gmail) -> AsyncIterator[TellingDesk]:
    account = read_settings({"APP_SECRET": "for-tests", **gmail.environment}).gmail_account
    assert account is not None
    async with open_gmail(account, "Tidefern") as channel:
        desk = TellingDesk(pool, conn, gmail, channel)
        await desk.sync()
        yield desk


async def escalate(
    pool: Pool, conn: Connection, message: str = "I want a person", email: str = "ana@example.com"
) -> str:
    """A customer whom the agent handed to a person; the reference."""
    reference = await submit(conn, message, email=email)
    await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_now(conn, "web:"))
    return reference


async def find_talk(conn: Connection, reference: str) -> UUID:
    talk: UUID = await conn.fetchval("select conversation_id from tickets where reference = $1", reference)
    return talk


async def test_an_escalation_tells_everybody_of_the_team_by_one_mail(desk: TellingDesk) -> None:
    await add_person(desk.conn, "kim@example.com")
    await add_person(desk.conn, "lee@example.com", "manager")
    reference = await escalate(desk.pool, desk.conn, "My card 4111 is blocked, and I am very cross about it")
    await desk.notify()
    await desk.mail()
    [mail] = await desk.list_told()
    assert mail["To"] == "kim@example.com, lee@example.com"
    assert mail["Subject"] == f"{reference}: customer request"
    text = mail.get_content()
    talk = await find_talk(desk.conn, reference)
    due = await desk.sql("select to_char(person_due_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') from tickets")
    for part in ("Ana Lima", "the web form", "customer request", due, "The customer wants a person.",
                 f"{BASE}/conversations/{talk}"):  # fmt: skip
        assert part in text
    assert "very cross" not in text
    assert await desk.sql("select told_at is not null and error is null from notices")
    assert await desk.sql("select count(*) from message_queue") == 0


async def test_until_somebody_looks_there_is_one_notice_and_then_the_next(desk: TellingDesk) -> None:
    kim = await add_person(desk.conn)
    reference = await escalate(desk.pool, desk.conn)
    talk = await find_talk(desk.conn, reference)
    await desk.sql("select call_person($1, 'late', '', 'TF')", talk)
    assert await desk.sql("select count(*) from notices") == 1
    assert await desk.count("notify") == 1
    await audit.note_view(desk.conn, kim, f"conversation:{talk}")
    assert await desk.sql("select seen_at is not null from notices")
    await desk.sql("select call_person($1, 'late', '', 'TF')", talk)
    assert await desk.sql("select array_agg(reason order by id) from notices") == ["human_wanted", "late"]


async def test_a_machine_that_reads_a_conversation_has_not_seen_it_for_the_team(pool: Pool, conn: Connection) -> None:
    await add_person(conn)
    talk = await find_talk(conn, await escalate(pool, conn))
    machine = Actor("key", uuid4(), "a machine", "manager")
    await audit.note_view(conn, machine, f"conversation:{talk}")
    assert not await conn.fetchval("select seen_at is not null from notices")
    await audit.note_view(conn, Actor("token", None, "ADMIN_TOKEN", "admin"), f"conversation:{talk}")
    assert await conn.fetchval("select seen_at is not null from notices")


async def test_who_takes_over_before_the_mail_is_sent_gets_none(desk: TellingDesk) -> None:
    kim = await add_person(desk.conn)
    reference = await escalate(desk.pool, desk.conn)
    await desk.notify()
    await handover.take_over(desk.conn, reference, kim)
    await desk.mail()
    assert await desk.list_told() == []
    assert await desk.sql("select state from team_mails") == "skipped"
    assert await desk.sql("select error is null from notices")


async def test_a_customer_who_writes_again_to_a_person_is_told_of_once_more(desk: TellingDesk) -> None:
    kim = await add_person(desk.conn)
    reference = await escalate(desk.pool, desk.conn)
    await handover.add_person_message(desk.conn, reference, "Like this.", idempotency=uuid4(), who=kim)
    await desk.sql("delete from message_queue where kind = 'notify'")
    await desk.sql("update lanes set pending = 0")
    for text in ("And now?", "Hello?"):
        await write_again(desk.conn, reference, text)
        await make_runner(desk.pool, ScriptedModel([])).run(await claim_now(desk.conn, "web:"))
    assert await desk.sql("select array_agg(reason order by id) from notices") == ["human_wanted", "wrote_again"]
    assert await desk.count("notify") == 1


@pytest.mark.parametrize(
    ("assignee", "notify", "told"),
    [
        (None, [], ["kim@example.com", "lee@example.com"]),
        (None, ["desk@example.org"], ["desk@example.org"]),
        ("lee@example.com", ["desk@example.org"], ["lee@example.com"]),
        ("The night shift", ["desk@example.org"], ["desk@example.org"]),
        ("old@example.com", [], ["kim@example.com", "lee@example.com"]),
    ],
)
async def test_whoever_has_it_is_told_else_the_list_of_the_route_else_everybody(
    pool: Pool, conn: Connection, assignee: str | None, notify: list[str], told: list[str]
) -> None:
    for email in ("kim@example.com", "lee@example.com", "old@example.com"):
        await add_person(conn, email)
    await conn.execute("update people set is_active = false where email = 'old@example.com'")
    await conn.execute("update escalation_routes set notify = $1", notify)
    talk = await find_talk(conn, await escalate(pool, conn))
    await conn.execute("update tickets set assignee = $1", assignee)
    assert await conn.fetchval("select list_recipients($1)", talk) == told


@pytest.mark.parametrize("address", ["a@b.example\r\nBcc: x@y.example", "a@b.example, x@y.example", "<a@b.example>"])
async def test_no_address_of_a_route_reaches_into_a_mails_head(conn: Connection, address: str) -> None:
    with pytest.raises(Exception, match="escalation_routes_notify_check"):
        await conn.execute("update escalation_routes set notify = array[$1::text]", address)


async def test_a_test_of_the_desk_tells_nobody(pool: Pool, conn: Connection) -> None:
    await add_person(conn)
    await submit(conn, "I want a person")
    await conn.execute("update conversations set is_test = true")
    await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_one(pool))
    assert await conn.fetchval("select count(*) from notices") == 0


async def test_where_an_escalation_is_not_kept_nobody_is_told(pool: Pool, conn: Connection) -> None:
    await add_person(conn)
    await submit(conn, "I want a person")
    await conn.execute("alter table agent_metrics add constraint full_disk check (false) not valid")
    with pytest.raises(Exception, match="full_disk"):
        await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_one(pool))
    assert await conn.fetchval("select count(*) from tickets where status = 'escalated'") == 0
    assert await conn.fetchval("select count(*) from notices") == 0
    assert await conn.fetchval("select count(*) from message_queue where kind = 'notify'") == 0


# What cannot be told -------------------------------------------------------------------------------------------------


async def test_where_nobody_can_be_told_an_alarm_says_so_while_somebody_waits(pool: Pool, conn: Connection) -> None:
    reference = await escalate(pool, conn)
    alarm = "select detail from alarms where alarm = 'nobody_told' and needs_person"
    assert reference in await conn.fetchval(alarm)
    assert await conn.fetchval("select count(*) from message_queue") == 0
    await handover.add_person_message(conn, reference, "Like this.", idempotency=uuid4())
    assert await conn.fetchval(alarm) is None


async def test_without_a_mailbox_the_mail_is_skipped_and_the_notice_and_the_alarm_say_why(desk: TellingDesk) -> None:
    await add_person(desk.conn)
    await escalate(desk.pool, desk.conn)
    await desk.notify()
    assert await desk.sql("select count(*) from alarms where alarm = 'nobody_told'") == 0
    await desk.mail(is_on=False)
    assert await desk.sql("select error from notices") == "Gmail is not set up"
    assert "Gmail is not set up" in await desk.sql("select detail from alarms where alarm = 'nobody_told'")


async def test_a_mail_that_google_refuses_is_a_dead_letter_and_an_alarm(desk: TellingDesk) -> None:
    await add_person(desk.conn)
    await escalate(desk.pool, desk.conn)
    await desk.notify()
    desk.gmail.knobs.always["drafts.create"] = "refuse_400"
    await desk.mail()
    alarms = await desk.sql("select array_agg(alarm) from alarms where alarm in ('nobody_told', 'dead_letters')")
    assert set(alarms) == {"nobody_told", "dead_letters"}
    del desk.gmail.knobs.always["drafts.create"]
    assert await desk.sql("select revive_dead(id) from dead_letters")
    await desk.mail()
    assert len(await desk.list_told()) == 1
    assert await desk.sql("select count(*) from alarms where alarm in ('nobody_told', 'dead_letters')") == 0


# Once ----------------------------------------------------------------------------------------------------------------


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


def make_bounce(message_id: str, recipient: str) -> bytes:
    return f"""From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: support@example.com
Subject: Delivery Status Notification (Failure)
Auto-Submitted: auto-replied
Message-ID: <{uuid4().hex}@mx.example.net>
References: <{message_id}>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Address not found
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com

Final-Recipient: rfc822; {recipient}
Action: failed
Status: 5.1.1

--b--
""".replace("\n", "\r\n").encode()


async def test_a_name_on_several_lines_cannot_write_into_the_mail(desk: TellingDesk) -> None:
    await add_person(desk.conn)
    await escalate(desk.pool, desk.conn)
    await desk.sql("update customers set name = E'Eve\\r\\nBcc: x@evil.example\\r\\n\\r\\nhello'")
    await desk.notify()
    await desk.mail()
    [mail] = await desk.list_told()
    assert mail["Bcc"] is None
    assert "Eve Bcc: x@evil.example hello waits for a person" in mail.get_content()


# Beside everything else ---------------------------------------------------------------------------------------------


async def test_telling_and_the_work_that_is_told_of_never_wait_for_each_other_in_a_circle(
    pool: Pool, conn: Connection
) -> None:
    kim = await add_person(conn)
    for url in ("https://a.example/", "https://b.example/"):
        await webhooks.add_webhook(conn, kim, url=url, secret="x", events=webhooks.HAPPENINGS)
    references = [await escalate(pool, conn, email=f"c{number}@example.com") for number in range(3)]
    talks = {reference: await find_talk(conn, reference) for reference in references}

    async def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(25):
            reference = chance.choice(references)
            async with acquire(pool) as own:
                match chance.randrange(6):
                    case 0:
                        await own.fetchval("select call_person($1, 'late', '', 'TF')", talks[reference])
                    case 1:
                        await handover.settle_elsewhere(own, reference, kim)
                    case 2:
                        await audit.note_view(own, kim, f"conversation:{talks[reference]}")
                    case 3:
                        await handover.add_person_message(own, reference, "Yes.", idempotency=uuid4(), who=kim)
                    case _:
                        await tell(own)

    async def tell(own: Connection) -> None:
        lanes = await queue.claim_lanes(own, worker="w", lanes=3, messages=5, lease=timedelta(minutes=1))
        told = [lane for lane in lanes if lane.jobs[0].kind == "notify"]
        await queue.finish_lanes(own, [lane for lane in lanes if lane not in told])
        for lane in told:
            await notices.spread_notice(own, lane, lane.jobs[0], base_url=BASE)

    await asyncio.gather(*(work(seed) for seed in range(6)))  # a deadlock would end one of them with an error
    for _ in range(500):
        if not await conn.fetchval("select count(*) from message_queue"):
            break
        await tell(conn)
    assert await conn.fetchval("select count(*) from message_queue") == 0
    assert await conn.fetchval("select coalesce(sum(pending), 0) from lanes") == 0
    open_ones = "select count(*) from notices where seen_at is null group by conversation_id having count(*) > 1"
    assert await conn.fetch(open_ones) == []


# The daily list ------------------------------------------------------------------------------------------------------


async def digest(desk: TellingDesk) -> None:
    """What the schedule queues each morning."""
    await desk.sql("update schedules set next_run_at = now() - interval '1 minute' where name = 'digest'")
    await queue.add_scheduled(desk.conn)
    await Digest(desk.pool, Completer(desk.pool)).run(await desk.claim("job:digest"))


async def test_managers_and_admins_get_the_list_of_who_waits_as_the_inbox_has_it(desk: TellingDesk) -> None:
    for email, role in (("kim", "agent"), ("lee", "manager"), ("max", "admin")):
        insert = "insert into people (email, name, role, password_hash) values ($1, $1, $2, '')"
        await desk.conn.execute(insert, f"{email}@example.com", role)
    references = [await escalate(desk.pool, desk.conn, "Private words", f"c{n}@example.com") for n in range(3)]
    hours = zip(references, (3, -1, 2), strict=True)
    for reference, hour in hours:
        await desk.conn.execute(
            "update tickets set person_due_at = now() + $2 where reference = $1", reference, timedelta(hours=hour)
        )
    await desk.conn.execute("update conversations set waiting_since = now() - interval '1 day'")
    await digest(desk)
    await desk.mail()
    [mail] = await desk.list_told()
    assert mail["To"] == "lee@example.com, max@example.com"
    text = mail.get_content()
    counted = await desk.conn.fetchrow("select count(*) as n, count(*) filter (where is_overdue) as late from inbox")
    assert counted is not None
    assert mail["Subject"] == f"{counted['n']} customers are waiting, {counted['late']} overdue"
    places = [text.index(reference) for reference in (references[1], references[2], references[0])]
    assert places == sorted(places)
    assert text.count(f"{BASE}/conversations/") == 3
    assert "Private words" not in text


async def test_where_nobody_waits_no_list_is_sent(desk: TellingDesk) -> None:
    await add_person(desk.conn, role="admin")
    await digest(desk)
    assert await desk.count("team_mail") == 0


async def test_the_list_comes_at_its_hour_also_after_a_morning_on_which_it_was_late(conn: Connection) -> None:
    hour = "select to_char(next_run_at at time zone 'UTC', 'HH24:MI:SS') from schedules where name = 'digest'"
    assert await conn.fetchval(hour) == "07:00:00"
    await conn.execute("update schedules set next_run_at = next_run_at - interval '40 days' where name = 'digest'")
    assert "digest" in await queue.add_scheduled(conn)
    assert await conn.fetchval(hour) == "07:00:00"
    ahead = "select next_run_at > now() and next_run_at <= now() + every from schedules where name = 'digest'"
    assert await conn.fetchval(ahead)
