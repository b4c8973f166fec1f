"""Promises of the queue while many workers and producers use it at once and some of them vanish."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from db import queue
from db.pool import Connection, Pool, open_pool
from db.queue import ClaimedLane, NewWork
from tests.db.test_queue import LEASE, add_message, claim, pending_agrees

LANES, MESSAGES, WORKERS, PRODUCERS = 25, 500, 8, 3
SHORT = timedelta(seconds=0.4)
WITNESS = """
  create table handled (place bigint generated always as identity, lane text not null, id bigint not null);
  create function forbid_two_holders() returns trigger language plpgsql as $$
  begin
    if old.lease_until > clock_timestamp() and new.token is distinct from old.token and new.token is not null then
      raise exception 'lane % has two holders', new.lane;
    end if;
    return new;
  end $$;
  create trigger one_holder before update on lanes for each row execute function forbid_two_holders();
"""


@pytest.fixture
async def crowded(database_url: str) -> AsyncIterator[Pool]:
    """Connections for all, and a witness in the database who sees every lease."""
    async with open_pool(database_url, size=WORKERS + PRODUCERS + 1) as pool:
        await pool.execute(WITNESS)
        yield pool


async def produce(pool: Pool, chance: random.Random, name: int) -> None:
    """Queue a share of the messages, singly and in batches, some of them twice."""
    left = MESSAGES // PRODUCERS
    while left:
        size = min(left, chance.choice([1, 1, 5, 20]))
        works = [NewWork(f"lane{chance.randrange(LANES)}", "job", {}, f"{name}/{left - n}") for n in range(size)]
        left -= size
        async with pool.acquire() as conn:
            await queue.add_many(conn, works)
            if chance.random() < 0.2:
                again = chance.choice(works)
                await queue.add_work(conn, again.lane, "job", {}, dedupe_key=again.dedupe_key)


async def work(pool: Pool, chance: random.Random, name: str, finished: asyncio.Event) -> None:
    """Claim, take a moment, finish; one claim in twenty is lost for ever, as if the process had died."""
    while not finished.is_set():
        async with pool.acquire() as conn:
            lanes = await queue.claim_lanes(conn, worker=name, lanes=3, messages=4, lease=SHORT)
        await asyncio.sleep(chance.random() * 0.01)
        if chance.random() < 0.05:
            continue
        async with pool.acquire() as conn, conn.transaction():
            await write_down(conn, await finish(conn, lanes, alone=chance.random() < 0.5))


async def finish(conn: Connection, lanes: list[ClaimedLane], *, alone: bool) -> list[ClaimedLane]:
    if alone:
        in_order = sorted(lanes, key=lambda lane: lane.lane)
        return [lane for lane in in_order if await queue.finish_work(conn, lane)]
    kept = await queue.finish_lanes(conn, lanes) if lanes else set()
    return [lane for lane in lanes if lane in kept]


async def write_down(conn: Connection, lanes: list[ClaimedLane]) -> None:
    """The effect of the work, in its own commit."""
    await conn.executemany(
        "insert into handled (lane, id) values ($1, $2)", [(lane.lane, job.id) for lane in lanes for job in lane.jobs]
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_message_is_handled_once_and_in_order_whoever_vanishes(crowded: Pool, seed: int) -> None:
    chance = random.Random(seed)
    finished = asyncio.Event()
    workers = [
        asyncio.create_task(work(crowded, random.Random(chance.random()), f"w{n}", finished)) for n in range(WORKERS)
    ]
    await asyncio.gather(*(produce(crowded, random.Random(chance.random()), n) for n in range(PRODUCERS)))
    async with asyncio.timeout(60):
        while await crowded.fetchval("select count(*) from message_queue"):
            for worker in workers:
                if worker.done():
                    await worker  # only a failure ends it before its time
            await asyncio.sleep(0.05)
    finished.set()
    await asyncio.gather(*workers)
    async with crowded.acquire() as conn:
        twice = await conn.fetchval("select count(*) - count(distinct id) from handled")
        disordered = await conn.fetchval(
            "select count(*) from (select id < lag(id) over (partition by lane order by place) as back from handled) h "
            "where back"
        )
        drawn = await conn.fetchval("select count(*) from handled")
        assert (twice, disordered) == (0, 0)
        assert drawn >= MESSAGES // PRODUCERS * PRODUCERS
        assert await pending_agrees(conn)


async def test_a_late_worker_in_a_batch_finishes_nothing_and_costs_the_others_nothing(conn: Connection) -> None:
    await add_message(conn, "late")
    [late] = await claim(conn, lease=timedelta(0))
    [holder] = await claim(conn, worker="holder")
    await add_message(conn, "punctual")
    [punctual] = await claim(conn)
    assert await queue.finish_lanes(conn, [late, punctual]) == {punctual}
    row = await conn.fetchrow("select pending, token from lanes where lane = 'web:late'")
    assert row is not None
    assert tuple(row) == (1, holder.token)
    assert await queue.finish_lanes(conn, [holder]) == {holder}
    assert await conn.fetchval("select count(*) from message_queue") == 0
    assert await pending_agrees(conn)


async def test_a_batch_leaves_what_came_in_meanwhile(conn: Connection) -> None:
    await add_message(conn, "a", "first")
    lanes = await claim(conn)
    await add_message(conn, "a", "second")
    assert len(await queue.finish_lanes(conn, lanes)) == 1
    [again] = await claim(conn)
    assert [job.payload["body"] for job in again.jobs] == ["second"]
    assert await pending_agrees(conn)


async def test_rows_deleted_by_hand_do_not_upset_the_count(conn: Connection) -> None:
    for text in ("first", "second", "third"):
        await add_message(conn, "a", text)
    lanes = await queue.claim_lanes(conn, worker="w", lanes=1, messages=2, lease=LEASE)
    await conn.execute("delete from message_queue where payload->>'body' = 'first'")
    assert len(await queue.finish_lanes(conn, lanes)) == 1
    assert await pending_agrees(conn)


async def test_a_storm_of_one_message_from_sixteen_connections_leaves_one_row(database_url: str) -> None:
    async def add(pool: Pool) -> int | None:
        async with pool.acquire() as conn:
            return await add_message(conn, "a")

    async with open_pool(database_url, size=16) as pool:
        added = await asyncio.gather(*(add(pool) for _ in range(160)))
        assert len([row for row in added if row is not None]) == 1
        async with pool.acquire() as conn:
            assert await pending_agrees(conn)


async def test_a_flood_by_one_customer_holds_up_nobody_else(conn: Connection) -> None:
    flood = [NewWork("flood", "job", {}, f"flood/{number}") for number in range(400)]
    await queue.add_many(conn, flood)
    await queue.add_many(conn, [NewWork(f"other{number}", "job", {}, f"other/{number}") for number in range(30)])
    claims = []
    for _ in range(4):
        lanes = await claim(conn, lanes=8)
        claims.append({lane.lane for lane in lanes})
        await queue.finish_lanes(conn, lanes)
    assert ["flood" in names for names in claims] == [True, False, False, True], "its turn comes after everybody else's"
    assert len(set().union(*claims)) == 31
