"""Whole tickets through the whole pipeline, by the offline model: without and with the local embedding model."""

from agent.embeddings import find_local_embedder
from agent.models.base import Model
from app.evaluation.baselines import BASELINES
from app.evaluation.checks import HALLUCINATIONS
from app.evaluation.figures import Share, Summary, summarise
from app.evaluation.records import Ticket, read_tickets
from app.evaluation.scratch import Scratch, open_scratch
from app.evaluation.trial import play_all
from app.settings import read_settings
from bench.ground import FOLDER
from bench.quality.reading import OWN
from bench.report import Report

GOALS = {"off": 0.65, "local": 0.72}
MODES = {"off": "O0", "local": "O1"}
QUICK = 12  # every so-manieth ticket when there is little time


async def measure(report: Report, *, quick: bool) -> None:
    """Each ticket once in each mode, and in the last of them by both baselines too."""
    tickets = read_tickets(OWN / "tickets.jsonl")[:: QUICK if quick else 1]
    is_local = find_local_embedder() is not None and not quick
    modes = list(GOALS) if is_local else ["off"]
    if not is_local and not quick:
        report.notes.append("tickets, O1: left out, the local embedding model is not installed")
    for embeddings in modes:
        settings = read_settings({"EMBEDDINGS": embeddings, "STATE_FOLDER": str(FOLDER)})
        async with open_scratch(settings, is_offline=True) as scratch:
            await measure_mode(report, scratch, tickets, embeddings)
            if embeddings == modes[-1]:
                await measure_baselines(report, scratch, tickets)


async def measure_mode(report: Report, scratch: Scratch, tickets: list[Ticket], embeddings: str) -> None:
    found = await try_one(scratch, tickets, "agent", scratch.agent.models)
    case = f"{found.tickets} tickets, {MODES[embeddings]}"
    report.add(case, "pass^1", found.pass_1.share or 0.0, say(found.pass_1), at_least=GOALS[embeddings])
    claims = (found.ungrounded.share or 0.0) * found.tickets
    report.add(case, "with an ungrounded or forbidden claim", claims, "tickets", at_most=0)
    report.add(case, f"failed {', '.join(HALLUCINATIONS)}", found.hallucinated.share or 0.0, say(found.hallucinated))
    report.add(case, "must-escalate recall", found.must_recall.share or 0.0, say(found.must_recall))
    report.add(case, "false escalation", found.false_escalation.share or 0.0, say(found.false_escalation))
    report.add(case, "safe resolution", found.safe_resolution.share or 0.0, say(found.safe_resolution))
    report.add(case, "median turn", found.median_ms, "ms")
    report.add(case, "p95 turn", found.p95_ms, "ms")


async def measure_baselines(report: Report, scratch: Scratch, tickets: list[Ticket]) -> None:
    for baseline in BASELINES:
        found = await try_one(scratch, tickets, baseline.name, (baseline,))
        report.add(f"{found.tickets} tickets, {baseline.name}", "pass^1", found.pass_1.share or 0.0, say(found.pass_1))


async def try_one(scratch: Scratch, tickets: list[Ticket], name: str, models: tuple[Model, ...]) -> Summary:
    """The line for all groups together."""
    return summarise(name, await play_all(scratch, tickets, models, 1, lambda _done, _all: None))[-1]


def say(share: Share) -> str:
    return f"of {share.count} ({share.low:.3f}-{share.high:.3f})"
