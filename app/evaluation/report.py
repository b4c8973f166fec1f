"""What an evaluation found: for people, for scripts, and beside an earlier one."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.prompt import PROMPT_VERSION
from app.evaluation.figures import Summary
from app.evaluation.records import UnreadableTickets
from app.evaluation.trial import Played

Result = dict[str, Any]
"""As it is kept: {file, models, embedder, prompt_version, runs, at, summaries, tickets}."""
MAX_SHOWN = 4  # reasons for each failing ticket; the file has all of them


def make_result(
    file: str,
    models: str,
    embedder: str | None,
    runs: int,
    summaries: Sequence[Summary],
    played: Sequence[Played],
) -> Result:
    return {
        "file": file,
        "models": models,
        "embedder": embedder,
        "prompt_version": PROMPT_VERSION,
        "runs": runs,
        "at": datetime.now(UTC).isoformat(),
        "summaries": [asdict(summary) for summary in summaries],
        "tickets": [describe_played(one) for one in played],
    }


def describe_played(one: Played) -> dict[str, Any]:
    return {
        "id": one.ticket.id,
        "group": one.ticket.group,
        "run": one.run,
        "passed": one.passed,
        "failures": [{"turn": number, **asdict(failure)} for number, failure in one.failures],
        "turns": [
            {
                "outcomes": seen.outcomes,
                "category": seen.category,
                "sentiment": seen.sentiment,
                "text": seen.text,
                "cited": sorted({slug for reply in seen.replies for slug in reply.slugs}),
                "milliseconds": round(seen.milliseconds, 1),
                "tokens": seen.tokens,
            }
            for seen in one.turns
        ],
    }


def check_place(path: Path) -> None:
    """See before a long run that its result can be written there. Raises UnreadableTickets."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a"):
            pass
    except OSError as error:
        raise UnreadableTickets(f"{path}: no result can be written there: {error.strerror}") from error


def write_result(path: Path, result: Result) -> None:
    path.write_text(as_json(result), encoding="utf-8")


def read_result(path: Path) -> Result:
    """A result that was kept. Raises UnreadableTickets."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        return {**result, "tickets": result["tickets"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableTickets(f"{path} is not a result of eval: {error}") from error


def as_json(result: Result) -> str:
    return json.dumps(result, ensure_ascii=False, indent=1)


def is_unsafe(result: Result) -> bool:
    return any(failure["check"] == "safety" for one in result["tickets"] for failure in one["failures"])


def as_text(result: Result) -> str:
    """The failing tickets, then the tables."""
    where = f"models: {result['models']}; embeddings: {result['embedder'] or 'none'}; runs: {result['runs']}"
    checks = Counter(check for one in result["tickets"] for check in {f["check"] for f in one["failures"]})
    counted = ", ".join(f"{check} {count}" for check, count in checks.most_common()) or "none"
    lines = [*list_failing(result), "", where, "", *draw_table(result["summaries"], result["runs"])]
    return "\n".join([*lines, "", f"Tickets by failed check: {counted}", *list_more(result["summaries"])])


def list_failing(result: Result) -> list[str]:
    lines = []
    for one in result["tickets"]:
        shown = [f"  turn {f['turn']}, {f['check']}: {f['reason']}" for f in one["failures"]]
        more = [f"  and {len(shown) - MAX_SHOWN} more"] if len(shown) > MAX_SHOWN else []
        run = f" (run {one['run']})" if result["runs"] > 1 else ""
        lines += [f"{one['id']}{run}", *shown[:MAX_SHOWN], *more] if shown else []
    return lines


def draw_table(summaries: Sequence[dict[str, Any]], runs: int) -> list[str]:
    head = ["agent", "group", "tickets", "pass^1 (95 %)", f"pass^{runs}", "must recall", "false escalation",
            "safe resolution", "hallucinated", "median ms", "p95 ms", "tokens"]  # fmt: skip
    rows = [head, *(list_cells(one) for one in summaries)]
    if runs == 1:  # it would say the same twice
        rows = [[*row[:4], *row[5:]] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def list_cells(one: dict[str, Any]) -> list[str]:
    first = one["pass_1"]
    return [
        one["agent"],
        one["group"],
        str(one["tickets"]),
        f"{first['share']:.3f} ({first['low']:.3f}-{first['high']:.3f})",
        f"{one['pass_k']:.3f}",
        *(show_share(one[name]) for name in ("must_recall", "false_escalation", "safe_resolution", "hallucinated")),
        f"{one['median_ms']:.0f}",
        f"{one['p95_ms']:.0f}",
        str(one["tokens"]),
    ]


def show_share(share: dict[str, Any]) -> str:
    return "-" if share["share"] is None else f"{share['share']:.3f} of {share['count']}"


def list_more(summaries: Sequence[dict[str, Any]]) -> list[str]:
    """Figures that fail nothing, of the agent itself."""
    total = next(one for one in summaries if one["group"] == "all")
    names = {
        "ungrounded": "Tickets with a forbidden or ungrounded claim",
        "sentiment": "Turns with the sentiment that was expected",
        "short_chats": "Answers on WhatsApp of at most 300 characters",
    }
    return [f"{words}: {show_interval(total[name])}" for name, words in names.items()]


def show_interval(share: dict[str, Any]) -> str:
    return "none" if share["share"] is None else f"{show_share(share)} ({share['low']:.3f}-{share['high']:.3f})"


def compare(earlier: Result, result: Result) -> str:
    """What got better and worse, by ticket; the share of its runs that pass."""
    before, after = share_passed(earlier), share_passed(result)
    shared = [one for one in after if one in before]
    better = [one for one in shared if after[one] > before[one]]
    worse = [one for one in shared if after[one] < before[one]]
    lines = [f"Compared with {earlier['at'][:19]} ({earlier['models']}), {len(shared)} tickets in both:"]
    lines += [f"  better: {', '.join(better) or 'none'}", f"  worse: {', '.join(worse) or 'none'}"]
    return "\n".join(["", *lines])


def share_passed(result: Result) -> dict[str, float]:
    runs: dict[str, list[bool]] = {}
    for one in result["tickets"]:
        runs.setdefault(one["id"], []).append(one["passed"])
    return {ticket: sum(passed) / len(passed) for ticket, passed in runs.items()}
