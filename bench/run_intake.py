"""A signed WhatsApp webhook -> committed row -> 2xx, against the same route without a database and with peers' queues.

All are served by the same code and configuration, each in a process of its own; the customers are another process.
"""

import asyncio
import json
import os
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bench.ground import SECRET, find_free_port, fresh_database, percentile, wait_for_health
from bench.intake import client
from bench.intake.variants import COUNTED, EMPTIED, INSTALL, VARIANTS, install_peers
from bench.report import Report
from db.pool import Connection, open_connection

CONNECTIONS = 64
GOALS = {"no database": 0.6, "procrastinate": 2.0, "pgqueuer": 1.3}
GOAL_P99_MS = 25


@dataclass(frozen=True, slots=True)
class Pass:
    """What one variant did with one load."""

    rate: float
    """Acknowledged per second."""
    seconds: list[float]


@asynccontextmanager
async def serving(variant: str, url: str) -> AsyncIterator[int]:
    """The web process with this variant; its port."""
    port = find_free_port()
    environment = os.environ | client.ENVIRON
    environment |= {"DATABASE_URL": url, "PORT": str(port), "APP_SECRET": SECRET, "LOG_LEVEL": "ERROR"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.intake.server", variant, env=environment
    )
    try:
        await wait_for_health(port)
        yield port
    finally:
        process.terminate()
        await process.wait()


class Bench:
    """All variants, served side by side, loaded one at a time."""

    def __init__(self, report: Report, conn: Connection, ports: dict[str, int]) -> None:
        self.report = report
        self.conn = conn
        self.ports = ports
        self.first = report.seed * 100_000_000

    async def load(self, variant: str, count: int, *, rate: float = 0, connections: int = CONNECTIONS) -> Pass:
        """One pass; afterwards what was acknowledged must be what is stored."""
        words = [self.ports[variant], count, connections, rate, self.first]
        self.first += count
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.intake.client", *map(str, words), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError("the load failed")
        told = json.loads(out)
        acknowledged = told["statuses"].get("204", 0)
        await self.check(variant, acknowledged, count)
        return Pass(acknowledged / told["elapsed"], told["seconds"])

    async def check(self, variant: str, acknowledged: int, count: int) -> None:
        if variant in COUNTED:
            stored = await self.conn.fetchval(COUNTED[variant])
            if stored != acknowledged:
                self.report.broken_laws.append(f"{variant}: {acknowledged} acknowledged, {stored} stored")
            await self.conn.execute(EMPTIED[variant])
        if acknowledged != count:
            self.report.notes.append(f"{variant}: {count - acknowledged} of {count} were not acknowledged")


async def run(report: Report, *, quick: bool) -> None:
    """Five interleaved passes of all (three in a quick run); medians count."""
    count, passes = (1_000, 3) if quick else (3_000, 5)
    async with fresh_database() as url, AsyncExitStack() as stack:
        report.versions |= await install_peers(url)
        variants = [name for name in VARIANTS if name not in INSTALL or name in report.versions]
        report.notes += [
            f"{name} is not installed: pip install -r requirements-bench.txt"
            for name in VARIANTS
            if name not in variants
        ]
        ports = {variant: await stack.enter_async_context(serving(variant, url)) for variant in variants}
        conn = await open_connection(url)
        bench = Bench(report, conn, ports)
        for variant in variants:
            await bench.load(variant, count // 3)
        rates: dict[str, list[float]] = {variant: [] for variant in variants}
        for _ in range(passes):
            for variant in variants:
                rates[variant].append((await bench.load(variant, count)).rate)
        ours = statistics.median(rates.pop("deskhand"))
        for variant, measured in rates.items():
            report.compare(
                f"{CONNECTIONS} at once, against {variant}", "acknowledged per second",
                ours, statistics.median(measured), "1/s", at_least=GOALS.get(variant),
            )  # fmt: skip
        await measure_latency(bench, ours, count, passes)
        await conn.close()


async def measure_latency(bench: Bench, most: float, count: int, passes: int) -> None:
    """At half of the most it can take, from the moment each message was due; and one customer alone."""
    p50, p99 = [], []
    for _ in range(passes):
        seconds = (await bench.load("deskhand", count // 2, rate=most / 2)).seconds
        p50.append(percentile(seconds, 0.5) * 1000)
        p99.append(percentile(seconds, 0.99) * 1000)
    case = f"at half of that, {most / 2:,.0f}/s"
    bench.report.add(case, "p50", statistics.median(p50), "ms")
    bench.report.add(case, "p99", statistics.median(p99), "ms", at_most=GOAL_P99_MS)
    alone = (await bench.load("deskhand", count // 10, connections=1)).seconds
    bench.report.add("one at a time", "p50", percentile(alone, 0.5) * 1000, "ms")
    bench.report.add("one at a time", "p99", percentile(alone, 0.99) * 1000, "ms")
