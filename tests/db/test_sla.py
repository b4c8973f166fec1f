"""Promises: open time is counted both ways alike, the clock stops while we owe nothing, what broke is written down."""

import random
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from agent.models.scripted import ScriptedModel
from db import handover, inbox, sla
from db.pool import Connection, Pool
from tests.fakes import claim_one, hand_over, make_runner, reply_with, submit, write_again
from tests.fakes import write_on_a_channel_without_tickets as write_chat

HOUR = timedelta(hours=1)
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")
CHANGES_OF_CLOCKS = (
    datetime(2026, 3, 28, tzinfo=UTC),
    datetime(2026, 10, 24, tzinfo=UTC),
    datetime(2026, 4, 4, tzinfo=UTC),
)


async def between(conn: Connection, start: datetime, finish: datetime, calendar: str | None) -> timedelta:
    found: timedelta = await conn.fetchval("select open_time_between($1, $2, $3)", start, finish, calendar)
    return found


async def add(conn: Connection, start: datetime, span: timedelta, calendar: str | None) -> datetime:
    found: datetime = await conn.fetchval("select add_open_time($1, $2, $3)", start, span, calendar)
    return found


async def make_calendar(conn: Connection, chance: random.Random) -> str:
    """Any hours: none on some days, two shifts on others, up to midnight; holidays; some never open."""
    name = uuid4().hex
    await conn.execute("insert into calendars values ($1, $2)", name, chance.choice(ZONES))
    for weekday in range(1, 8) if chance.random() < 0.9 else ():
        edges = sorted(chance.sample(range(0, 97), chance.choice((0, 2, 4))))
        for opens, closes in zip(edges[::2], edges[1::2], strict=True):
            await conn.execute(
                "insert into calendar_hours select $1, $2, make_interval(mins => $3)::time, "
                "case when $4 = 1440 then time '24:00' else make_interval(mins => $4)::time end",
                name, weekday, opens * 15, closes * 15,
            )  # fmt: skip
    days = [datetime(2026, chance.randint(1, 12), chance.randint(1, 28), tzinfo=UTC).date() for _ in range(20)]
    await conn.executemany(
        "insert into calendar_holidays values ($1, $2) on conflict do nothing", [(name, day) for day in days]
    )
    return name


async def test_open_time_is_counted_as_due_times_are(conn: Connection) -> None:
    chance = random.Random(8)
    for _ in range(60):
        calendar = await make_calendar(conn, chance)
        start = chance.choice(CHANGES_OF_CLOCKS) + timedelta(
            minutes=chance.randint(-5_000, 9_000), microseconds=chance.randint(0, 999_999)
        )
        span = timedelta(minutes=chance.randint(1, 4_000), microseconds=chance.randint(0, 999_999))
        later = start + timedelta(minutes=chance.randint(0, 20_000))
        finish = await add(conn, start, span, calendar)
        assert abs(await between(conn, start, finish, calendar) - span) < timedelta(microseconds=3), (
            calendar,
            start,
            span,
        )
        # what lies between is the sum of its parts
        parts = await between(conn, start, later, calendar) + await between(conn, later, later + 40 * HOUR, calendar)
        whole = await between(conn, start, later + 40 * HOUR, calendar)
        assert abs(parts - whole) < timedelta(microseconds=3)


async def test_open_time_of_what_a_person_would_count(conn: Connection) -> None:
    friday, monday = datetime(2026, 11, 20, 17, tzinfo=UTC), datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert await between(conn, friday, monday, "office") == 2 * HOUR
    assert await between(conn, friday, monday, None) == 64 * HOUR
    assert await between(conn, monday, friday, "office") == timedelta(0)
    await conn.execute("insert into calendar_holidays values ('office', '2026-11-23')")
    assert await between(conn, friday, monday + 24 * HOUR, "office") == 2 * HOUR
    await conn.execute("insert into calendars values ('never', 'UTC')")
    assert await between(conn, friday, monday, "never") == 64 * HOUR


async def work(pool: Pool, *replies: object) -> None:
    await make_runner(pool, ScriptedModel(replies)).run(await claim_one(pool))  # type: ignore[arg-type]


async def look(conn: Connection, column: str) -> datetime | None:
    found: datetime | None = await conn.fetchval(f"select {column} from tickets")  # noqa: S608
    return found


async def every_hour_counts(conn: Connection) -> None:
    await conn.execute("update sla_targets set calendar = null")
    await conn.execute("update escalation_routes set calendar = null")


