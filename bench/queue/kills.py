"""Goal 13: a worker process is killed, or told to stop; how soon another one takes its conversations up."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

from app.settings import Settings
from bench.queue.desk import Together, fill, find_broken_laws, make_worker, wait_until, working
from bench.queue.ground import Server
from bench.report import Report
from db.pool import Pool, open_pool

LANES, EACH = 50, 4
LEASE = timedelta(seconds=Settings.model_fields["worker_lease_seconds"].default)
POLL = timedelta(seconds=Settings.model_fields["poll_seconds"].default)


async def run(report: Report, server: Server, *, quick: bool) -> None:
    """50 conversations with 4 messages each, all in the hands of a worker that is slow; another one stands by."""
    if not quick:
        async with server.desk() as url, open_pool(url, size=6) as pool:
            seconds = await take_over(url, pool, kill=True)
            report.add("worker killed", "until its last lane is done by another", seconds, "s", at_most=31, stretch=15)
            async with pool.acquire() as conn:
                report.broken_laws += await find_broken_laws(conn, LANES * EACH)
    async with server.desk() as url, open_pool(url, size=6) as pool:
        seconds = await take_over(url, pool, kill=False)
        report.add("worker told to stop", "the same, its grace of 0.5 s included", seconds, "s", at_most=2)
        async with pool.acquire() as conn:
            report.broken_laws += await find_broken_laws(conn, LANES * EACH)


async def take_over(url: str, pool: Pool, *, kill: bool) -> float:
    """Seconds from the signal to the last answer."""
    await fill(pool, LANES, each=EACH, name=uuid4().hex[:4])
    async with slow_worker(url) as victim:
        while await pool.fetchval("select count(*) from lanes where lease_until is not null") < LANES:
            await asyncio.sleep(0.02)
        handler = Together(pool)
        async with working(make_worker(pool, handler, name="heir", lease=LEASE, poll=POLL)):
            await asyncio.sleep(1)
            began = time.perf_counter()
            victim.kill() if kill else victim.terminate()
            await wait_until(lambda: handler.done >= LANES * EACH, seconds=90)
            return time.perf_counter() - began


@asynccontextmanager
async def slow_worker(url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker process whose handlers take an hour."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.queue.victim", url, str(LEASE.total_seconds())
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
