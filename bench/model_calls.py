"""python -m bench.model_calls NAME IN_FLIGHT ROUNDS CALLS PROMPT SLOW: calls of one kind, in a process of their own.

PROMPT and SLOW are the addresses of a model that answers at once and of one that thinks. Prints one JSON object.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import uvloop

from app.collector import spare_collector
from bench.ground import percentile
from bench.model_clients import Call, open_calls
from bench.run_footprint import resident_mb

WINDOWS = 3
WARM_UP = 20
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class CallFigures:
    """What a call costs and how long it takes."""

    cpu_ms: float
    """Of this process, per call, when each is answered at once and the next one follows; median of the windows."""
    p50: float
    """Seconds of a call to the model that thinks."""
    p99: float
    kb: float
    """The most the resident memory grew by while those were in flight, shared out over them; connections included."""


async def measure(name: str, in_flight: int, rounds: int, count: int, prompt: str, slow: str) -> CallFigures:
    """`rounds` calls of each caller to the one that thinks, then windows of `count` calls to the prompt one."""
    async with open_calls(name, prompt, 1) as [warm]:  # so that imports and certificates are no part of what follows
        await repeat(warm, WARM_UP)
    async with open_calls(name, slow, in_flight) as calls:
        spare_collector()  # as every worker does
        base = resident_mb(os.getpid())
        working = asyncio.create_task(gather_seconds(calls, rounds))
        peak = await find_peak(working)
        seconds = await working
    async with open_calls(name, prompt, in_flight) as calls:
        await gather_seconds(calls, 2)
        windows = [await measure_cpu(calls, -(-count // in_flight)) for _ in range(WINDOWS)]
    kb = (peak - base) * 1024 / in_flight
    return CallFigures(sorted(windows)[WINDOWS // 2], percentile(seconds, 0.5), percentile(seconds, 0.99), kb)


async def find_peak(working: asyncio.Future[list[float]]) -> float:
    """The most resident memory of this process until the calls are done, in MB."""
    peak = 0.0
    while not working.done():
        peak = max(peak, resident_mb(os.getpid()))
        await asyncio.wait([working], timeout=LOOK_SECONDS)
    return peak


async def measure_cpu(calls: Sequence[Call], rounds: int) -> float:
    """Processor milliseconds per call."""
    began = time.process_time()
    await gather_seconds(calls, rounds)
    return (time.process_time() - began) * 1000 / (rounds * len(calls))


async def gather_seconds(calls: Sequence[Call], rounds: int) -> list[float]:
    """How long each call took, all callers at once."""
    return [one for some in await asyncio.gather(*(repeat(call, rounds) for call in calls)) for one in some]


async def repeat(call: Call, rounds: int) -> list[float]:
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - began)
    return taken


if __name__ == "__main__":
    name, in_flight, rounds, count, prompt, slow = sys.argv[1:]
    figures = uvloop.run(measure(name, int(in_flight), int(rounds), int(count), prompt, slow))
    print(json.dumps(asdict(figures)))