async def go_back(conn: Connection, hours: int) -> None:
    """So much time passes for every ticket and conversation."""
    span = hours * HOUR
    await conn.execute(
        """
        update tickets set first_response_due_at = first_response_due_at - $1::interval,
               paused_since = paused_since - $1, resolution_due_at = resolution_due_at - $1,
               person_due_at = person_due_at - $1
        """, span,
    )  # fmt: skip
    await conn.execute("update conversations set waiting_since = waiting_since - $1::interval", span)


async def test_the_clock_stops_from_our_answer_to_the_customers_next_word(pool: Pool, conn: Connection) -> None:
    await every_hour_counts(conn)
    reference = await submit(conn, "Hello")
    due = await look(conn, "resolution_due_at")
    assert due is not None
    assert await look(conn, "paused_since") is None
    await work(pool, reply_with("Which of them?", kind="clarifying_question"))
    assert await look(conn, "paused_since") is not None
    await go_back(conn, 100)
    assert await sla.record_breaches(conn) == 0  # a hundred hours, for which the customer owed a word
    await write_again(conn, reference, "The second one")
    moved = await look(conn, "resolution_due_at")
    assert moved is not None
    assert abs(moved - due) < timedelta(minutes=1)
    assert await conn.fetchval(
        "select paused_since is null and paused_for between '100 hours' and '101 hours' from tickets"
    )
    await write_again(conn, reference, "or the third")
    assert await look(conn, "resolution_due_at") == moved


async def test_only_open_hours_of_a_pause_are_given(conn: Connection) -> None:
    """A pause from Friday evening to Monday morning moves nothing but the hours in which we would have worked."""
    await submit(conn, "Hello")
    await conn.execute(
        "update tickets set paused_since = '2026-11-20T17:00Z', resolution_due_at = '2026-11-23T12:00Z', "
        "calendar = 'office'"
    )
    await conn.execute("select resume_clock(conversation_id, '2026-11-23T09:00Z') from tickets")
    assert await look(conn, "resolution_due_at") == datetime(2026, 11, 23, 14, tzinfo=UTC)


async def test_a_chat_goes_on_when_the_message_came_not_when_it_was_read(pool: Pool, conn: Connection) -> None:
    await write_chat(conn, "Let me talk to a person")
    await work(pool, hand_over())
    await conn.execute("update conversations set waiting_since = null, status = 'waiting'")
    await conn.execute("update tickets set paused_since = now() - interval '10 hours', calendar = null")
    due = await look(conn, "resolution_due_at")
    await write_chat(conn, "And?")
    await conn.execute("update message_queue set created_at = now() - interval '4 hours' where kind = 'inbound'")
    await conn.execute("update conversations set waiting_since = now()")
    moved = await look(conn, "resolution_due_at")
    assert due is not None
    assert moved is not None
    assert timedelta(hours=5, minutes=59) < moved - due < timedelta(hours=6, minutes=1)


async def test_a_ticket_opened_while_nobody_waits_promises_nothing_until_somebody_does(conn: Connection) -> None:
    await submit(conn, "Hello")
    await conn.execute("delete from tickets")
    await conn.execute("update conversations set waiting_since = null")
    await conn.execute("select ticket_of(id, 'TF') from conversations")
    assert await look(conn, "paused_since") is not None
    await go_back(conn, 500)
    assert await sla.record_breaches(conn) == 0
    await conn.execute("update conversations set waiting_since = now()")
    first = await look(conn, "first_response_due_at")
    assert first is not None
    assert first > datetime.now(UTC)


async def test_each_broken_promise_is_recorded_once_and_stays(pool: Pool, conn: Connection) -> None:
    await submit(conn, "Let me talk to a person")
    await work(pool, hand_over())
    await go_back(conn, 1_000)
    assert await sla.record_breaches(conn) == 3
    found = await conn.fetchrow("select * from tickets")
    assert found is not None
    for name in ("first_response", "resolution", "person"):
        assert found[f"{name}_breached_at"] == found[f"{name}_due_at"]
    assert await sla.record_breaches(conn) == 0
    await handover.add_person_message(conn, found["reference"], "Sorry.", idempotency=uuid4())
    await conn.execute("select settle_elsewhere($1)", found["reference"])
    assert await sla.record_breaches(conn) == 0
    after = await conn.fetchrow("select * from tickets")
    assert after is not None
    assert after["person_breached_at"] == found["person_breached_at"]
    rates = (await sla.list_promise_rates(conn, hours=1))["web"]
    assert (rates.first_response_met_rate, rates.resolution_met_rate, rates.n) == (0, 0, 1)


