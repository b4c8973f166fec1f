"""Promised times and limits: open hours are counted as a person would, and a bucket is never overdrawn."""

import asyncio
from datetime import UTC, datetime

import pytest

from db.pool import Connection, Pool


async def add_open_time(conn: Connection, start: str, span: str, calendar: str | None) -> datetime:
    found: datetime = await conn.fetchval(
        "select add_open_time($1::text::timestamptz, $2::text::interval, $3)", start, span, calendar
    )
    return found.astimezone(UTC)


@pytest.fixture
async def berlin(conn: Connection) -> str:
    """Monday to Friday, nine to five, in Berlin; closed on 25 December 2026."""
    await conn.execute("insert into calendars (name, timezone) values ('berlin', 'Europe/Berlin')")
    await conn.execute(
        "insert into calendar_hours (calendar, weekday, opens, closes) "
        "select 'berlin', day, '09:00', '17:00' from generate_series(1, 5) day"
    )
    await conn.execute("insert into calendar_holidays (calendar, day) values ('berlin', '2026-12-25')")
    return "berlin"


@pytest.mark.parametrize(
    ("start", "span", "due"),
    [
        ("2026-11-20T10:00Z", "2 hours", "2026-11-20T12:00Z"),  # within a day
        ("2026-11-20T15:00Z", "2 hours", "2026-11-23T09:00Z"),  # Friday afternoon goes on on Monday
        ("2026-11-21T10:00Z", "1 hour", "2026-11-23T09:00Z"),  # Saturday counts from Monday's opening
        ("2026-11-20T03:00Z", "8 hours", "2026-11-20T16:00Z"),  # a whole day ends at its close
        ("2026-12-24T15:00Z", "2 hours", "2026-12-28T09:00Z"),  # over a holiday and a weekend
        ("2026-10-23T14:00Z", "2 hours", "2026-10-26T09:00Z"),  # over the end of summer time: nine is an hour later
        ("2026-03-27T15:00Z", "2 hours", "2026-03-30T08:00Z"),  # and over its beginning
    ],
)
async def test_only_open_hours_count(conn: Connection, berlin: str, start: str, span: str, due: str) -> None:
    assert await add_open_time(conn, start, span, berlin) == datetime.fromisoformat(due)


async def test_without_a_calendar_every_hour_counts(conn: Connection) -> None:
    assert await add_open_time(conn, "2026-11-21T10:00Z", "4 hours", None) == datetime(2026, 11, 21, 14, tzinfo=UTC)


async def test_a_calendar_that_never_opens_does_not_mean_that_nothing_is_ever_due(conn: Connection) -> None:
    await conn.execute("insert into calendars (name, timezone) values ('never', 'UTC')")
    assert await add_open_time(conn, "2026-11-21T10:00Z", "4 hours", "never") == datetime(2026, 11, 21, 14, tzinfo=UTC)


async def test_a_bucket_gives_no_more_than_it_holds_to_many_at_once(pool: Pool) -> None:
    async def ask() -> bool:
        async with pool.acquire() as conn:
            return await conn.fetchval("select win_quota('key', 5, interval '1 hour') is null")  # type: ignore[no-any-return]

    won = await asyncio.gather(*(ask() for _ in range(40)))
    assert sum(won) == 5


async def test_a_bucket_refills_evenly_and_tells_how_long_to_wait(conn: Connection) -> None:
    for _ in range(2):
        await conn.fetchval("select win_quota('key', 2, interval '1 hour')")
    wait = await conn.fetchval("select extract(epoch from win_quota('key', 2, interval '1 hour'))")
    assert 1790 < wait <= 1800
    await conn.execute("update quotas set updated_at = updated_at - interval '31 minutes'")
    assert await conn.fetchval("select win_quota('key', 2, interval '1 hour')") is None
    assert await conn.fetchval("select win_quota('key', 2, interval '1 hour')") is not None
