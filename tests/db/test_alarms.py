"""What is wrong is told by the database itself: since when, in words, and with what to do about it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from db import queue
from db.health import Alarm, list_alarms
from db.pool import Connection, Pool, open_connection
from tests.fakes import claim_one, submit, write_on_a_channel_without_tickets


async def live(conn: Connection) -> None:
    """A worker that is well."""
    await conn.execute("insert into workers (name) values ('w1')")


async def find(conn: Connection, name: str) -> Alarm | None:
    return next((alarm for alarm in await list_alarms(conn) if alarm.alarm == name), None)


async def test_a_desk_that_is_well_has_no_alarms(pool: Pool, conn: Connection) -> None:
    await live(conn)
    await submit(conn, "Hello")
    await claim_one(pool)
    assert await list_alarms(conn) == []


async def test_no_worker_at_all_needs_a_person(conn: Connection) -> None:
    alarm = await find(conn, "no_worker")
    assert alarm is not None
    assert (alarm.needs_person, alarm.since, alarm.value) == (True, None, None)
    await live(conn)
    assert await find(conn, "no_worker") is None
    await conn.execute("update workers set heartbeat_at = now() - interval '1 minute'")
    alarm = await find(conn, "no_worker")
    assert alarm is not None
    assert alarm.since == await conn.fetchval("select heartbeat_at from workers")


async def silent_worker(conn: Connection) -> None:
    await conn.execute("insert into workers (name, heartbeat_at) values ('w2', now() - interval '1 minute')")


async def due_work(conn: Connection) -> None:
    await submit(conn, "Hello")
    await conn.execute("update lanes set run_at = now() - interval '5 minutes'")


async def lost_work(conn: Connection) -> None:
    await submit(conn, "Hello")
    await conn.execute("update lanes set lease_until = now() - interval '5 minutes'")


async def old_message(conn: Connection) -> None:
    await submit(conn, "Hello")
    await conn.execute("update message_queue set created_at = now() - interval '5 minutes'")


async def retrying(conn: Connection) -> None:
    await submit(conn, "Hello")
    await conn.execute("update lanes set attempts = 3, last_error = 'TimeoutError'")


async def dead_upkeep(conn: Connection) -> None:
    await conn.execute(
        """
        insert into dead_letters (lane, kind, dedupe_key, payload, attempts, error, created_at)
        values ('job:x', 'index_article', 'x', '{}', 5, 'Broken', now())
        """
    )


async def dead_message(conn: Connection) -> None:
    await conn.execute(
        """
        insert into dead_letters (lane, kind, dedupe_key, payload, attempts, error, created_at)
        values ('whatsapp:+4915', 'inbound', 'x', '{}', 5, 'Broken', now())
        """
    )


async def unseen(conn: Connection) -> None:
    await submit(conn, "Hello")
    await conn.execute("update conversations set handler = 'human'")
    await conn.execute("delete from message_queue")
    await conn.execute("update lanes set pending = 0")


async def overdue(conn: Connection) -> None:
    await submit(conn, "Hello")
    await conn.execute("update tickets set first_response_due_at = now() - interval '5 minutes'")


async def in_doubt(conn: Connection) -> None:
    await submit(conn, "Hello")
    await conn.execute(
        """
        insert into messages (conversation_id, channel, direction, author, body, delivery, idempotency_token)
        select id, channel, 'outbound', 'agent', 'Hello.', 'unknown', new_id() from conversations
        """
    )


async def write_reply(conn: Connection, delivery: str, *, tries: int, age: timedelta, is_queued: bool) -> None:
    """A reply on its way to a vendor; its ticket has the reference that submit gave it."""
    await submit(conn, "Hello")
    await conn.execute("delete from message_queue")
    await conn.execute("update lanes set pending = 0")
    reply = await conn.fetchval(
        """
        insert into messages (conversation_id, channel, direction, author, body, delivery, idempotency_token, tries,
                              delivery_error, sent_at)
        select id, channel, 'outbound', 'agent', 'Hello.', $1, new_id(), $2, 'ConnectError', now() - $3::interval
          from conversations returning id
        """,
        delivery, tries, age,
    )  # fmt: skip
    if is_queued:
        await conn.execute(
            """
            select add_work('out:' || conversation_id, 'deliver', 0, 'deliver:' || id,
                            jsonb_build_object('version', 1, 'message_id', id)) from messages where id = $1
            """,
            reply,
        )


async def refused(conn: Connection) -> None:
    await write_reply(conn, "failed", tries=1, age=timedelta(0), is_queued=False)


async def tried_often(conn: Connection) -> None:
    await write_reply(conn, "pending", tries=3, age=timedelta(0), is_queued=True)


async def waits_for_its_vendor(conn: Connection) -> None:
    await write_reply(conn, "pending", tries=1, age=timedelta(minutes=5), is_queued=True)


async def test_a_reply_that_was_just_written_is_no_alarm(conn: Connection) -> None:
    await write_reply(conn, "sending", tries=2, age=timedelta(0), is_queued=True)
    assert await find(conn, "delivery_delayed") is None


@pytest.mark.parametrize(("happen", "alarm"), [(refused, "delivery_refused"), (tried_often, "delivery_delayed")])
async def test_a_reply_that_did_not_arrive_is_told_with_its_ticket_and_the_vendors_reason(
    conn: Connection, happen: Callable[[Connection], Awaitable[None]], alarm: str
) -> None:
    await happen(conn)
    found = await find(conn, alarm)
    assert found is not None
    assert await conn.fetchval("select reference from tickets") in found.detail
    assert "ConnectError" in found.detail
    assert await find(conn, "delivery_in_doubt") is None


async def test_at_most_five_tickets_are_named(conn: Connection) -> None:
    named = await conn.fetchval("select name_tickets(array['A', null, 'B', 'C', 'D', 'E', 'F'])")
    assert named == "A, B, C, D, E, …"


async def test_a_vendor_that_is_away_shows_in_the_queue_and_beside_whoever_waits(conn: Connection) -> None:
    await tried_often(conn)
    row = await conn.fetchrow("select kind, retrying, most_attempts from queue_overview")
    assert row is not None
    assert tuple(row) == ("deliver", 1, 3)
    row = await conn.fetchrow("select waits_for, attempts, last_error, due_at is not null from waiting_customers")
    assert row is not None
    assert tuple(row) == ("delivery", 3, "ConnectError", True)


async def test_a_silent_worker_is_named_with_the_lanes_it_still_holds(pool: Pool, conn: Connection) -> None:
    await silent_worker(conn)
    await submit(conn, "Hello")
    lane = await claim_one(pool)
    await conn.execute("update lanes set worker = 'w2' where lane = $1", lane.lane)
    found = await find(conn, "worker_silent")
    assert found is not None
    assert "; 1 lanes were in its hands" in found.detail


async def table_without_autovacuum(conn: Connection) -> None:
    await conn.execute("alter table lanes set (autovacuum_enabled = false)")


async def bloated_table(conn: Connection) -> None:
    await conn.execute("update alarm_limits set shown_from = 100 where alarm = 'bloat'")
    await conn.execute("insert into lanes (lane) select 'job:' || n from generate_series(1, 500) n")
    await conn.execute("delete from lanes")
    await conn.execute("select pg_stat_force_next_flush()")


async def ending_watch(conn: Connection) -> None:
    await conn.execute("update channel_configs set watch_expires_at = now() + interval '1 hour' where channel = 'web'")


@pytest.mark.parametrize(
    ("happen", "alarm", "needs_person", "words"),
    [
        (silent_worker, "worker_silent", False, "w2"),
        (due_work, "work_due", True, "no worker has taken it"),
        (lost_work, "work_due", True, "no worker has taken it"),
        (old_message, "oldest_waiting", False, "web:TF-"),
        (retrying, "lanes_retrying", False, "TimeoutError"),
        (dead_upkeep, "dead_letters", True, "index_article, the latest: Broken"),
        (dead_message, "dead_letters", True, "inbound, the latest: Broken"),
        (unseen, "waiting_unseen", True, "1 on web"),
        (overdue, "waiting_overdue", True, "1 on web"),
        (in_doubt, "delivery_in_doubt", False, "may or may not have arrived: 1"),
        (refused, "delivery_refused", False, "A vendor refused a reply to customers on web: 1"),
        (tried_often, "delivery_delayed", False, "at most 3 tries, the latest error: ConnectError"),
        (waits_for_its_vendor, "delivery_delayed", False, "not with the vendor: 1"),
        (table_without_autovacuum, "autovacuum_off", True, "lanes"),
        (bloated_table, "bloat", False, "lanes has 500 dead rows"),
        (ending_watch, "watch_ends", True, "web"),
    ],
)
async def test_what_is_wrong_is_named_with_what_to_do(
    conn: Connection, happen: Callable[[Connection], Awaitable[None]], alarm: str, needs_person: bool, words: str
) -> None:
    await live(conn)
    await happen(conn)
    found = await find(conn, alarm)
    assert found is not None
    assert found.needs_person is needs_person
    assert words in found.detail
    assert found.what_to_do


async def test_a_dead_letter_whose_customer_was_answered_needs_nobody(conn: Connection) -> None:
    await live(conn)
    await dead_message(conn)
    await conn.execute("update conversations set waiting_since = null")
    assert await find(conn, "dead_letters") is None


@asynccontextmanager
async def open_transaction(url: str, statement: str) -> AsyncIterator[int]:
    """A transaction somebody began long ago and left; gives its pid."""
    other = await open_connection(url)
    try:
        async with other.transaction(isolation="repeatable_read"):
            await other.execute(statement)
            yield other.get_server_pid()
    finally:
        await other.close()


async def notice_at_once(conn: Connection) -> None:
    await conn.execute("update alarm_limits set shown_from = 0 where alarm like 'old_snapshot%' or alarm like 'idle%'")


async def test_an_old_snapshot_is_named_with_the_process_that_holds_it(database_url: str, conn: Connection) -> None:
    await notice_at_once(conn)
    async with open_transaction(database_url, "select set_config('application_name', 'pg_dump', false)") as pid:
        alarm, idle = await find(conn, "old_snapshot"), await find(conn, "idle_in_transaction")
    for found in (alarm, idle):
        assert found is not None
        assert (found.about, "pg_dump" in found.detail) == (f"pid {pid}", True)
        assert found.since is not None
        assert f"pg_terminate_backend({pid})" in found.what_to_do
    assert await find(conn, "old_snapshot") is None


async def test_an_old_snapshot_is_noticed_without_any_right_to_see_who_it_is(
    database_url: str, conn: Connection
) -> None:
    await notice_at_once(conn)
    async with conn.transaction(), open_transaction(database_url, "select 1") as pid:
        await conn.execute("create role desk_reader")
        await conn.execute("grant select on all tables in schema public to desk_reader")
        await conn.execute("set local role desk_reader")
        alarm = await find(conn, "old_snapshot_hidden")
        await conn.execute("reset role")
        await conn.execute("drop owned by desk_reader; drop role desk_reader")
    assert alarm is not None
    assert (alarm.about, alarm.since, alarm.unit) == (f"pid {pid}", None, "transactions")


async def test_from_where_on_an_alarm_is_shown_is_for_the_team_to_say(conn: Connection) -> None:
    await conn.execute("update alarm_limits set person_from = null where alarm = 'no_worker'")
    alarm = await find(conn, "no_worker")
    assert alarm is not None
    assert not alarm.needs_person
    await conn.execute("update alarm_limits set shown_from = null")
    assert await list_alarms(conn) == []


async def test_what_needs_a_person_comes_first(conn: Connection) -> None:
    await silent_worker(conn)
    await due_work(conn)
    urgent = [alarm.needs_person for alarm in await list_alarms(conn)]
    assert urgent == sorted(urgent, reverse=True)


async def test_the_queue_at_a_glance(pool: Pool, conn: Connection) -> None:
    for number in range(3):
        await write_on_a_channel_without_tickets(conn, "Hello", number=f"+49151{number}")
    await claim_one(pool)
    await queue.release_lane(conn, await claim_one(pool), pause=timedelta(hours=1), failure="Broken")
    await conn.execute("update message_queue set created_at = now() - interval '90 s' where id = 1")
    row = await conn.fetchrow("select * from queue_overview")
    assert row is not None
    assert dict(row) | {"oldest": None} == {
        "kind": "inbound", "priority": 1, "waiting": 3, "in_hand": 1, "due": 1, "held_back": 1, "retrying": 0,
        "oldest": None, "oldest_seconds": 90, "most_attempts": 1, "in_doubt": None,
    }  # fmt: skip
