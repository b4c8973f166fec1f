"""What no customer may read: internal articles and our own policy, known again by runs of their words."""

import asyncio
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from agent.words import CJK, fold, list_words
from db.guarded import list_internal_texts, list_plans, measure_articles
from db.pool import Connection

RUN_WORDS = 7
"""So many words in a row, which nothing cited has, are a quotation. The rule says eight: one may have been cut off."""
RUN_PAIRS = 14
"""The same for Chinese and Japanese, whose words come as pairs of characters."""
CODE = re.compile(r"(?<![\w-])[A-Z][A-Z0-9]+(?:-[A-Z0-9]+)+(?![\w-])|`([\w-]{3,40})`")
"""Codes and tags as teams write them: STAY-25, PUFFIN-1, `redfox`."""
FRESH_SECONDS = 30.0


@dataclass(frozen=True)
class GuardedTexts:
    """Texts that must not be quoted."""

    texts: tuple[str, ...] = ()
    plans: frozenset[str] = frozenset()
    """The plans that articles are filed under: not guarded, but what a fact must not be moved between."""

    @cached_property
    def runs(self) -> frozenset[int]:
        return frozenset(hash(run) for text in self.texts for run in list_runs(text))

    @cached_property
    def codes(self) -> frozenset[str]:
        return frozenset(fold(code) for text in self.texts for code in list_codes(text))

    def index(self) -> Self:
        """The same, with everything computed that is looked up in: takes long where the texts are many."""
        _ = self.runs, self.codes
        return self

    def find_quotation(self, text: str, public: str) -> str | None:
        """Words of `text` that stand in a guarded text and not in `public`; None when there are none."""
        known = None
        for run in list_runs(text):
            if hash(run) in self.runs:
                known = set(list_runs(public)) if known is None else known
                if run not in known:
                    return " ".join(run)
        words = re.findall(r"[\w-]+", fold(text))
        allowed = fold(public)
        return next((word for word in words if word in self.codes and word not in allowed), None)


NOTHING_GUARDED = GuardedTexts()


def list_runs(text: str) -> Iterable[tuple[str, ...]]:
    words = list_words(text)
    width = RUN_PAIRS if len(CJK.findall(text)) * 2 > len(text) else RUN_WORDS
    return (tuple(words[at : at + width]) for at in range(len(words) - width + 1))


def list_codes(text: str) -> Iterable[str]:
    return (match.group(1) or match.group() for match in CODE.finditer(text))


@dataclass(slots=True)
class Guard:
    """The guarded texts of this process: read when first needed, and again when an article was added or changed."""

    always: tuple[str, ...] = ()
    """Texts of ours that are guarded as well."""
    texts: GuardedTexts | None = None
    mark: tuple[int, int] = (-1, -1)
    looked_at: float = field(default=-FRESH_SECONDS)
    turns: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Whoever comes while the texts are read waits for them instead of reading them too."""

    async def load(self, conn: Connection) -> GuardedTexts:
        """What is guarded now; at most FRESH_SECONDS old."""
        async with self.turns:
            now = time.monotonic()
            if self.texts is None or now - self.looked_at >= FRESH_SECONDS:
                mark = await measure_articles(conn)
                if self.texts is None or mark != self.mark:
                    self.texts = await read_guarded(conn, self.always)
                    self.mark = mark
                self.looked_at = now
            return self.texts


async def read_guarded(conn: Connection, always: Sequence[str]) -> GuardedTexts:
    guarded = GuardedTexts((*always, *await list_internal_texts(conn)), frozenset(await list_plans(conn)))
    # In a thread: the other conversations of this process go on meanwhile.
    return await asyncio.to_thread(guarded.index)
