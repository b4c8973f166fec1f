"""Reading mail: how much a second of what programs really write, and what mail made to break a reader takes."""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.ground import percentile
from bench.mailbox import measure_history
from bench.report import Report
from channels.mime import Quarantined, parse_mail
from tests.channels.hostile import HOSTILE

MAILS = Path(__file__).parent.parent / "tests" / "channels" / "mails"
BOUND_SECONDS = 1.0
BOUND_MB = 128.0
GOAL_PER_SECOND = 200
GOAL_P99_MS = 50.0
TRIES = 3  # of a hostile mail, the best counts: the law is about the mail, not about the neighbours of the machine


async def run(report: Report, *, quick: bool) -> None:
    """All mails of the tests; each hostile one in a process of its own. Linux only, which tells the memory of one."""
    await asyncio.to_thread(measure_fixtures, report, rounds=5 if quick else 40)
    await asyncio.to_thread(measure_hostile, report, tries=1 if quick else TRIES)
    await measure_history(report, count=100 if quick else 1_000)


def measure_fixtures(report: Report, *, rounds: int) -> None:
    """Throughput and latency over the mails as they are, on one core; those with a PDF start a process each."""
    mails = {path.stem: path.read_bytes() for path in sorted(MAILS.glob("*.eml"))}
    here: list[float] = []
    apart: list[float] = []
    began = time.perf_counter()
    for _ in range(rounds):
        for name, raw in mails.items():
            seconds, found = time_mail(raw)
            (apart if name.startswith(("pdf_", "html_huge")) else here).append(seconds)
            if isinstance(found, Quarantined) and "cannot" in found.reason:
                report.broken_laws.append(f"{name}: {found.reason}")
    report.add("fixtures", "mails tried", len(mails), "mails")
    report.add("fixtures", "read", rounds * len(mails) / (time.perf_counter() - began), "mails/s")
    report.add("read in the process", "throughput", len(here) / sum(here), "mails/s", at_least=GOAL_PER_SECOND)
    report.add("read in the process", "p50", 1000 * percentile(here, 0.5), "ms")
    report.add("read in the process", "p99", 1000 * percentile(here, 0.99), "ms", at_most=GOAL_P99_MS)
    report.add("read in a child", "p50", 1000 * percentile(apart, 0.5), "ms")


def time_mail(raw: bytes) -> tuple[float, object]:
    began = time.perf_counter()
    found = parse_mail(raw)
    return time.perf_counter() - began, found


def measure_hostile(report: Report, *, tries: int) -> None:
    """Seconds and the larger of the two processes, against the bounds that parse_mail promises for any input."""
    with tempfile.TemporaryDirectory() as folder:
        for name, build in HOSTILE.items():
            file = Path(folder) / "one.eml"
            file.write_bytes(build())
            found = [read_apart(file) for _ in range(tries)]
            seconds = min(one["seconds"] for one in found)
            memory = max(max(one["mb"], one["child_mb"]) for one in found)
            report.add(name, "time", seconds, "s", at_most=BOUND_SECONDS)
            report.add(name, "memory", memory, "MB", at_most=BOUND_MB)
            report.broken_laws += list_broken(name, seconds, memory, [one["reason"] for one in found])


def read_apart(file: Path) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603 (our own module)
        [sys.executable, "-m", "tests.channels.read_one_mail", str(file)], capture_output=True, text=True
    )
    if done.returncode:
        return {"seconds": 0.0, "mb": 0.0, "child_mb": 0.0, "reason": f"cannot: {done.stderr.strip()[-200:]}"}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def list_broken(name: str, seconds: float, memory: float, reasons: Sequence[str]) -> list[str]:
    """What of the promise did not hold."""
    broken = [f"{name}: raised, {reason}" for reason in reasons if "cannot" in reason]
    if seconds > BOUND_SECONDS:
        broken.append(f"{name}: took {seconds:.2f} s")
    if memory > BOUND_MB:
        broken.append(f"{name}: took {memory:.0f} MB")
    return broken