async def test_an_answer_that_comes_too_late_is_a_breach_even_if_nobody_looked(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Let me talk to a person")
    await work(pool, hand_over())
    await go_back(conn, 1_000)
    await handover.add_person_message(conn, reference, "Sorry.", idempotency=uuid4())
    found = await conn.fetchrow("select * from tickets")
    assert found is not None
    assert None not in (
        found["first_response_breached_at"],
        found["resolution_breached_at"],
        found["person_breached_at"],
    )


async def test_what_is_met_in_time_is_no_breach(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Let me talk to a person")
    await work(pool, hand_over())
    await handover.add_person_message(conn, reference, "Here I am.", idempotency=uuid4())
    await conn.execute("select settle_elsewhere($1)", reference)
    await go_back(conn, 1_000)
    assert await sla.record_breaches(conn) == 0
    rates = (await sla.list_promise_rates(conn, hours=1))["total"]
    assert (rates.first_response_met_rate, rates.resolution_met_rate, rates.n) == (1, 1, 1)


async def test_tests_of_our_own_break_no_promise(pool: Pool, conn: Connection) -> None:
    await submit(conn, "Let me talk to a person")
    await work(pool, hand_over())
    await conn.execute("update conversations set is_test = true")
    await go_back(conn, 1_000)
    assert (await sla.record_breaches(conn), await sla.warn_soon(conn)) == (0, 0)
    rates = await sla.list_promise_rates(conn, hours=1)
    assert (set(rates), rates["total"].n, rates["total"].resolution_met_rate) == ({"total"}, 0, None)


async def test_the_team_is_warned_once_when_little_is_left(pool: Pool, conn: Connection) -> None:
    await every_hour_counts(conn)
    await submit(conn, "Let me talk to a person")
    await work(pool, hand_over())
    await conn.execute("update notices set seen_at = now()")
    assert await sla.warn_soon(conn) == 0
    await conn.execute("update escalation_routes set respond_within = '8 hours'")
    await conn.execute("update tickets set person_due_at = now() + interval '110 minutes'")
    assert [await sla.warn_soon(conn) for _ in range(2)] == [1, 0]
    [line] = await inbox.list_lines(conn)
    assert line.is_warned
    assert await conn.fetchval("select reason from notices where seen_at is null") == "due_soon"
    # another due time, another warning; and one that is far off, none
    await conn.execute("update tickets set person_due_at = now() + interval '60 minutes'")
    assert await sla.warn_soon(conn) == 1
    await conn.execute("update tickets set person_due_at = now() + interval '200 minutes'")
    assert await sla.warn_soon(conn) == 0
    [line] = await inbox.list_lines(conn)
    assert not line.is_warned


@pytest.mark.parametrize(
    "change", ["update sla_limits set warn_below = 0", "update conversations set waiting_since = null"]
)
async def test_nobody_is_warned_needlessly(pool: Pool, conn: Connection, change: str) -> None:
    await every_hour_counts(conn)
    await submit(conn, "Let me talk to a person")
    await work(pool, hand_over())
    await conn.execute("update tickets set person_due_at = now() + interval '5 minutes'")
    await conn.execute(change)
    assert await sla.warn_soon(conn) == 0


async def test_in_a_chat_a_person_is_due_before_it_closes_whatever_the_hours(pool: Pool, conn: Connection) -> None:
    await write_chat(conn, "Let me talk to a person")
    await conn.execute("update channel_configs set reply_window = '23:59:45' where channel = 'whatsapp'")
    await conn.execute("insert into calendars values ('rarely', 'UTC')")
    await conn.execute(
        "insert into calendar_hours select 'rarely', extract(isodow from now() - interval '2 days'), '09:00', '17:00'"
    )
    await conn.execute("update escalation_routes set calendar = 'rarely'")
    await work(pool, hand_over())
    closes = await conn.fetchval("select free_until(c) from conversations c")
    assert await look(conn, "person_due_at") == closes
    # one that is closed already holds nobody to anything
    await conn.execute("update messages set sent_at = sent_at - interval '2 days'")
    await conn.execute("update tickets set person_due_at = now() + interval '5 days'")
    later = await look(conn, "person_due_at")
    assert later is not None
    assert later > datetime.now(UTC) + 100 * HOUR


async def test_other_hours_change_no_time_that_was_given(conn: Connection) -> None:
    await submit(conn, "Hello")
    before = await look(conn, "first_response_due_at")
    await conn.execute(
        "select keep_calendar('office', 'Asia/Tokyo', '[]', '{}', '{\"kind\": \"token\", \"name\": \"x\"}')"
    )
    assert await look(conn, "first_response_due_at") == before
