"""Many turns at once in one worker process, each of which waits three times for its model."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.ground import SECRET, find_free_port, fresh_database, percentile, running, submit_forms
from bench.report import Report
from bench.run_footprint import resident_mb
from bench.run_wake import wait_for_worker
from db.pool import Connection, open_connection

IN_FLIGHT = 300
MODEL_SECONDS = 1.0
WARM_UP = 20
GOAL_RATE = 75
GOAL_P99_SECONDS = 4.0
GOAL_KB = 110


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker did with a full queue."""

    rate: float
    """Turns per second, from the start to the last commit."""
    seconds: list[float]
    """Of each turn, from its claim to its commit, by the database's clock."""
    kb_per_turn: float | None
    """The most its resident memory grew by, shared out over the turns in flight; with one that says nothing: None."""
    cpu_ms: float
    """Of the worker's process, per turn."""
    left: int


async def run_in_flight(report: Report, *, quick: bool) -> None:
    """The worker as it is deployed against a model server, and the same worker with a model that only sleeps."""
    count = IN_FLIGHT * (4 if quick else 10)
    async with model_server() as address:
        outcome = await try_deployed(address, IN_FLIGHT, count)
    add_rows(report, f"{IN_FLIGHT} in flight, model over HTTP", outcome, with_goals=True)
    outcome = await try_child(("bench.script_worker", str(MODEL_SECONDS)), IN_FLIGHT, count)
    add_rows(report, f"{IN_FLIGHT} in flight, model in the process", outcome, with_goals=False)


async def try_deployed(address: str, in_flight: int, count: int) -> Outcome:
    """`count` turns by the worker command, so many of them at once, with the model at this address."""
    settings = make_settings(in_flight) | name_model(address)
    async with fresh_database() as url, running("worker", url, **settings) as worker:
        return await fill(url, worker.pid, count, in_flight)


async def try_child(words: Sequence[str], in_flight: int, count: int, **settings: str) -> Outcome:
    """The same by a module of ours that works as that command does."""
    async with fresh_database() as url:
        own = {"DATABASE_URL": url, "APP_SECRET": SECRET, "LOG_LEVEL": "ERROR", **make_settings(in_flight)}
        async with child(*words, **own, **settings) as worker:
            return await fill(url, worker.pid, count, in_flight)


def name_model(address: str) -> dict[str, str]:
    return {"OPENAI_BASE_URL": address, "OPENAI_MODEL": "script", "OPENAI_API_KEY": "none"}


def make_settings(in_flight: int) -> dict[str, str]:
    return {"WORKER_CONCURRENCY": str(in_flight), "EMBEDDINGS": "off"}


def add_rows(report: Report, case: str, outcome: Outcome, *, with_goals: bool) -> None:
    floor, p99, kb = (GOAL_RATE, GOAL_P99_SECONDS, GOAL_KB) if with_goals else (None, None, None)
    report.add(case, "turns per second", outcome.rate, "1/s", at_least=floor)
    report.add(case, "p50, claim to commit", percentile(outcome.seconds, 0.5), "s")
    report.add(case, "p99, claim to commit", percentile(outcome.seconds, 0.99), "s", at_most=p99)
    if outcome.kb_per_turn is not None:
        report.add(case, "memory per turn in flight", outcome.kb_per_turn, "KB", at_most=kb)
    report.add(case, "CPU of the worker", outcome.cpu_ms, "ms per turn")
    if outcome.left:
        report.broken_laws.append(f"{case}: {outcome.left} left on the queue")


async def fill(url: str, pid: int, count: int, in_flight: int) -> Outcome:
    """Stop the worker, put `count` forms before it, let it go, and watch it until the queue is empty."""
    conn = await open_connection(url)
    try:
        await wait_for_worker(conn)
        await submit_forms(conn, min(WARM_UP, in_flight))
        await until_empty(conn, 60)
        os.kill(pid, signal.SIGSTOP)
        await submit_forms(conn, count)
        base, cpu, began = resident_mb(pid), cpu_seconds(pid), await conn.fetchval("select clock_timestamp()")
        os.kill(pid, signal.SIGCONT)
        peak = await until_empty(conn, 120, pid)
        rows = await conn.fetch(
            """
            select (total_ms - waiting_ms) / 1000 as seconds, finished_at from agent_metrics
             where finished_at > $1 and outcome = 'acknowledged'
            """,
            began,
        )
        if not rows:
            raise RuntimeError(f"the worker answered none of {count} messages")
        left = count - len(rows)
        seconds = (max(row["finished_at"] for row in rows) - began).total_seconds()
    finally:
        await conn.close()
    return Outcome(
        rate=len(rows) / seconds,
        seconds=[row["seconds"] for row in rows],
        kb_per_turn=(peak - base) * 1024 / in_flight if in_flight > 1 else None,
        cpu_ms=(cpu_seconds(pid) - cpu) * 1000 / count,
        left=left,
    )


async def until_empty(conn: Connection, seconds: float, pid: int | None = None) -> float:
    """Until nothing waits or the time is up; the most resident memory `pid` was seen with, in MB."""
    peak, until = 0.0, time.monotonic() + seconds
    while time.monotonic() < until and await conn.fetchval("select exists (select from message_queue)"):
        peak = max(peak, resident_mb(pid) if pid else 0)
        await asyncio.sleep(0.1)
    return peak


def cpu_seconds(pid: int) -> float:
    """CPU a process has used so far, in user and system."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def model_server(seconds: float = MODEL_SECONDS) -> AsyncIterator[str]:
    """The address of a model that takes so long per step, in a process of its own."""
    port = find_free_port()
    async with child("bench.model_server", str(port), str(seconds)):
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield f"http://127.0.0.1:{port}/v1"


@asynccontextmanager
async def child(*words: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *words, env=os.environ | {"OMP_NUM_THREADS": "1"} | environment
    )
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()
