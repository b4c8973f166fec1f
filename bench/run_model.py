"""A model behind the network: what a call costs with many at once, what turns come to, and how often they ask it."""

import asyncio
import json
import sys

from bench.in_flight import MODEL_SECONDS, add_rows, model_server, name_model, try_child, try_deployed
from bench.model_calls import CallFigures
from bench.model_clients import AIOHTTP, CLIENTS, OURS, PLAIN, RAW
from bench.model_early_search import measure_early_search
from bench.queue.peers import find_peer
from bench.report import Report

MANY = 300
GOAL_GROWTH = 2.0
CALLS = 600  # in each window of processor time
TURNS = {1: 4, 100: 300, MANY: 1200}
"""How many are done with so many in flight."""


async def run(report: Report, *, quick: bool) -> None:
    """Calls, whole turns, and turns with and without the early search."""
    names = list_clients(report)
    async with model_server() as slow:
        async with model_server(0) as prompt:
            await measure_calls(report, names, prompt, slow, quick=quick)
        await measure_turns(report, names, slow, quick=quick)
    await measure_early_search(report, quick=quick)


def list_clients(report: Report) -> list[str]:
    """Those that can be tried here, and the versions of what they are made of."""
    found = {package: find_peer(package) for package in ("openai", "httpx2", "aiohttp")}
    report.versions |= {package: version for package, version in found.items() if version is not None}
    if found["aiohttp"] is None:
        report.notes.append("the aiohttp transport was left out: aiohttp is not installed")
    return [name for name in CLIENTS if name != AIOHTTP or found["aiohttp"] is not None]


async def measure_calls(report: Report, names: list[str], prompt: str, slow: str, *, quick: bool) -> None:
    """Each way in a process of its own, next to the bare socket of the same moment."""
    alone: dict[str, CallFigures] = {}
    names = [name for name in names if name != PLAIN or not quick]
    for in_flight in (1, MANY) if quick else TURNS:
        raw = await try_calls(RAW, in_flight, prompt, slow, quick=quick)
        add_call_rows(report, in_flight, RAW, raw)
        for name in names:
            found = await try_calls(name, in_flight, prompt, slow, quick=quick)
            add_call_rows(report, in_flight, name, found, raw)
            first = alone.setdefault(name, found)
            if in_flight == MANY:
                growth = GOAL_GROWTH if name == OURS else None
                case = f"calls, {MANY} in flight, {name}"
                report.compare(case, "CPU per call, against 1", found.cpu_ms, first.cpu_ms, "ms", at_most=growth)


def add_call_rows(
    report: Report, in_flight: int, name: str, found: CallFigures, raw: CallFigures | None = None
) -> None:
    """Processor time beside the bare socket's, where this is not the bare socket."""
    case = f"calls, {in_flight} in flight, {name}"
    if raw is None:
        report.add(case, "CPU per call", found.cpu_ms, "ms")
    else:
        report.compare(case, "CPU per call, against a bare socket", found.cpu_ms, raw.cpu_ms, "ms")
    report.add(case, f"p50, the model {MODEL_SECONDS:g} s of it", found.p50, "s")
    report.add(case, f"p99, the model {MODEL_SECONDS:g} s of it", found.p99, "s")
    if in_flight > 1:  # with one it is no more than the noise of the process
        report.add(case, "memory per call in flight", found.kb, "KB")


async def try_calls(name: str, in_flight: int, prompt: str, slow: str, *, quick: bool) -> CallFigures:
    """By a process of their own, so that no memory is left over from the case before. RuntimeError where it fails."""
    rounds, count = (1, CALLS // 3) if quick else (3 if in_flight == 1 else 2, CALLS)
    words = (name, str(in_flight), str(rounds), str(count), prompt, slow)
    asked = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.model_calls", *words, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await asked.communicate()
    if asked.returncode:
        raise RuntimeError(f"{name}, {in_flight} in flight: ended with {asked.returncode}")
    return CallFigures(**json.loads(printed))


async def measure_turns(report: Report, names: list[str], slow: str, *, quick: bool) -> None:
    """The worker command over our client, and the same worker over aiohttp where there are most at once."""
    for in_flight, count in {MANY: MANY}.items() if quick else TURNS.items():
        outcome = await try_deployed(slow, in_flight, count)
        add_rows(report, f"turns, {in_flight} in flight, {OURS}", outcome, with_goals=in_flight == MANY)
    if AIOHTTP in names and not quick:
        words = ("bench.model_worker", AIOHTTP)
        outcome = await try_child(words, MANY, TURNS[MANY], **name_model(slow))
        add_rows(report, f"turns, {MANY} in flight, {AIOHTTP}", outcome, with_goals=False)
