"""Goals 7 and 8: how soon an idle worker takes a message up, with its notification and without."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from app.settings import Settings
from app.wakeup import open_waker
from bench.ground import percentile
from bench.queue.desk import Together, make_worker, wait_until, working
from bench.queue.ground import Server, make_payload, make_work
from bench.report import Report
from db import queue
from db.listen import listen
from db.pool import Pool, open_pool
from db.queue import WORK_CHANNEL, ClaimedLane
from worker.loop import Worker

CASE = "idle worker"
POLL = timedelta(seconds=Settings.model_fields["poll_seconds"].default)


@dataclass
class Watching(Together):
    """Notes when each lane's handler started."""

    started: dict[str, float] = field(default_factory=dict)

    async def run(self, lane: ClaimedLane) -> None:
        self.started[lane.lane] = time.perf_counter()
        await super().run(lane)


async def run(report: Report, server: Server, *, quick: bool) -> None:
    """From the call that enqueues, its commit included, to the handler's first line."""
    async with server.desk() as url, open_pool(url, size=6) as pool:
        count = 100 if quick else 500
        waits, raw = await measure_notified(url, pool, count), await measure_raw(url, pool, count)
        report.add(CASE, "enqueue to handler, p50", percentile(waits, 0.5), "ms", at_most=2.5, stretch=1.8)
        report.add(CASE, "enqueue to handler, p99", percentile(waits, 0.99), "ms", at_most=6, stretch=4.5)
        case, metric = "enqueue to handler", "against INSERT, NOTIFY, DELETE,"
        report.compare(case, f"{metric} p50", percentile(waits, 0.5), percentile(raw, 0.5), "ms")
        report.compare(case, f"{metric} p99", percentile(waits, 0.99), percentile(raw, 0.99), "ms")
        silent = await measure_silent(pool, 3 if quick else 12)
        report.add(CASE, "listener dead, longest wait", max(silent) / 1000, "s", at_most=1.2, stretch=0.6)


@asynccontextmanager
async def listening(url: str, worker: Worker) -> AsyncIterator[None]:
    """The worker hears the notifications on a connection of its own."""
    heard = asyncio.Event()

    def hear(_: str) -> None:
        heard.set()
        worker.wake.set()

    listener = asyncio.create_task(listen(url, WORK_CHANNEL, hear))
    try:
        await heard.wait()
        yield
    finally:
        listener.cancel()
        await asyncio.wait([listener])


async def measure_notified(url: str, pool: Pool, count: int) -> list[float]:
    """Milliseconds; a message every 4 to 20 ms, the first 20 are not counted."""
    handler = Watching(pool)
    worker = make_worker(pool, handler, poll=POLL)
    added: dict[str, float] = {}
    async with working(worker), listening(url, worker), open_waker(pool) as waker, pool.acquire() as conn:
        for number in range(count + 20):
            work = make_work(f"w{number}", 0)
            added[work.lane] = time.perf_counter()
            await queue.add_work(conn, work.lane, work.kind, work.payload, dedupe_key=work.dedupe_key)
            waker.poke()
            await asyncio.sleep(random.uniform(0.004, 0.02))
        await wait_until(lambda: handler.done == count + 20)
    return [(handler.started[lane] - at) * 1000 for lane, at in list(added.items())[20:]]


async def measure_raw(url: str, pool: Pool, count: int) -> list[float]:
    """Milliseconds of the same with the barest statements, one after the other: what any such wake-up costs here."""
    heard = asyncio.Event()
    listener = asyncio.create_task(listen(url, "bench_raw", lambda _: heard.set()))
    await heard.wait()
    waits = []
    async with pool.acquire() as writer, pool.acquire() as reader:
        for number in range(count + 20):
            await asyncio.sleep(random.uniform(0.004, 0.02))
            heard.clear()
            began = time.perf_counter()
            await writer.execute("insert into raw_message (payload) values ($1)", make_payload(f"{number}"))
            await writer.execute("notify bench_raw")
            await heard.wait()
            await reader.fetch("delete from raw_message returning payload")
            waits.append((time.perf_counter() - began) * 1000)
    listener.cancel()
    await asyncio.wait([listener])
    return waits[20:]


async def measure_silent(pool: Pool, count: int) -> list[float]:
    """Milliseconds; nobody listens, so only the poll finds them."""
    handler = Watching(pool)
    waits = []
    async with working(make_worker(pool, handler, poll=POLL)), pool.acquire() as conn:
        for number in range(count):
            await asyncio.sleep(random.uniform(0.1, 0.9))
            work = make_work(f"s{number}", 0)
            began = time.perf_counter()
            await queue.add_work(conn, work.lane, work.kind, work.payload, dedupe_key=work.dedupe_key)
            await wait_until(lambda: handler.done == number + 1)  # noqa: B023 (waited for right here)
            waits.append((handler.started[work.lane] - began) * 1000)
    return waits
