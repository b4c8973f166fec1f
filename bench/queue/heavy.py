"""Goals 9 to 12: a million that wait, a million that were done, a transaction left open, a customer who floods."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.ground import percentile
from bench.queue.desk import Together, drain, fill, find_broken_laws, make_worker, wait_until, working
from bench.queue.ground import Server, make_payload, make_work
from bench.report import Report
from db import queue
from db.pool import Connection, Pool, open_pool

POOL_SIZE = 6
SMALL = 20_000


@dataclass(slots=True)
class ClaimClock:
    """How long each claim took, by the driver's own clock."""

    seconds: list[float] = field(default_factory=list)

    def note(self, query: Any) -> None:
        if "claim_lanes" in query.query:
            self.seconds.append(query.elapsed)

    async def attach(self, pool: Pool) -> None:
        connections = [await pool.acquire() for _ in range(POOL_SIZE)]
        for connection in connections:
            connection.add_query_logger(self.note)
            await pool.release(connection)

    def take(self) -> list[float]:
        """Milliseconds since the last look."""
        taken, self.seconds = [seconds * 1000 for seconds in self.seconds], []
        return taken


@asynccontextmanager
async def timed_desk(server: Server) -> AsyncIterator[tuple[Pool, ClaimClock]]:
    async with server.desk() as url, open_pool(url, size=POOL_SIZE, command_timeout=300) as pool:
        clock = ClaimClock()
        await clock.attach(pool)
        yield pool, clock


async def run(report: Report, server: Server, *, quick: bool) -> None:
    """Each on a database of its own."""
    await run_million(report, server, 30_000 if quick else 1_000_000, small=5_000 if quick else SMALL)
    await run_snapshot(report, server, lanes=10_000 if quick else 100_000, window=1.0 if quick else 5.0)
    await run_flood(report, server, quick=quick)


async def fill_fast(conn: Connection, lanes: int) -> None:
    """One message in each of so many lanes, by one statement: a million of them one by one would take minutes."""
    await conn.execute(
        """
        with queued as (
          insert into message_queue (lane, kind, dedupe_key, payload)
          select 'whatsapp:m' || n, 'inbound', 'whatsapp:m' || n || '/first', $2 from generate_series(1, $1::int) n
          returning lane)
        insert into lanes (lane, pending, waiting_since) select lane, 1, now() from queued
        """,
        lanes,
        make_payload("m"),
    )
    await conn.execute("vacuum analyze lanes")
    await conn.execute("vacuum analyze message_queue")


