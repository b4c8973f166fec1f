"""Promises of the queue together with the worker that empties it."""

import asyncio
from functools import partial

from db import queue
from db.listen import listen
from db.pool import Connection, Pool
from db.queue import WORK_CHANNEL, ClaimedLane
from tests.e2e.desk import until
from tests.worker.test_loop import Recorder, add, is_empty, working


async def test_what_waits_is_found_though_the_listener_was_killed_and_nobody_notified(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    async with working(pool, {"job": Recorder(pool)}) as worker:
        listener = asyncio.create_task(listen(database_url, WORK_CHANNEL, lambda _: worker.wake.set()))
        find = "select pid from pg_stat_activity where query ilike 'listen%' and datname = current_database()"
        pid = await until(lambda: conn.fetchval(find))
        await conn.execute("select pg_terminate_backend($1)", pid)
        await add(conn, "a")
        await until(lambda: is_empty(conn))
        listener.cancel()
        await asyncio.wait([listener])


async def test_a_lane_that_always_fails_does_not_slow_the_others(pool: Pool, conn: Connection) -> None:
    async def fail(lane: ClaimedLane) -> None:
        if lane.lane == "poisoned":
            raise ValueError("not for the log")

    recorder = Recorder(pool, fail)
    await add(conn, "poisoned")
    async with working(pool, {"job": recorder}):
        await until(partial(is_put_back, conn))
        for number in range(20):
            await add(conn, f"healthy{number}")
        await until(lambda: are_done(conn, 20))
    assert len([lane for lane in recorder.ran if lane != "poisoned"]) == 20
    assert recorder.ran.count("poisoned") <= 2, "its tries are spread, not spent at once"


async def is_put_back(conn: Connection) -> bool:
    return bool(await conn.fetchval("select last_error is not null from lanes where lane = 'poisoned'"))


async def are_done(conn: Connection, count: int) -> bool:
    query = "select count(*) = $1 from lanes where lane like 'healthy%' and pending = 0"
    return bool(await conn.fetchval(query, count))


async def test_work_queued_in_one_batch_is_all_done(pool: Pool, conn: Connection) -> None:
    recorder = Recorder(pool)
    async with working(pool, {"job": recorder}):
        await queue.add_many(conn, [queue.NewWork(f"lane{n}", "job", {}, f"{n}") for n in range(250)])
        await until(lambda: is_empty(conn))
    assert len(recorder.ran) == 250
