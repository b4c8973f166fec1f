"""Our own worker over our own queue, with handlers that do nothing but finish."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from bench.queue.ground import Meter, Server, make_work
from db import queue
from db.errors import LeaseLost
from db.pool import Connection, Pool, acquire
from db.queue import ClaimedLane
from worker.completer import Completer
from worker.loop import Worker, WorkerSettings

FILL_BATCH = 1000
CONCURRENCY = 400  # lanes in hand: handlers that wait for no model need many to keep both processors busy
LEASE = timedelta(minutes=5)


async def fill(pool: Pool, lanes: int, *, each: int = 1, name: str = "c") -> None:
    """Queue `each` messages for so many lanes, the way intake does."""
    works = [make_work(f"{name}{lane}", number) for number in range(each) for lane in range(lanes)]
    async with pool.acquire() as conn:
        for start in range(0, len(works), FILL_BATCH):
            await queue.add_many(conn, works[start : start + FILL_BATCH])
        await conn.execute("vacuum analyze lanes")
        await conn.execute("vacuum analyze message_queue")


async def finish_with_outbox(conn: Connection, lanes: list[ClaimedLane]) -> set[ClaimedLane]:
    """queue.finish_lanes by way of the bench's own function, which adds one outbox row per message to its statement."""
    places: list[int] = await conn.fetchval(
        "select bench_finish($1, $2, $3, $4, $5)",
        [lane.lane for lane in lanes],
        [lane.token for lane in lanes],
        [len(lane.jobs) for lane in lanes],
        [job.id for lane in lanes for job in lane.jobs],
        [place for place, lane in enumerate(lanes, start=1) for _ in lane.jobs],
    )
    return {lanes[place - 1] for place in places}


class Counting(Protocol):
    """A handler that counts the messages it finished."""

    done: int

    async def run(self, lane: ClaimedLane) -> None: ...
    async def give_up(self, lane: ClaimedLane, error: str) -> None: ...


@dataclass
class Together:
    """Finishes through the batched completer; each message leaves an outbox row in the same transaction."""

    pool: Pool
    completer: Completer = field(init=False)
    done: int = 0

    def __post_init__(self) -> None:
        self.completer = Completer(self.pool, finish_with_outbox)

    async def run(self, lane: ClaimedLane) -> None:
        await self.completer.finish(lane)
        self.done += len(lane.jobs)

    async def give_up(self, lane: ClaimedLane, error: str) -> None:
        raise RuntimeError(f"{lane.lane}: {error}")


@dataclass
class Alone(Together):
    """Finishes each lane in a transaction of its own, as a turn does."""

    async def run(self, lane: ClaimedLane) -> None:
        async with acquire(self.pool) as conn:
            kept = await conn.fetchval("select bench_finish_one($1, $2, $3)", lane.lane, lane.token, lane.job_ids)
        if not kept:
            raise LeaseLost(lane.lane)
        self.done += len(lane.jobs)


def make_worker(pool: Pool, handler: Counting, **settings: Any) -> Worker:
    """A worker as the product makes it, for inbound messages."""
    chosen: dict[str, Any] = {"name": "bench", "concurrency": CONCURRENCY, "lease": LEASE} | settings
    return Worker(pool=pool, handlers={"inbound": handler}, settings=WorkerSettings(**chosen))


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[Worker]:
    """The worker at work for the length of the block."""
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def wait_until(is_true: Callable[[], bool], seconds: float = 600, step: float = 0.002) -> None:
    """Look every few milliseconds. TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not is_true():
            await asyncio.sleep(step)


async def drain(server: Server, pool: Pool, handler: Counting, count: int) -> tuple[float, float]:
    """Let one worker handle `count` waiting messages: per second, and processor microseconds for each."""
    worker = make_worker(pool, handler)
    meter = Meter(server)
    async with working(worker):
        await wait_until(lambda: handler.done >= count)
        return meter.rate(count)


async def find_broken_laws(conn: Connection, expected: int) -> list[str]:
    """What the outbox and the queue say after `expected` messages: lost, doubled, out of order, miscounted."""
    row = await conn.fetchrow(
        """
        select (select count(*) from bench_outbox) as answered,
               (select count(*) from message_queue) as waiting,
               (select coalesce(sum(pending), 0) from lanes) as pending,
               (select count(*) from (select inbound_id < lag(inbound_id) over (partition by lane order by id) as back
                                        from bench_outbox) o where back) as disordered
        """
    )
    assert row is not None  # noqa: S101 (an aggregate always has a row)
    laws = {
        f"{expected} messages, {row['answered']} answers": row["answered"] != expected,
        f"{row['waiting']} messages wait, the lanes say {row['pending']}": row["waiting"] != row["pending"],
        f"{row['disordered']} answers out of order": row["disordered"] > 0,
    }
    return [law for law, is_broken in laws.items() if is_broken]
