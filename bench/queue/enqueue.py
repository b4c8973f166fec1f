"""Goal 6: messages put on the queue one by one, each with its commit, over 1, 4 and 16 connections."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from bench.queue import peers
from bench.queue.ground import Server, make_payload, make_work
from bench.queue.peers import find_peer
from bench.report import Report
from db import queue
from db.pool import Connection, Pool, open_pool

WIDTHS = (1, 4, 16)
BATCH = 50
CASE = "enqueue, a commit each"
Add = Callable[[Connection, int], Awaitable[Any]]


async def add_raw(conn: Connection, number: int) -> None:
    await conn.execute("insert into raw_message (payload) values ($1)", make_payload(f"{number}"))


async def add_one(conn: Connection, number: int) -> None:
    """A message of a lane of its own, as a webhook adds it."""
    work = make_work(f"e{number}", 0)
    await queue.add_work(conn, work.lane, work.kind, work.payload, dedupe_key=work.dedupe_key)


async def add_batch(conn: Connection, number: int) -> None:
    await queue.add_many(conn, [make_work(f"b{number}-{place}", 0) for place in range(BATCH)])


async def measure(pool: Pool, add: Add, width: int, numbers: range) -> float:
    """So many calls over so many connections, per second."""
    waiting = iter(numbers)

    async def write(conn: Connection) -> None:
        for number in waiting:
            await add(conn, number)

    connections = [await pool.acquire() for _ in range(width)]
    try:
        await asyncio.gather(*(conn.fetchval("select 1") for conn in connections))
        began = time.perf_counter()
        await asyncio.gather(*(write(conn) for conn in connections))
        return len(numbers) / (time.perf_counter() - began)
    finally:
        for conn in connections:
            await pool.release(conn)


async def run(report: Report, server: Server, *, quick: bool) -> None:
    """Raw INSERT and ours in turn, pass after pass; medians count."""
    count = 1_000 if quick else 4_000
    raw: dict[int, list[float]] = {width: [] for width in WIDTHS}
    ours: dict[int, list[float]] = {width: [] for width in WIDTHS}
    async with server.desk() as url, open_pool(url, size=max(WIDTHS)) as pool:
        await measure(pool, add_one, max(WIDTHS), range(-500, 0))
        place = 0
        for _ in range(1 if quick else 5):
            for width in WIDTHS:
                raw[width].append(await measure(pool, add_raw, width, range(count)))
                ours[width].append(await measure(pool, add_one, width, range(place, place + count)))
                place += count
        batched = await measure(pool, add_batch, 4, range(count // BATCH)) * BATCH
    for width, goal, stretch in ((1, 0.7, 0.75), (4, 0.65, 0.75)):
        report.compare(
            CASE,
            f"against a raw INSERT, {width} at a time",
            median(ours[width]),
            median(raw[width]),
            "1/s",
            at_least=goal,
            stretch=stretch,
        )
    report.compare(CASE, "16 at a time against a raw INSERT", median(ours[16]), median(raw[16]), "1/s")
    report.compare(CASE, "16 at a time against 4: never falling", median(ours[16]), median(ours[4]), "1/s", at_least=1)
    report.compare(CASE, f"{BATCH} in one commit, against one", batched, median(ours[4]), "1/s")
    await compare_peers(report, server, median(ours[1]), 500 if quick else 2_000)


async def compare_peers(report: Report, server: Server, ours: float, count: int) -> None:
    """One connection each."""
    if find_peer("procrastinate"):
        async with server.database() as url:
            theirs = await peers.defer_procrastinate(url, count)
        report.compare(CASE, "against procrastinate, 1 at a time", ours, theirs, "1/s", at_least=3)
    if find_peer("pgqueuer"):
        async with server.database() as url:
            theirs = await peers.enqueue_pgqueuer(url, count)
        report.compare(CASE, "against pgqueuer, 1 at a time", ours, theirs, "1/s")
