"""Web, worker and Postgres are killed while customers write: nothing may be lost, said twice or said out of order."""

import argparse
import sys

from bench.chaos.desk import Outcome, run_chaos
from bench.chaos.plan import Plan
from bench.ground import percentile
from bench.report import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--messages", type=int, default=None, help="how many customers' messages; default 20000")
    parser.add_argument(
        "--keep-logs", action="store_true", help="say where the logs and the database are, and keep them"
    )


async def run(report: Report, *, quick: bool, messages: int | None = None, keep_logs: bool = False) -> None:
    """One run; every law that was broken is in the report."""
    plan = Plan(messages or 20_000, report.seed)
    if quick:
        plan = Plan(messages or 250, report.seed, calm=2.5, rate=14, index_lag=3, true_index_lag=4)
    outcome = await run_chaos(plan, show_progress, keeps_logs=keep_logs)
    if keep_logs:
        show_progress(f"logs and data: {outcome.folder}")
    fill(report, plan, outcome)


def show_progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def fill(report: Report, plan: Plan, outcome: Outcome) -> None:
    """All figures of a run."""
    verdict, producer, havoc = outcome.verdict, outcome.producer, outcome.havoc
    report.add("seed", "the same seed strikes in the same order", plan.seed, "")
    report.add("messages", "acknowledged", producer.acked, "")
    report.add("messages", "customers", len({message.customer for message in producer.sent}), "")
    report.add("messages", "delivered again", producer.duplicates, "")
    report.add("messages", "tries", producer.answers.total(), "")
    for blow, times in sorted(havoc.blows.items()):
        report.add("blows", blow, times, "")
    report.add("replies", "accepted by the vendor", len(outcome.watch.accepted), "")
    for fault in plan.faults:
        report.add("vendor", fault, outcome.watch.counts.get("asked", {}).get(fault, 0), "")
    report.add("vendor", "asked whether it has a message", outcome.watch.counts.get("looked_up", 0), "")
    report.add("laws", "lost", len(verdict.lost), "", at_most=0)
    report.add("laws", "doubled, not flagged", len(verdict.doubled), "", at_most=0)
    report.add("laws", "doubled, flagged", verdict.doubled_flagged, "")
    report.add("laws", "flagged in all", outcome.log.flagged, "")
    report.add("laws", "out of order", len(verdict.out_of_order), "", at_most=0)
    report.add("laws", "parked for a person", len(verdict.parked), "")
    report.add("laws", "dead letters", outcome.log.dead, "")
    report.add("throughput", "messages a second", producer.acked / outcome.seconds, "/s")
    report.add("throughput", "until the last was acknowledged", outcome.seconds, "s")
    report.add("throughput", "until nothing waited after that", outcome.drain_seconds, "s")
    add_times(report, "worker killed, its lanes with others", havoc.lanes_back)
    add_times(report, "Postgres back, first commit", havoc.commits_back)
    report.broken_laws += verdict.list_broken()
    if not outcome.is_drained:
        report.broken_laws.append(f"{outcome.watch.backlog} still wait after {plan.drain:g} s of calm")
    if report.broken_laws:
        report.broken_laws.append(f"the logs are in {outcome.folder}")


def add_times(report: Report, metric: str, seconds: list[float]) -> None:
    if seconds:
        report.add("recovery", f"{metric}, p50", percentile(seconds, 0.5), "s")
        report.add("recovery", f"{metric}, longest", max(seconds), "s")
