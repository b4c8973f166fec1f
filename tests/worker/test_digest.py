"""Managers learn every morning who waits."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from db import queue
from db.pool import Connection, Pool
from tests.app.people import add_person
from tests.stand_ins.gmail import Gmail
from tests.worker.mail_desk import open_mail_desk
from tests.worker.telling_desk import BASE, TellingDesk, escalate
from worker.completer import Completer
from worker.jobs.notify import Digest


@pytest.fixture
async def desk(pool: Pool, conn: Connection, gmail: Gmail) -> AsyncIterator[TellingDesk]:
    async with open_mail_desk(TellingDesk, pool, conn, gmail) as desk:
        yield desk


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