async def run_million(report: Report, server: Server, count: int, small: int) -> None:
    """The rate with few ready, with a million ready, and with few again once the million are done."""
    async with timed_desk(server) as (pool, clock):
        await warm_up(server, pool, small)
        before, few = await drain_small(server, pool, "before", small), clock.take()
        async with pool.acquire() as conn:
            await fill_fast(conn, count)
        handler = Together(pool)
        clock.take()
        began = time.perf_counter()
        async with working(make_worker(pool, handler)):
            await wait_until(lambda: handler.done >= count // 5)
            rate, claims = handler.done / (time.perf_counter() - began), clock.take()
            await wait_until(lambda: handler.done >= count)
        after = await drain_small(server, pool, "after", small)
        async with pool.acquire() as conn:
            report.broken_laws += await find_broken_laws(conn, count + small * 7)
    case = f"{count:,} ready"
    report.compare(case, f"against {small:,} ready", rate, before, "1/s", at_least=0.75, stretch=0.85)
    report.add(case, "claim, p99", percentile(claims, 0.99), "ms", at_most=5)
    report.compare(case, f"the same, against {small:,} ready", percentile(claims, 0.99), percentile(few, 0.99), "ms")
    report.compare(f"{count:,} processed", "against none", after, before, "1/s", at_least=0.95)


async def warm_up(server: Server, pool: Pool, count: int) -> None:
    await fill(pool, count, name="warm")
    await drain(server, pool, Together(pool), count)


async def drain_small(server: Server, pool: Pool, name: str, count: int) -> float:
    """The median rate of three times so many."""
    rates = []
    for part in range(3):
        await fill(pool, count, name=f"{name}-{part}-")
        rates.append((await drain(server, pool, Together(pool), count))[0])
    return sorted(rates)[1]


async def refill(pool: Pool, handler: Together, lanes: int) -> None:
    """Keep every lane supplied: one more message for as many lanes as were served, in turn, without end."""
    added = 0
    async with pool.acquire() as conn:
        while True:
            wanted = range(added, min(handler.done, added + 200))  # more at once would hold up the claims
            if len(wanted) < 100:
                await asyncio.sleep(0.01)
                continue
            await queue.add_many(conn, [make_work(f"m{number % lanes}", number) for number in wanted])
            added += len(wanted)


async def run_snapshot(report: Report, server: Server, *, lanes: int, window: float) -> None:
    """A transaction with a snapshot stays open for six windows at full speed; two windows later all must be well."""
    async with timed_desk(server) as (pool, clock), timed_desk_holder(pool) as (holder, release):
        async with pool.acquire() as conn:
            await fill_fast(conn, lanes)
        handler = Together(pool)
        async with working(make_worker(pool, handler)):
            producer = asyncio.create_task(refill(pool, handler, lanes))
            clock.take()
            await asyncio.sleep(window)
            await holder()
            calm = clock.take()
            held = [await count_window(handler, window) for _ in range(6)]
            claims = clock.take()
            await release()
            freed = [await count_window(handler, window) for _ in range(3)]
            producer.cancel()
            await asyncio.wait([producer])
    case = f"snapshot held, {lanes:,} lanes"
    report.compare(case, "last window against the first", held[-1], held[0], "1/s", at_least=0.5, stretch=0.65)
    report.add(case, "claim, p99", percentile(claims, 0.99), "ms", at_most=10)
    report.compare(case, "the same, against the window before", percentile(claims, 0.99), percentile(calm, 0.99), "ms")
    report.compare(case, "two windows after its end", freed[2], held[0], "1/s", at_least=0.8)


@asynccontextmanager
async def timed_desk_holder(pool: Pool) -> AsyncIterator[tuple[Any, Any]]:
    """Two switches: one takes a snapshot and keeps it, the other lets it go."""
    async with pool.acquire() as conn:
        transaction = conn.transaction(isolation="repeatable_read")

        async def hold() -> None:
            await transaction.start()
            await conn.fetchval("select count(*) from workers")

        yield hold, transaction.rollback


async def count_window(handler: Together, seconds: float) -> float:
    """Messages per second over the next so many seconds."""
    before, began = handler.done, time.perf_counter()
    await asyncio.sleep(seconds)
    return (handler.done - before) / (time.perf_counter() - began)


async def run_flood(report: Report, server: Server, *, quick: bool) -> None:
    """5,000 customers with a message each: alone, then behind 20,000 messages of one."""
    others, flood = 5_000, 4_000 if quick else 20_000
    async with timed_desk(server) as (pool, _):
        await warm_up(server, pool, others)
        calm, flooded = [], []
        for part in range(1 if quick else 3):
            calm.append(await time_others(pool, others, f"calm{part}-"))
            await fill(pool, 1, each=flood, name=f"flood{part}-")
            flooded.append(await time_others(pool, others, f"wet{part}-"))
        case = f"flood of {flood:,} by one"
        report.compare(
            case,
            "until 5,000 others are done",
            sorted(flooded)[len(flooded) // 2],
            sorted(calm)[len(calm) // 2],
            "s",
            at_most=1.5,
            stretch=1.2,
        )


async def time_others(pool: Pool, others: int, name: str) -> float:
    """Seconds until the messages of so many other customers are answered; then the rest is worked off."""
    await fill(pool, others, name=name)
    left = set(range(others))

    class Tracking(Together):
        async def run(self, lane: Any) -> None:
            await super().run(lane)
            if lane.lane.startswith(f"whatsapp:{name}"):
                left.discard(int(lane.lane.removeprefix(f"whatsapp:{name}")))

    handler = Tracking(pool)
    began = time.perf_counter()
    async with working(make_worker(pool, handler)):
        await wait_until(lambda: not left, step=0.001)
        seconds = time.perf_counter() - began
        while await pool.fetchval("select count(*) from message_queue"):
            await asyncio.sleep(0.01)
    return seconds
