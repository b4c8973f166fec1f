"""What a bench found: rows of values beside their baseline in the same run, and the goal they were to reach."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `ratio` is value / baseline; `ok` and `stretched` are None where there is no such goal."""

    case: str
    metric: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    goal: str | None = None
    ok: bool | None = None
    stretch: str | None = None
    stretched: bool | None = None


@dataclass(slots=True)
class Report:
    """All rows of one run."""

    bench: str
    seed: int
    rows: list[Row] = field(default_factory=list)
    broken_laws: list[str] = field(default_factory=list)
    """What must never happen and did: lost, doubled, leaked."""
    notes: list[str] = field(default_factory=list)
    """What a reader of the rows must know: who was missing, what was measured instead."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of the server and of whatever else is compared, beside Python and asyncpg."""

    def add(
        self,
        case: str,
        metric: str,
        value: float,
        unit: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        stretch: float | None = None,
    ) -> None:
        """A figure, perhaps with a ceiling or a floor, and what it would be good to reach beyond that."""
        bound = at_most if at_least is None else at_least
        is_floor = at_least is not None
        self.rows.append(Row(case, metric, value, unit, **judge(value, bound, stretch, is_floor=is_floor)))

    def compare(
        self,
        case: str,
        metric: str,
        value: float,
        baseline: float,
        unit: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        stretch: float | None = None,
    ) -> None:
        """A figure beside another one of the same run (the raw limit, a peer), with the goal for their ratio."""
        ratio = value / baseline
        bound = at_most if at_least is None else at_least
        goals = judge(ratio, bound, stretch, is_floor=at_least is not None, unit=" x")
        self.rows.append(Row(case, metric, value, unit, baseline, ratio, **goals))

    def as_json(self) -> str:
        """One object, for scripts."""
        return json.dumps(
            {
                "bench": self.bench,
                "at": datetime.now(UTC).isoformat(),
                "machine": {"cpus": os.cpu_count(), "system": platform.platform()},
                "versions": {"python": platform.python_version(), "asyncpg": version("asyncpg"), **self.versions},
                "seed": self.seed,
                "rows": [asdict(row) for row in self.rows],
                "notes": self.notes,
                "broken_laws": self.broken_laws,
            }
        )

    def as_table(self) -> str:
        """For people."""
        head = ("case", "metric", "value", "unit", "baseline", "ratio", "goal", "stretch", "")
        lines = [head, *(cells(row) for row in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        table = "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )
        notes = [f"Note: {note}" for note in self.notes]
        return "\n".join([table, *notes, *(f"BROKEN LAW: {law}" for law in self.broken_laws)])


def judge(
    value: float, bound: float | None, stretch: float | None, *, is_floor: bool, unit: str = ""
) -> dict[str, Any]:
    """The goals of a row in words, and whether the value meets them."""

    def say(limit: float | None) -> str | None:
        return None if limit is None else f"{'>=' if is_floor else '<='} {limit:g}{unit}"

    def meets(limit: float | None) -> bool | None:
        return None if limit is None else value >= limit if is_floor else value <= limit

    return {"goal": say(bound), "ok": meets(bound), "stretch": say(stretch), "stretched": meets(stretch)}


def cells(row: Row) -> tuple[str, ...]:
    met = {None: "", True: "met", False: "MISSED"}[row.ok]
    if row.ok and row.stretched:
        met = "met, stretch too"
    baseline = "" if row.baseline is None else f"{row.baseline:,.2f}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return (
        row.case,
        row.metric,
        f"{row.value:,.2f}",
        row.unit,
        baseline,
        ratio,
        row.goal or "",
        row.stretch or "",
        met,
    )
