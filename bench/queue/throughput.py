"""Goals 1 to 5: messages that need nothing, through the whole path, beside the raw loop and the peers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median

from bench.queue import peers
from bench.queue.desk import Alone, Together, drain, fill, find_broken_laws
from bench.queue.ground import Server
from bench.queue.peers import Rate, find_peer
from bench.report import Report
from db.pool import Pool, open_pool

POOL_SIZE = 6  # as a worker process has it
CASE = "no-op handlers"


@dataclass(slots=True)
class Contest:
    """All that takes part, each measured in turn, pass after pass, so that all share the machine's moods."""

    server: Server
    pool: Pool
    plain_pool: Pool
    """Sees the queue without order."""
    count: int
    expected: int = 0
    """Messages that our own queue must have answered by now."""
    passes: int = 0

    async def run_desk(self, *, each: int = 1) -> Rate:
        """Our worker; `each` messages wait in every lane."""
        await fill(self.pool, self.count // each, each=each, name=f"{self.passes}-{each}-")
        self.expected += self.count
        return await drain(self.server, self.pool, Together(self.pool), self.count)

    async def run_alone(self) -> Rate:
        """Our worker, one transaction per lane."""
        count = self.count // 4
        await fill(self.pool, count, name=f"{self.passes}-alone-")
        self.expected += count
        return await drain(self.server, self.pool, Alone(self.pool), count)

    async def run_plain(self) -> Rate:
        """Our worker over a table without lanes."""
        async with self.plain_pool.acquire() as conn:
            await conn.execute(
                """
                insert into plain.message_queue (lane, kind, dedupe_key, payload)
                select q.lane, q.kind, 'plain:' || q.dedupe_key, q.payload from public.message_queue q
                """
            )
            await conn.execute("truncate public.message_queue, public.lanes")
            await conn.execute("vacuum analyze plain.message_queue")
        handler = Together(self.plain_pool)
        rate = await drain(self.server, self.plain_pool, handler, self.count)
        await self.pool.execute(
            "delete from bench_outbox where id > (select max(id) - $1 from bench_outbox)", self.count
        )
        return rate

    async def fill_and_run_plain(self) -> Rate:
        await fill(self.pool, self.count, name=f"{self.passes}-plain-")
        return await self.run_plain()

    async def run_peer(self, run: Callable[..., Awaitable[Rate]], count: int, **options: int) -> Rate:
        async with self.server.database() as url:
            return await run(self.server, url, count, **options)

    def list_racers(self, slow: int) -> dict[str, Callable[[], Awaitable[Rate]]]:
        """By name; peers only where they are installed. slow: messages for those that take a millisecond each."""
        racers: dict[str, Callable[[], Awaitable[Rate]]] = {
            "raw": lambda: peers.run_raw(self.server, self.pool, self.count),
            "desk": self.run_desk,
            "four": lambda: self.run_desk(each=4),
            "alone": self.run_alone,
            "plain": self.fill_and_run_plain,
        }
        if find_peer("procrastinate"):
            racers["procrastinate"] = lambda: self.run_peer(peers.run_procrastinate, slow)
        if find_peer("pgqueuer"):
            racers["pgqueuer 10"] = lambda: self.run_peer(peers.run_pgqueuer, self.count // 2, batch=10)
            racers["pgqueuer 100"] = lambda: self.run_peer(peers.run_pgqueuer, self.count, batch=100)
        return racers


async def run(report: Report, server: Server, *, quick: bool) -> None:
    """Interleaved passes; medians count."""
    async with (
        server.desk() as url,
        open_pool(url, size=POOL_SIZE) as pool,
        open_pool(f"{url}?search_path=plain,public", size=POOL_SIZE) as plain_pool,
    ):
        contest = Contest(server, pool, plain_pool, count=5_000 if quick else 20_000)
        racers = contest.list_racers(slow=500 if quick else 2_000)
        rates: dict[str, list[Rate]] = {name: [] for name in racers}
        for contest.passes in range(1 if quick else 3):
            for name, race in racers.items():
                rates[name].append(await race())
        async with pool.acquire() as conn:
            report.broken_laws += await find_broken_laws(conn, contest.expected)
    tell(report, {name: median(rate for rate, _ in got) for name, got in rates.items()})
    tell_cost(report, {name: median(cost for _, cost in got) for name, got in rates.items()})


def tell(report: Report, rates: dict[str, float]) -> None:
    desk = rates["desk"]
    report.compare(CASE, "against the raw loop, batch 50", desk, rates["raw"], "1/s", at_least=0.35, stretch=0.6)
    if "procrastinate" in rates:
        slow = rates["procrastinate"]
        report.compare(CASE, "against procrastinate", desk, slow, "1/s", at_least=15, stretch=25)
        report.compare(
            "one transaction per lane", "against procrastinate", rates["alone"], slow, "1/s", at_least=2, stretch=3
        )
    if "pgqueuer 10" in rates:
        report.compare(CASE, "against pgqueuer, its default batch", desk, rates["pgqueuer 10"], "1/s", at_least=2.5)
        report.compare(CASE, "against pgqueuer, batch 100", desk, rates["pgqueuer 100"], "1/s", at_least=1, stretch=1.6)
    report.compare("four messages a turn", "against one", rates["four"], desk, "1/s", at_least=1.5, stretch=2)
    report.compare("cost of order", "with against without", desk, rates["plain"], "1/s", at_least=0.7, stretch=0.85)


def tell_cost(report: Report, costs: dict[str, float]) -> None:
    """Processor time of client and server."""
    report.add(CASE, "processor, client and server", costs["desk"], "us", at_most=60, stretch=40)
    # the same goals on whatever machine: the raw loop took 16 us where they were set
    report.compare(CASE, "the same, against the raw loop", costs["desk"], costs["raw"], "us", at_most=3.75, stretch=2.5)
    for name in ("raw", "four", "alone", "plain", "procrastinate", "pgqueuer 10", "pgqueuer 100"):
        if name in costs:
            report.add(name, "processor, client and server", costs[name], "us")
