"""How right the answers are: every table of docs/quality.md, each figure beside its goal.

Our own labelled messages and tickets are in tests/evals. The public sets are read from the folder EVALS_DIR and left
out, with a word about it, where there is none.
"""

import time

from bench.quality import attacks, foreign, grounding, labels, retrieval, search_speed, tickets
from bench.report import Report

PARTS = (labels, retrieval, foreign, grounding, attacks, tickets, search_speed)


async def run(report: Report, *, quick: bool) -> None:
    """All parts, one after the other."""
    for part in PARTS:
        began = time.perf_counter()
        await part.measure(report, quick=quick)
        report.notes.append(f"{part.__name__.rpartition('.')[2]} took {time.perf_counter() - began:.0f} s")
