"""Promises of many pieces of work queued in one statement."""

import asyncio
import random
from datetime import timedelta

from db import queue
from db.pool import Connection, Pool, open_pool
from db.queue import NewWork
from tests.db.test_queue import LEASE, claim, pending_agrees


def message(lane: str, text: str) -> NewWork:
    payload = {"version": 1, "channel": "web", "thread_key": lane, "external_id": f"{lane}/{text}", "body": text}
    return NewWork(f"web:{lane}", "inbound", payload, f"web:{lane}/{text}")


async def test_a_batch_is_queued_in_its_order_within_each_lane(conn: Connection) -> None:
    batch = [message(lane, f"{n:02}") for n in range(30) for lane in ("b", "a")]
    ids = await queue.add_many(conn, batch)
    assert all(ids)
    lanes = await queue.claim_lanes(conn, worker="w", lanes=9, messages=99, lease=LEASE)
    for lane in lanes:
        assert [job.payload["body"] for job in lane.jobs] == [f"{n:02}" for n in range(30)]
    by_lane = [row_id for work, row_id in zip(batch, ids, strict=True) if work.lane == "web:a"]
    assert by_lane == [job.id for lane in lanes if lane.lane == "web:a" for job in lane.jobs]


async def test_an_empty_batch_queues_nothing(conn: Connection) -> None:
    assert await queue.add_many(conn, []) == []


async def test_what_is_there_already_is_none_in_its_place(conn: Connection) -> None:
    await queue.add_many(conn, [message("a", "waits"), message("a", "buried")])
    await conn.execute(
        "insert into messages (conversation_id, channel, direction, author, external_id, body) "
        "values (new_id(), 'web', 'inbound', 'customer', 'a/answered', 'hello')"
    )
    await conn.execute(
        "insert into dead_letters (lane, kind, dedupe_key, payload, attempts, error, created_at) "
        "select lane, kind, dedupe_key, payload, 1, 'x', now() from message_queue where dedupe_key = 'web:a/buried'"
    )
    await conn.execute("delete from message_queue where dedupe_key = 'web:a/buried'")
    await conn.execute("update lanes set pending = 1")
    texts = ["waits", "new", "buried", "answered", "new"]
    ids = await queue.add_many(conn, [message("a", text) for text in texts])
    assert [row is not None for row in ids] == [False, True, False, False, False]
    assert await pending_agrees(conn)


async def test_a_storm_of_one_batch_from_sixteen_connections_leaves_one_row_each(database_url: str) -> None:
    batch = [message(f"lane{n % 3}", f"{n}") for n in range(9)]

    async def add(pool: Pool, seed: int) -> list[int | None]:
        mine = random.Random(seed).sample(batch, len(batch))
        async with pool.acquire() as conn:
            return await queue.add_many(conn, mine)

    async with open_pool(database_url, size=16) as pool:
        added = await asyncio.gather(*(add(pool, seed) for seed in range(16)))
        assert sum(row is not None for rows in added for row in rows) == len(batch)
        async with pool.acquire() as conn:
            assert await conn.fetchval("select count(*) from message_queue") == len(batch)
            assert await pending_agrees(conn)
            assert len(await claim(conn)) == 3


async def test_batches_over_the_same_lanes_in_any_order_never_deadlock(pool: Pool) -> None:
    lanes = [f"lane{n}" for n in range(20)]

    async def add(writer: int) -> None:
        for burst in range(15):
            mixed = random.Random(writer * 100 + burst).sample(lanes, len(lanes))
            # every lane once, and keys that other writers bring too, some of them in other lanes
            batch = [message(lane, f"{writer}/{burst}") for lane in mixed]
            batch += [NewWork(lane, "job", {}, f"shared/{burst}/{n}") for n, lane in enumerate(mixed)]
            async with pool.acquire() as conn:
                await queue.add_many(conn, batch)

    await asyncio.gather(*(add(writer) for writer in range(6)))
    async with pool.acquire() as conn:
        assert await conn.fetchval("select count(*) from message_queue") == 6 * 15 * 20 + 15 * 20
        assert await pending_agrees(conn)


async def test_a_heartbeat_over_the_lanes_of_a_batch_never_deadlocks(pool: Pool) -> None:
    lanes = [f"lane{n}" for n in range(40)]
    async with pool.acquire() as conn:
        await queue.add_many(conn, [message(lane, "first") for lane in lanes])
        held = await claim(conn, lanes=40)

    async def beat() -> None:
        for turn in range(30):
            mixed = random.Random(turn).sample(held, len(held))
            async with pool.acquire() as conn:
                assert len(await queue.extend_leases(conn, worker="w", held=mixed, lease=LEASE)) == 40

    async def add(writer: int) -> None:
        for burst in range(30):
            async with pool.acquire() as conn:
                await queue.add_many(conn, [message(lane, f"{writer}/{burst}") for lane in lanes])

    await asyncio.gather(beat(), *(add(writer) for writer in range(3)))


async def test_a_burst_in_one_batch_waits_as_long_as_its_channel_asks(conn: Connection) -> None:
    def quiet(lane: str, key: str, seconds: float) -> NewWork:
        return NewWork(
            lane, "job", {}, key, quiet=timedelta(seconds=seconds), quiet_cap=timedelta(seconds=seconds + 10)
        )

    await queue.add_many(conn, [quiet("chat", "1", 30), quiet("chat", "2", 30), NewWork("mail", "job", {}, "3")])
    assert [lane.lane for lane in await claim(conn)] == ["mail"]
    await conn.execute("update lanes set waiting_since = waiting_since - interval '1 hour', run_at = now()")
    await queue.add_many(conn, [quiet("chat", "4", 30)])
    [lane] = await claim(conn)
    assert len(lane.jobs) == 3, "whoever goes on writing is answered once the cap is reached"
