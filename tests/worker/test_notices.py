"""Promises about telling people: of who needs one they are told once, by a mail nobody mistakes for a customer's."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest

from agent.models.scripted import ScriptedModel
from db import audit, handover, notices, queue, webhooks
from db.people import Actor
from db.pool import Connection, Pool, acquire
from tests.app.people import add_person
from tests.fakes import claim_now, claim_one, hand_over, make_runner, submit, write_again
from tests.stand_ins.gmail import Gmail
from tests.worker.mail_desk import open_mail_desk
from tests.worker.telling_desk import BASE, TellingDesk, escalate, find_talk


@pytest.fixture
async def desk(pool: Pool, conn: Connection, gmail: Gmail) -> AsyncIterator[TellingDesk]:
    async with open_mail_desk(TellingDesk, pool, conn, gmail) as desk:
        yield desk


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


async def test_who_is_not_told_for_a_quarter_of_an_hour_is_an_alarm_before_every_way_is_given_up(
    desk: TellingDesk,
) -> None:
    await add_person(desk.conn)
    reference = await escalate(desk.pool, desk.conn)
    told = "select detail from alarms where alarm = 'nobody_told' and needs_person"
    for minutes, is_said in ((14, False), (16, True)):
        await desk.sql("update notices set made_at = now() - $1 * interval '1 minute'", minutes)
        assert ((reference in (await desk.sql(told) or "")), await desk.sql("select error from notices")) == (
            is_said,
            None,
        )
    await desk.notify()
    await desk.mail()
    assert await desk.sql(told) is None


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
