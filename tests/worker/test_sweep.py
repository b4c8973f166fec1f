"""What nobody needs any more is forgotten, and nothing before that."""

from datetime import timedelta

from db import people, queue, threads
from db.pool import Connection, Pool
from db.sessions import TOKEN_HOLDER
from tests.app.people import add_person
from tests.fakes import claim_now
from tests.worker.telling_desk import escalate, find_talk
from worker.completer import Completer
from worker.jobs.notify import Notify
from worker.jobs.upkeep import Sweep


async def sweep(pool: Pool, conn: Connection) -> None:
    await queue.add_work(conn, "job:sweep", "sweep", {}, dedupe_key="sweep")
    await Sweep(pool, Completer(pool)).run(await claim_now(conn, "job:sweep"))


async def tell(pool: Pool, conn: Connection, email: str, days: int) -> str:
    """A customer whom the agent handed over so many days ago, and of whom the team was told; the reference."""
    reference = await escalate(pool, conn, email=email)
    await Notify(pool, Completer(pool), "").run(await claim_now(conn, "notify:"))
    talk, age = await find_talk(conn, reference), timedelta(days=days)
    made = await conn.fetchval(
        "update notices set made_at = now() - $2::interval where conversation_id = $1 returning id", talk, age
    )
    await conn.execute("update team_mails set made_at = now() - $2::interval where notice_id = $1", made, age)
    return reference


OF_NOTICES = "select reference from notices join tickets using (conversation_id) order by 1"
OF_MAILS = """
select reference from team_mails m join notices n on n.id = m.notice_id join tickets using (conversation_id) order by 1
"""


async def list_told(conn: Connection, query: str) -> list[str]:
    """Of which customers there are notices, or mails to the team."""
    return [row["reference"] for row in await conn.fetch(query)]


async def test_what_the_team_was_told_is_kept_for_half_a_year(pool: Pool, conn: Connection) -> None:
    await add_person(conn)
    recent = await tell(pool, conn, "ana@example.com", 179)
    await tell(pool, conn, "ben@example.com", 181)
    await conn.execute("update notices set seen_at = made_at")
    await conn.execute("insert into team_mails (recipients, made_at) values ('{x}', now() - interval '181 days')")
    await sweep(pool, conn)
    assert await list_told(conn, OF_NOTICES) == [recent]
    assert await list_told(conn, OF_MAILS) == [recent]
    assert await conn.fetchval("select count(*) from team_mails") == 1


async def test_a_notice_nobody_has_looked_at_is_kept_while_its_customer_waits(pool: Pool, conn: Connection) -> None:
    await add_person(conn)
    waiting = await tell(pool, conn, "ana@example.com", 400)
    answered = await tell(pool, conn, "ben@example.com", 400)
    await conn.execute("update conversations set waiting_since = null where id = $1", await find_talk(conn, answered))
    await sweep(pool, conn)
    assert await list_told(conn, OF_NOTICES) == [waiting]


async def test_more_than_one_batch_is_swept_at_once(pool: Pool, conn: Connection) -> None:
    await conn.execute(
        """
        insert into team_mails (recipients, made_at) select '{x}', now() - interval '1 year'
          from generate_series(1, 2500)
        """
    )
    await sweep(pool, conn)
    assert await conn.fetchval("select count(*) from team_mails") == 0


async def test_an_invitation_is_forgotten_a_month_after_it_stopped_working(pool: Pool, conn: Connection) -> None:
    for name, used, ended in (
        ("open", None, -1),
        ("lapsed-29", None, 29),
        ("lapsed-31", None, 31),
        ("used-29", 29, 31),
        ("used-31", 31, 24),
    ):
        await people.invite(conn, TOKEN_HOLDER, f"{name}@example.com", "agent", name.encode())
        await conn.execute(
            """
            update invitations set used_at = now() - $2 * interval '1 day', expires_at = now() - $3 * interval '1 day'
             where email = $1 || '@example.com'
            """,
            name, used, ended,
        )  # fmt: skip
    await sweep(pool, conn)
    kept = await conn.fetchval("select array_agg(split_part(email, '@', 1) order by email) from invitations")
    assert kept == ["lapsed-29", "open", "used-29"]


async def test_who_has_a_conversation_open_is_known_and_who_had_it_open_an_hour_ago_is_forgotten(
    pool: Pool, conn: Connection
) -> None:
    reference = await escalate(pool, conn)
    talk = await find_talk(conn, reference)
    for who, minutes in (("now@example.com", 0), ("lately@example.com", 59), ("long-ago@example.com", 61)):
        await threads.note_presence(conn, talk, who)
        await conn.execute(
            "update presences set seen_at = now() - $2 * interval '1 minute' where who = $1", who, minutes
        )
    await sweep(pool, conn)
    kept = await conn.fetchval("select array_agg(who order by who) from presences")
    assert kept == ["lately@example.com", "now@example.com"]
