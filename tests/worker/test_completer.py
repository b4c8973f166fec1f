"""Promises of the batched completer."""

import asyncio

import pytest

from db import queue
from db.errors import LeaseLost
from db.pool import Connection, Pool
from db.queue import ClaimedLane, NewWork
from tests.db.test_queue import claim, pending_agrees
from worker.completer import Completer


async def claim_many(conn: Connection, count: int) -> list[ClaimedLane]:
    await queue.add_many(conn, [NewWork(f"lane{number}", "job", {}, f"{number}") for number in range(count)])
    return await claim(conn, lanes=count)


async def test_lanes_that_are_done_together_share_statements(pool: Pool, conn: Connection) -> None:
    sizes: list[int] = []

    async def finish_and_count(conn: Connection, lanes: list[ClaimedLane]) -> set[ClaimedLane]:
        sizes.append(len(lanes))
        return await queue.finish_lanes(conn, lanes)

    completer = Completer(pool, finish_and_count)
    await asyncio.gather(*(completer.finish(lane) for lane in await claim_many(conn, 60)))
    assert sum(sizes) == 60
    assert len(sizes) <= 2
    assert await conn.fetchval("select count(*) from message_queue") == 0
    assert await pending_agrees(conn)


async def test_only_whoever_lost_the_lease_is_told_so(pool: Pool, conn: Connection) -> None:
    lanes = await claim_many(conn, 3)
    await conn.execute("update lanes set token = token + 1 where lane = $1", lanes[1].lane)
    completer = Completer(pool)
    ends = await asyncio.gather(*(completer.finish(lane) for lane in lanes), return_exceptions=True)
    assert [type(end) for end in ends] == [type(None), LeaseLost, type(None)]


async def test_an_error_reaches_everybody_and_the_next_batch_works(pool: Pool, conn: Connection) -> None:
    lanes = await claim_many(conn, 3)
    completer = Completer(pool)
    await conn.execute("alter table lanes add constraint broken check (attempts > 0)")
    ends = await asyncio.gather(*(completer.finish(lane) for lane in lanes), return_exceptions=True)
    assert {type(end).__name__ for end in ends} == {"CheckViolationError"}
    await conn.execute("alter table lanes drop constraint broken")
    await asyncio.gather(*(completer.finish(lane) for lane in lanes))


async def test_dropping_one_lane_leaves_the_others_alone(pool: Pool, conn: Connection) -> None:
    lanes = await claim_many(conn, 3)
    completer = Completer(pool)
    tasks = [asyncio.create_task(completer.finish(lane)) for lane in lanes]
    await asyncio.sleep(0)
    tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    await asyncio.gather(*tasks[1:])
