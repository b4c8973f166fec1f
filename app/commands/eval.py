"""Whole tickets through the real pipeline, and how many of them came out right."""

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from agent.models.base import Model
from app.commands.kb import show_progress
from app.evaluation import report, side_by_side
from app.evaluation.baselines import BASELINES
from app.evaluation.conversations import list_turns, open_ground, read_span, run_again
from app.evaluation.figures import summarise
from app.evaluation.records import Ticket, UnreadableTickets, read_tickets
from app.evaluation.scratch import Scratch, open_scratch
from app.evaluation.trial import play_all
from app.settings import Settings

DONE, UNSAFE, WRONG_USE = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Play tickets through the whole pipeline in a database of their own and check what came of them; "
        "or run your own customers' turns once more. Nothing is sent, and your own data are not touched."
    )
    parser.epilog = "Exit code 0: it ran. 1: an answer was unsafe. 2: the file or an option cannot be used."
    parser.add_argument(
        "file", type=Path, nargs="?", help="tickets, one JSON object a line, such as tests/evals/tickets.jsonl"
    )
    parser.add_argument(
        "--from-conversations",
        type=read_span,
        metavar="TIME",
        help="instead of a file: the desk's own turns of the last 24h, 7d or so, then and now",
    )
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="at most so many of them, the newest")
    parser.add_argument(
        "--model",
        choices=("settings", "offline"),
        default="offline",
        help="offline alone, or as the desk asks them, which costs what they cost",
    )
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="how often each ticket is played")
    parser.add_argument("--group", default=None, metavar="A,B", help="only tickets of these groups")
    parser.add_argument("--no-baselines", action="store_true", help="leave out the two agents it is compared with")
    parser.add_argument("--out", type=Path, default=None, help="where the result is kept; else in .deskhand/evals")
    parser.add_argument("--compare", type=Path, default=None, metavar="FILE", help="an earlier result to compare with")
    parser.add_argument("--json", action="store_true", help="the result as one JSON object")


async def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print the tables and every failing ticket, and keep the result; or turns of the desk's own, then and now."""
    if complaint := find_misuse(args):
        print(f"app eval: {complaint}", file=sys.stderr)
        return WRONG_USE
    if args.from_conversations is not None:
        return await run_conversations(args, settings)
    return await run_tickets(args, settings)


def find_misuse(args: argparse.Namespace) -> str | None:
    """What cannot be meant; None where all is well."""
    is_desk = args.from_conversations is not None
    if is_desk == (args.file is not None):
        return "name either a file of tickets or --from-conversations"
    if args.limit < 1:
        return "--limit must be 1 or more"
    if is_desk and (args.group or args.compare or args.out or args.no_baselines or args.runs != 1):
        return "--runs, --group, --no-baselines, --out and --compare are for a file of tickets"
    return None


async def run_conversations(args: argparse.Namespace, settings: Settings) -> int:
    """What was answered then beside what would be now. Whoever runs this may read the desk's own database."""
    with without_each_turn():
        async with open_ground(settings, is_offline=args.model == "offline") as ground:
            turns = await list_turns(ground, args.from_conversations, args.limit)
            rerun = await run_again(ground, turns, show_progress)
    if not turns and not args.json:
        print("no customer was answered in that time: there is nothing to run again")
        return DONE
    print(side_by_side.as_json(rerun) if args.json else side_by_side.as_text(rerun))
    return DONE


async def run_tickets(args: argparse.Namespace, settings: Settings) -> int:
    try:
        tickets = choose_groups(read_tickets(args.file), args.group)
        earlier = report.read_result(args.compare) if args.compare else None
        if args.runs < 1:
            raise UnreadableTickets("--runs must be 1 or more")
        path = args.out or settings.state_folder / "evals" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{args.model}.json"
        report.check_place(path)
    except UnreadableTickets as error:
        print(f"app eval: {error}", file=sys.stderr)
        return WRONG_USE
    with without_each_turn():
        async with open_scratch(settings, is_offline=args.model == "offline") as scratch:
            result = await try_all(scratch, tickets, args)
    report.write_result(path, result)
    print(report.as_json(result) if args.json else report.as_text(result))
    if not args.json:
        print(f"\nKept in {path}")
        if earlier:
            print(report.compare(earlier, result))
    return UNSAFE if report.is_unsafe(result) else DONE


@contextmanager
def without_each_turn() -> Iterator[None]:
    """Only what goes wrong is logged: the end of every turn stands in the result."""
    turns = logging.getLogger("worker.turn")
    before = turns.level
    turns.setLevel(logging.WARNING)
    try:
        yield
    finally:
        turns.setLevel(before)


async def try_all(scratch: Scratch, tickets: list[Ticket], args: argparse.Namespace) -> report.Result:
    """The agent itself, and the baselines once each."""
    agents: list[tuple[str, tuple[Model, ...], int]] = [("agent", scratch.agent.models, args.runs)]
    if not args.no_baselines:
        agents += [(one.name, (one,), 1) for one in BASELINES]
    tried = {name: await play_all(scratch, tickets, models, runs, show_progress) for name, models, runs in agents}
    summaries = [summary for name, played in tried.items() for summary in summarise(name, played)]
    embedder = scratch.agent.embedder.name if scratch.agent.embedder else None
    names = ", ".join(model.name for model in scratch.agent.models)
    return report.make_result(str(args.file), names, embedder, args.runs, summaries, tried["agent"])


def choose_groups(tickets: list[Ticket], groups: str | None) -> list[Ticket]:
    """Raises UnreadableTickets for a group without tickets."""
    if groups is None:
        return tickets
    wanted = {group.strip().upper() for group in groups.split(",")}
    if missing := wanted - {ticket.group for ticket in tickets}:
        raise UnreadableTickets(f"--group: there is no ticket of group {', '.join(sorted(missing))}")
    return [ticket for ticket in tickets if ticket.group in wanted]
