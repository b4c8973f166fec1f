"""A turn of three steps with a model that answers at once, against the same SQL in a plain loop."""

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

from agent.assess import Assessor
from agent.classify import EXAMPLES, Classifier
from agent.models.base import ModelReply, ModelRequest, ToolCall, ToolResult
from agent.turn import Limits
from app.wiring import announce
from bench.ground import fresh_pool, percentile, submit_forms
from bench.report import Report
from channels.base import read_payload
from db import history, queue, turns
from db.pool import Pool
from db.queue import ClaimedLane
from db.search import PassageSearch, search_passages
from db.turns import StepRow, TurnEnd
from worker.turn import TurnRunner, start_turn

AT_ONCE = 24
CLAIM = 24
LEASE = timedelta(minutes=5)
GOAL_ROUND_TRIPS = 10
GOAL_SHARE = 0.5


class InstantModel:
    """Searches, looks at the open tickets, and greets: three steps, no waiting."""

    name = "instant"

    async def reply(self, request: ModelRequest) -> ModelReply:
        done = sum(isinstance(item, ToolResult) for item in request.items)
        name, arguments = SCRIPT[done]
        return ModelReply(self.name, (ToolCall(f"c{done}", name, json.dumps(arguments)),))


SCRIPT: list[tuple[str, dict[str, Any]]] = [
    ("search_knowledge_base", {"query": "export a board", "category": None}),
    ("get_customer_history", {"scope": "open_tickets"}),
    (
        "send_response",
        {
            "body": "Thank you for writing.",
            "citations": [],
            "kind": "acknowledgement",
            "resolves": False,
            "language": "en",
        },
    ),
]


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
    """Three interleaved passes of both; the medians count."""
    size, count = 6, 150 if quick else 600
    async with fresh_pool(size) as pool:
        counter = Counter()
        await counter.attach(pool, size)
        runner = make_runner(pool)
        await measure(pool, 60, runner.run)
        plain, real, latencies = [], [], []
        trips = 0.0
        for _ in range(3):
            rate, _ = await measure(pool, count, partial(plain_turn, pool))
            plain.append(rate)
            before = counter.statements
            rate, taken = await measure(pool, count, runner.run)
            trips = (counter.statements - before) / count
            real.append(rate)
            latencies += taken
        report.compare("3-step turn", "turns per second", sorted(real)[1], sorted(plain)[1], "1/s", at_least=GOAL_SHARE)
        # counted: the intake, and all of the worker; the web process adds the notify that wakes it
        report.add("3-step turn", "round trips, intake included", trips + 1, "per turn", at_most=GOAL_ROUND_TRIPS)
        report.add("3-step turn", f"p50 with {AT_ONCE} in flight", percentile(latencies, 0.5) * 1000, "ms")
        report.add("3-step turn", f"p99 with {AT_ONCE} in flight", percentile(latencies, 0.99) * 1000, "ms")
        left = await pool.fetchval("select count(*) from message_queue")
        doubled = await pool.fetchval(
            "select count(*) from (select conversation_id from messages where direction = 'outbound' "
            "group by 1 having count(*) > 1) d"
        )
        if left or doubled:
            report.broken_laws.append(f"{left} left on the queue, {doubled} answered twice")


def make_runner(pool: Pool) -> TurnRunner:
    return TurnRunner(
        pool=pool,
        models=(InstantModel(),),
        embedder=None,
        assessor=Assessor(Classifier.load(EXAMPLES)),
        prices={},
        limits=Limits(),
        company="Tidefern",
        ticket_prefix="TF",
        allowed_links=("localhost",),
        daily_budget_usd=Decimal(5),
        announce=partial(announce, pool),
    )


async def measure(pool: Pool, count: int, work: Any) -> tuple[float, list[float]]:
    """Turns per second over `count` waiting forms, and the seconds of each turn."""
    async with pool.acquire() as conn:
        await submit_forms(conn, count)
    waiting: asyncio.Queue[ClaimedLane] = asyncio.Queue()
    taken: list[float] = []

    async def take() -> None:
        while True:
            if waiting.empty():
                async with pool.acquire() as conn:
                    lanes = await queue.claim_lanes(conn, worker="bench", lanes=CLAIM, messages=20, lease=LEASE)
                for lane in lanes:
                    waiting.put_nowait(lane)
                if waiting.empty():
                    return
            lane = waiting.get_nowait()
            began = time.perf_counter()
            await work(lane)
            taken.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(take() for _ in range(AT_ONCE)))
    return count / (time.perf_counter() - began), taken


async def plain_turn(pool: Pool, lane: ClaimedLane) -> None:
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
        reply={"body": "Thank you for writing.", "kind": "acknowledgement", "citations": [], "delivery": "sent"},
        timings_ms={"waiting": 1, "thinking": 1},
    )
    async with pool.acquire() as conn:
        await turns.commit_turn(conn, end)
    await announce(pool, messages[0].thread_key)


def plain_step(number: int) -> StepRow:
    items = [{"type": "tool_call", "id": uuid4().hex, "name": SCRIPT[number - 1][0], "arguments": "{}"}]
    return StepRow(number, "plain", items, [{"call_id": items[0]["id"], "output": "{}", "refused": False}], [], [], 0.0)
