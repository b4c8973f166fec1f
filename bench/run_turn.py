"""A turn of three steps with a model that answers at once, against the same SQL in a plain loop."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

from agent.assess import Assessor
from agent.turn import Limits
from app.collector import spare_collector
from app.wakeup import Announcer, Waker
from bench.ground import fresh_pool, percentile, submit_forms
from bench.in_flight import run_in_flight
from bench.report import Report
from bench.turn_models import SCRIPT, ScriptModel
from channels.base import read_payload
from db import history, queue, turns
from db.pool import Pool
from db.queue import ClaimedLane
from db.search import PassageSearch, search_passages
from db.turns import Budgets, StepRow, TurnEnd
from tests.shipped import load_classifier
from worker.turn import TurnRunner, start_turn

AT_ONCE = 24
CONNECTIONS = 6
LEASE = timedelta(minutes=5)
GOAL_ROUND_TRIPS = 8
GOAL_SHARE = 0.6


@dataclass
class Counter:
    """Counts the statements that pass over the connections of a pool."""

    statements: int = 0

    def count(self, _: Any) -> None:
        self.statements += 1

    async def attach(self, pool: Pool, size: int) -> None:
        connections = [await pool.acquire() for _ in range(size)]
        for connection in connections:
            connection.add_query_logger(self.count)
            await pool.release(connection)


async def run(report: Report, *, quick: bool) -> None:
    """Three interleaved passes of both; the medians count. Then many turns at once that wait for their model."""
    await run_at_once(report, 150 if quick else 600)
    await run_in_flight(report, quick=quick)


async def run_at_once(report: Report, count: int) -> None:
    async with fresh_pool(CONNECTIONS) as pool:
        counter = Counter()
        await counter.attach(pool, CONNECTIONS)
        bench = Bench(pool, Waker(pool), Announcer(pool))
        spare_collector()  # as every worker does
        runner = make_runner(pool, bench.announcer)
        await bench.measure(60, AT_ONCE, runner.run)
        plain, real, latencies = [], [], []
        for _ in range(3):
            rate, _ = await bench.measure(count, AT_ONCE, partial(plain_turn, pool, bench.announcer))
            plain.append(rate)
            before = counter.statements
            rate, taken = await bench.measure(count, AT_ONCE, runner.run)
            trips = (counter.statements - before) / count
            real.append(rate)
            latencies += taken
        before = counter.statements
        _, alone = await bench.measure(count // 5, 1, runner.run)
        trips_alone = (counter.statements - before) / (count // 5)
        await check_laws(pool, report)
    case = f"3 steps, {AT_ONCE} in flight"
    report.compare(case, "turns per second", sorted(real)[1], sorted(plain)[1], "1/s", at_least=GOAL_SHARE)
    # every statement of web and worker: the intake, the claim, the turn, and the hints that wake workers and pages
    report.add(case, "round trips, intake and hints included", trips, "per turn", at_most=GOAL_ROUND_TRIPS)
    report.add(case, "p50", percentile(latencies, 0.5) * 1000, "ms")
    report.add(case, "p99", percentile(latencies, 0.99) * 1000, "ms")
    # of these the customer waits for six: hints and claims are shared out only where there is more than one turn
    report.add("3 steps, one at a time", "round trips, intake and hints included", trips_alone, "per turn")
    report.add("3 steps, one at a time", "p50", percentile(alone, 0.5) * 1000, "ms")


async def check_laws(pool: Pool, report: Report) -> None:
    left = await pool.fetchval("select count(*) from message_queue")
    doubled = await pool.fetchval(
        "select count(*) from (select conversation_id from messages where direction = 'outbound' "
        "group by 1 having count(*) > 1) d"
    )
    if left or doubled:
        report.broken_laws.append(f"{left} left on the queue, {doubled} answered twice")


def make_runner(pool: Pool, announcer: Announcer) -> TurnRunner:
    return TurnRunner(
        pool=pool,
        models=(ScriptModel(),),
        embedder=None,
        assessor=Assessor(load_classifier()),
        prices={},
        limits=Limits(),
        company="Tidefern",
        ticket_prefix="TF",
        allowed_links=("localhost",),
        budgets=Budgets(day=Decimal(5), conversation=Decimal(1), customer=Decimal(1)),
        announce=announcer.announce,
    )


@dataclass(frozen=True, slots=True)
class Bench:
    """The pool that all of it goes over, and the hints of web and worker."""

    pool: Pool
    waker: Waker
    announcer: Announcer

    async def measure(
        self, count: int, at_once: int, work: Callable[[ClaimedLane], Awaitable[None]]
    ) -> tuple[float, list[float]]:
        """Turns per second over `count` waiting forms, and the seconds of each turn."""
        await self.submit(count, at_once)
        waiting: deque[ClaimedLane] = deque()
        taken: list[float] = []

        async def take() -> None:
            while waiting or await self.claim(waiting, at_once):
                lane = waiting.popleft()
                began = time.perf_counter()
                await work(lane)
                taken.append(time.perf_counter() - began)

        began = time.perf_counter()
        await asyncio.gather(*(take() for _ in range(at_once)))
        await self.announcer.flush()
        return count / (time.perf_counter() - began), taken

    async def claim(self, waiting: deque[ClaimedLane], most: int) -> bool:
        async with self.pool.acquire() as conn:
            waiting.extend(await queue.claim_lanes(conn, worker="bench", lanes=most, messages=20, lease=LEASE))
        return bool(waiting)

    async def submit(self, count: int, at_once: int) -> None:
        """The forms, each committed and then hinted at, by so many web requests at once."""
        left = iter(range(count))

        async def ask() -> None:
            for number in left:  # each its own words: no turn finds another one's work done
                async with self.pool.acquire() as conn:
                    await submit_forms(conn, 1, f"How do I export board {number} to a spreadsheet?")
                self.waker.poke()

        await asyncio.gather(*(ask() for _ in range(at_once)))
        await self.waker.flush()


async def plain_turn(pool: Pool, announcer: Announcer, lane: ClaimedLane) -> None:
    """The statements of a turn with nothing between them."""
    messages = [read_payload(job.payload) for job in lane.jobs]
    async with pool.acquire() as conn:
        turn = await turns.open_turn(conn, start_turn(lane, messages))
    if turn is None:
        raise RuntimeError("the lease was lost")
    async with pool.acquire() as conn:
        await search_passages(
            conn, PassageSearch(texts=["export a board"], weights=[1.0], plan="pro", language="en", limit=5)
        )
    async with pool.acquire() as conn:
        await turns.record_step(conn, turn.turn_id, lane.token, plain_step(1))
    async with pool.acquire() as conn:
        await history.list_open_tickets(conn, conversation_id=turn.conversation_id, trust=0)
    async with pool.acquire() as conn:
        await turns.record_step(conn, turn.turn_id, lane.token, plain_step(2))
    end = TurnEnd(
        lane=lane.lane,
        token=lane.token,
        turn_id=turn.turn_id,
        covers=lane.job_ids,
        inbound=[{"external_id": m.external_id, "body": m.body, "sent_at": datetime.now(UTC)} for m in messages],
        outcome="acknowledged",
        last_step=plain_step(3),
        effects=[{"kind": "assess", "category": "general", "priority": 4, "priority_why": ""}],
        reply={"bodies": ["Thank you for writing."], "kind": "acknowledgement", "citations": [], "delivery": "sent"},
        timings_ms={"waiting": 1, "thinking": 1},
    )
    async with pool.acquire() as conn:
        await turns.commit_turn(conn, end)
    await announcer.announce(messages[0].thread_key)


def plain_step(number: int) -> StepRow:
    items = [{"type": "tool_call", "id": uuid4().hex, "name": SCRIPT[number - 1][0], "arguments": "{}"}]
    return StepRow(number, "plain", items, [{"call_id": items[0]["id"], "output": "{}", "refused": False}], [], [], 0.0)
