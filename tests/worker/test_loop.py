"""Promises of the worker loop: everything that waits is done, once, in order, whatever fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from db import queue
from db.errors import PermanentFailure, RetryLater
from db.pool import Connection, Pool
from db.queue import ClaimedLane
from tests.e2e.desk import until
from worker.loop import Handler, Worker, WorkerSettings
from worker.retry import retry_delay

FAST = WorkerSettings(
    name="w", poll=timedelta(milliseconds=50), lease=timedelta(seconds=2), max_attempts=2, grace=timedelta(seconds=0.2)
)


class Recorder:
    """A handler that notes what it was given and then does what the test says."""

    def __init__(self, pool: Pool, act: Callable[[ClaimedLane], Awaitable[None]] | None = None) -> None:
        self.pool = pool
        self.act = act
        self.ran: list[str] = []
        self.gave_up: list[str] = []

    async def run(self, lane: ClaimedLane) -> None:
        self.ran.append(lane.lane)
        if self.act:
            await self.act(lane)
        async with self.pool.acquire() as conn:
            await queue.finish_work(conn, lane)

    async def give_up(self, lane: ClaimedLane, error: str) -> None:
        self.gave_up.append(error)
        async with self.pool.acquire() as conn:
            await queue.bury_work(conn, lane, error=error)


@asynccontextmanager
async def working(
    pool: Pool, handlers: Mapping[str, Handler], settings: WorkerSettings = FAST
) -> AsyncIterator[Worker]:
    worker = Worker(pool=pool, handlers=handlers, settings=settings)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def add(conn: Connection, lane: str, kind: str = "job") -> None:
    await queue.add_work(conn, lane, kind, {}, dedupe_key=f"{lane}/{kind}")


async def is_empty(conn: Connection) -> bool:
    return not await conn.fetchval("select count(*) from message_queue")


async def test_what_waits_is_done_without_any_notification(pool: Pool, conn: Connection) -> None:
    await add(conn, "before")
    recorder = Recorder(pool)
    async with working(pool, {"job": recorder}):
        await until(lambda: is_empty(conn))
        await add(conn, "after")
        await until(lambda: is_empty(conn))
    assert recorder.ran == ["before", "after"]


async def test_one_slow_lane_holds_up_nobody(pool: Pool, conn: Connection) -> None:
    gate = asyncio.Event()

    async def wait_if_slow(lane: ClaimedLane) -> None:
        if lane.lane == "slow":
            await gate.wait()

    recorder = Recorder(pool, wait_if_slow)
    async with working(pool, {"job": recorder}):
        for lane in ("slow", "quick1", "quick2"):
            await add(conn, lane)
        await until(lambda: count_waiting(conn, 1))
        gate.set()
        await until(lambda: is_empty(conn))
    assert sorted(recorder.ran) == ["quick1", "quick2", "slow"]


async def count_waiting(conn: Connection, expected: int) -> bool:
    return bool(await conn.fetchval("select count(*) = $1 from message_queue", expected))


async def test_work_that_fails_is_tried_again_then_given_up(pool: Pool, conn: Connection) -> None:
    async def fail(_: ClaimedLane) -> None:
        raise ValueError("not for the log")

    recorder = Recorder(pool, fail)
    await add(conn, "a")
    async with working(pool, {"job": recorder}):
        await until(lambda: due_now(conn, "select count(*) from dead_letters"))
    assert recorder.ran == ["a", "a"]
    assert recorder.gave_up == ["ValueError"]


async def due_now(conn: Connection, check: str) -> bool:
    """Shorten every backoff, so that no test waits for one."""
    await conn.execute("update lanes set run_at = now() where run_at > now()")
    return bool(await conn.fetchval(check))


async def test_what_will_never_work_is_given_up_at_once(pool: Pool, conn: Connection) -> None:
    async def refuse(_: ClaimedLane) -> None:
        raise PermanentFailure("payload version 9 is not known to this code")

    recorder = Recorder(pool, refuse)
    await add(conn, "a")
    async with working(pool, {"job": recorder}):
        await until(lambda: is_empty(conn))
    assert (recorder.ran, recorder.gave_up) == (["a"], ["payload version 9 is not known to this code"])


async def test_work_whose_giving_up_fails_too_still_becomes_a_dead_letter(pool: Pool, conn: Connection) -> None:
    class Hopeless:
        async def run(self, lane: ClaimedLane) -> None:
            raise PermanentFailure("cannot be read")

        async def give_up(self, lane: ClaimedLane, error: str) -> None:
            raise KeyError("neither can this")

    await add(conn, "a")
    async with working(pool, {"job": Hopeless()}):
        await until(lambda: due_now(conn, "select count(*) from dead_letters"))
    assert await is_empty(conn)


async def test_work_of_a_kind_nobody_knows_waits_for_newer_code(pool: Pool, conn: Connection) -> None:
    await add(conn, "a", "from_the_future")
    async with working(pool, {}):
        await until(lambda: conn.fetchval("select count(*) from lanes where run_at > now() + interval '20 s'"))
    row = await conn.fetchrow("select last_error, attempts, pending from lanes")
    assert row is not None
    assert tuple(row) == ("nobody here does from_the_future", 0, 1)


async def test_work_of_a_kind_nobody_ever_knows_ends_as_a_dead_letter(pool: Pool, conn: Connection) -> None:
    await add(conn, "a", "from_the_future")
    await conn.execute("update message_queue set created_at = now() - interval '2 hours'")
    await conn.execute("update lanes set attempts = 6, last_error = 'nobody here does from_the_future'")
    async with working(pool, {}):
        await until(lambda: is_empty(conn))
    assert await conn.fetchval("select error from dead_letters") == "nobody here does from_the_future"


async def test_a_wish_to_wait_is_kept_and_is_no_failed_try(pool: Pool, conn: Connection) -> None:
    async def ask_for_time(_: ClaimedLane) -> None:
        raise RetryLater("rate limited", delay=timedelta(hours=1))

    recorder = Recorder(pool, ask_for_time)
    await add(conn, "a")
    async with working(pool, {"job": recorder}):
        await until(lambda: is_put_back(conn))
    assert await conn.fetchval(
        "select run_at > now() + interval '50 minutes' and last_error = 'rate limited' from lanes"
    )
    assert recorder.ran == ["a"]


async def is_put_back(conn: Connection) -> bool:
    return bool(
        await conn.fetchval("select lease_until is null and last_error is not null and attempts = 0 from lanes")
    )


async def test_long_work_keeps_its_lease(pool: Pool, conn: Connection) -> None:
    gate = asyncio.Event()
    recorder = Recorder(pool, lambda _: gate.wait())  # type: ignore[arg-type,return-value]
    await add(conn, "a")
    async with working(pool, {"job": recorder}):
        first = await until(lambda: conn.fetchval("select lease_until from lanes where lease_until is not null"))
        await until(lambda: conn.fetchval("select lease_until > $1 from lanes", first))
        gate.set()
        await until(lambda: is_empty(conn))
    assert recorder.ran == ["a"]


async def test_work_whose_lease_was_lost_is_dropped(pool: Pool, conn: Connection) -> None:
    dropped = asyncio.Event()

    async def wait(_: ClaimedLane) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            dropped.set()

    await add(conn, "a")
    async with working(pool, {"job": Recorder(pool, wait)}):
        await until(lambda: conn.fetchval("select true from lanes where token is not null"))
        await conn.execute("update lanes set token = token + 1, lease_until = now() + interval '1 hour'")
        await asyncio.wait_for(dropped.wait(), 30)


async def test_a_stopped_worker_claims_nothing_more_and_gives_back_what_it_cannot_finish(
    pool: Pool, conn: Connection
) -> None:
    async def wait(_: ClaimedLane) -> None:
        await asyncio.Event().wait()

    await add(conn, "a")
    async with working(pool, {"job": Recorder(pool, wait)}) as worker:
        await until(lambda: conn.fetchval("select true from lanes where token is not null"))
        worker.stop()
        await add(conn, "b")
    assert await conn.fetchval("select bool_and(lease_until is null and attempts = 0 and pending = 1) from lanes")
    assert await conn.fetchval("select count(*) from workers") == 0


async def test_a_stopped_worker_finishes_what_it_can(pool: Pool, conn: Connection) -> None:
    async def take_a_moment(_: ClaimedLane) -> None:
        await asyncio.sleep(0.1)

    await add(conn, "a")
    async with working(pool, {"job": Recorder(pool, take_a_moment)}) as worker:
        await until(lambda: conn.fetchval("select true from lanes where token is not null"))
        worker.stop()
    assert await is_empty(conn)


async def test_a_worker_whose_heartbeat_broke_stops_instead_of_pretending_to_live(pool: Pool, conn: Connection) -> None:
    await conn.execute("alter table workers add constraint broken check (running < 0)")
    worker = Worker(pool=pool, handlers={}, settings=FAST)
    with pytest.raises(Exception, match="broken"):
        await asyncio.wait_for(worker.run(), 30)


@pytest.mark.parametrize(("attempts", "most"), [(1, 2), (3, 8), (8, 256), (9, 300), (40, 300)])
def test_retries_are_spread_over_a_time_that_doubles_up_to_five_minutes(attempts: int, most: int) -> None:
    assert retry_delay(attempts, chance=1) == timedelta(seconds=most)
    assert retry_delay(attempts, chance=0) == timedelta(0)


def test_a_try_is_counted_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        retry_delay(0)
