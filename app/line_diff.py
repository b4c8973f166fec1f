"""What changed between two texts, line by line."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

AROUND = 3
"""Lines shown before and after a change."""


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line that is in both texts, only in the older, or only in the newer; or a gap of lines that are in both."""

    kind: Literal["same", "gone", "new", "skipped"]
    text: str


def diff_lines(old: str, new: str) -> list[DiffLine]:
    """The lines that changed with those around them; empty for the same text."""
    before, after = old.splitlines(), new.splitlines()
    lines: list[DiffLine] = []
    end = 0
    for group in SequenceMatcher(None, before, after).get_grouped_opcodes(AROUND):
        if group[0][1] > end:
            lines.append(DiffLine("skipped", f"{group[0][1] - end} lines that are the same"))
        for kind, i1, i2, j1, j2 in group:
            lines += show_change(kind, before[i1:i2], after[j1:j2])
        end = group[-1][2]
    if lines and len(before) > end:
        lines.append(DiffLine("skipped", f"{len(before) - end} lines that are the same"))
    return lines


def show_change(kind: str, before: list[str], after: list[str]) -> Iterator[DiffLine]:
    if kind == "equal":
        yield from (DiffLine("same", line) for line in before)
        return
    yield from (DiffLine("gone", line) for line in before)
    yield from (DiffLine("new", line) for line in after)
