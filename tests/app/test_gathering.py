"""Rows that share a commit: none waits for company, none is forgotten, none spoils it for the others."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from app.gathering import Gatherer
from app.problems import Problem
from app.wakeup import Waker
from db.pool import Connection, Pool, open_pool
from db.queue import NewWork, add_many

NOWHERE = "postgresql://desk:desk@127.0.0.1:1/none"


def make_work(name: str, body: str = "Hello") -> NewWork:
    return NewWork(lane=f"whatsapp:{name}", kind="inbound", payload={"body": body}, dedupe_key=f"whatsapp:{name}")


async def test_what_comes_during_a_commit_is_the_next_batch(pool: Pool) -> None:
    batches: list[int] = []

    async def store(conn: Connection, works: Sequence[NewWork]) -> list[int | None]:
        batches.append(len(works))
        return await add_many(conn, works)

    gatherer = Gatherer(pool, Waker(pool), store=store, at_once=1)
    ids = await asyncio.gather(*(gatherer.add(make_work(str(number))) for number in range(450)))
    assert len(set(ids)) == 450
    assert None not in ids
    assert batches == [200, 200, 50]
    assert await gatherer.add(make_work("7")) is None
    await gatherer.close()


async def test_request_that_comes_as_the_last_batch_ends_is_not_forgotten(pool: Pool) -> None:
    gatherer = Gatherer(pool, Waker(pool))

    async def write_again_and_again(name: int) -> None:
        for number in range(40):
            assert await gatherer.add(make_work(f"{name}-{number}")) is not None

    await asyncio.gather(*(write_again_and_again(name) for name in range(12)))
    await asyncio.sleep(0)
    assert not gatherer.running
    assert not gatherer.moving
    await gatherer.close()


async def test_row_that_somebody_has_locked_does_not_hold_up_the_others(pool: Pool, conn: Connection) -> None:
    gatherer = Gatherer(pool, Waker(pool))
    await gatherer.add(make_work("a"))
    async with conn.transaction():
        await conn.execute("select from lanes where lane = 'whatsapp:a' for update")
        locked = asyncio.create_task(gatherer.add(replace(make_work("a"), dedupe_key="whatsapp:a2")))
        await asyncio.sleep(0)
        while gatherer.waiting:  # until its batch is on the way
            await asyncio.sleep(0)
        for name in "bcd":
            assert await gatherer.add(make_work(name)) is not None
        assert not locked.done()
    assert await locked is not None
    await gatherer.close()


async def test_one_poisonous_row_does_not_fail_its_neighbours(pool: Pool, conn: Connection) -> None:
    gatherer = Gatherer(pool, Waker(pool))
    works = [make_work("a"), make_work("\x00"), make_work("b"), make_work("\ud800"), make_work("c")]
    results = await asyncio.gather(*(gatherer.add(work) for work in works), return_exceptions=True)
    assert [isinstance(result, Exception) for result in results] == [False, True, False, True, False]
    assert await conn.fetchval("select count(*) from message_queue") == 3
    await gatherer.close()


async def test_request_that_was_given_up_does_not_take_its_batch_along(pool: Pool, conn: Connection) -> None:
    gatherer = Gatherer(pool, Waker(pool), at_once=1)
    tasks = [asyncio.create_task(gatherer.add(make_work(str(number)))) for number in range(5)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, int) for result in results] == [True, True, False, True, True]
    assert await conn.fetchval("select count(*) from message_queue") == 5
    await gatherer.close()


async def test_flood_is_refused_before_it_fills_the_memory() -> None:
    async def stall(_: Connection, works: Sequence[NewWork]) -> list[int | None]:
        await asyncio.sleep(60)
        return [None for _ in works]

    async with open_pool(NOWHERE, size=1) as pool:
        gatherer = Gatherer(pool, Waker(pool), store=stall)
        tasks = [asyncio.create_task(gatherer.add(make_work(str(number)))) for number in range(6_000)]
        async with asyncio.timeout(10):
            results = await asyncio.gather(*tasks, return_exceptions=True)
        refused = [result for result in results if isinstance(result, Problem)]
        assert len(refused) >= 500
        assert all(isinstance(result, Exception) for result in results)
        await gatherer.close()
