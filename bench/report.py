"""What a bench found: rows of values beside their baseline in the same run, and the goal they were to reach."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `ratio` is value / baseline; `ok` is None where there is no goal."""

    case: str
    metric: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    goal: str | None = None
    ok: bool | None = None


@dataclass(slots=True)
class Report:
    """All rows of one run."""

    bench: str
    seed: int
    rows: list[Row] = field(default_factory=list)
    broken_laws: list[str] = field(default_factory=list)
    """What must never happen and did: lost, doubled, leaked."""

    def add(
        self,
        case: str,
        metric: str,
        value: float,
        unit: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        """A figure, perhaps with a ceiling or a floor."""
        goal, is_met = None, None
        if at_most is not None:
            goal, is_met = f"<= {at_most:g}", value <= at_most
        if at_least is not None:
            goal, is_met = f">= {at_least:g}", value >= at_least
        self.rows.append(Row(case, metric, value, unit, goal=goal, ok=is_met))

    def compare(self, case: str, metric: str, value: float, baseline: float, unit: str, *, at_least: float) -> None:
        """A figure beside the raw limit of the same run, with the share of it that is the goal."""
        ratio = value / baseline
        self.rows.append(Row(case, metric, value, unit, baseline, ratio, f">= {at_least:g} x", ratio >= at_least))

    def as_json(self) -> str:
        """One object, for scripts."""
        return json.dumps(
            {
                "bench": self.bench,
                "at": datetime.now(UTC).isoformat(),
                "machine": {"cpus": os.cpu_count(), "system": platform.platform()},
                "versions": {"python": platform.python_version(), "asyncpg": version("asyncpg")},
                "seed": self.seed,
                "rows": [asdict(row) for row in self.rows],
                "broken_laws": self.broken_laws,
            }
        )

    def as_table(self) -> str:
        """For people."""
        head = ("case", "metric", "value", "unit", "baseline", "ratio", "goal", "")
        lines = [head, *(cells(row) for row in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        table = "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )
        return "\n".join([table, *(f"BROKEN LAW: {law}" for law in self.broken_laws)])


def cells(row: Row) -> tuple[str, ...]:
    met = {None: "", True: "met", False: "MISSED"}[row.ok]
    baseline = "" if row.baseline is None else f"{row.baseline:,.2f}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return (row.case, row.metric, f"{row.value:,.2f}", row.unit, baseline, ratio, row.goal or "", met)
