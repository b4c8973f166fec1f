"""The inbox: who waits and what is unfinished, in boxes, counted from one reading: every count matches its rows."""

import asyncio
import hashlib
import re
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import get_args
from urllib.parse import urlencode

import orjson

from app.forms import Category
from app.rendering import write_id
from db.inbox import MOST_WAITING, Line, list_lines
from db.pool import Pool, acquire

LATELY = 3.0  # seconds
MOST_MADE = 32
"""Parts of pages that are kept of one reading."""
Test = Callable[[Line, str], bool]
"""Whether a line belongs in a box of somebody, by their e-mail."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Who waits and what is unfinished, at one moment. `stamp` changes whenever anything shown of them does."""

    lines: Sequence[Line]
    stamp: str
    is_cut: bool
    """More wait than were read; those left out are the least urgent of those the agent has, if it has any."""
    made: dict[Hashable, str] = field(default_factory=dict)
    """Parts of pages that were made of it, by what else went into them."""

    def make(self, key: Hashable, make: Callable[[], str]) -> str:
        """What `make` returns, made once for all who ask for the same."""
        if key not in self.made:
            if len(self.made) >= MOST_MADE:
                self.made.clear()
            self.made[key] = make()
        return self.made[key]


class InboxReader:
    """Reads the list once for all who ask in the same moment: two hundred open pages cost what one costs."""

    def __init__(self, pool: Pool, most: int = MOST_WAITING) -> None:
        self.pool, self.most = pool, most
        self.next: asyncio.Task[Reading] | None = None
        self.turn = asyncio.Lock()
        self.last = Reading((), "", is_cut=False)
        self.last_at = -LATELY  # of time.monotonic()

    async def read_lately(self) -> Reading:
        """What was true less than LATELY ago, for what stands beside the rows. Raises what the database raises."""
        return self.last if time.monotonic() - self.last_at < LATELY else await self.read()

    async def read(self) -> Reading:
        """What is true now, or was after this was called. Raises what the database raises."""
        if self.next is None:
            self.next = asyncio.create_task(self.read_in_turn())
        return await asyncio.shield(self.next)

    async def read_in_turn(self) -> Reading:
        async with self.turn:
            self.next = None  # whoever asks from here on may have seen what this reading has not
            began = time.monotonic()
            async with acquire(self.pool) as conn:
                found = await list_lines(conn, limit=self.most + 1)
        stamp = make_stamp(found)
        if stamp != self.last.stamp:
            self.last = Reading(found[: self.most], stamp, is_cut=len(found) > self.most)
        self.last_at = began
        return self.last


def make_stamp(lines: Sequence[Line]) -> str:
    return hashlib.sha256(orjson.dumps(list(lines), default=write_id)).hexdigest()[:24]


def is_asleep(line: Line) -> bool:
    """Whether somebody put it aside for now."""
    return line.snoozed_until is not None and line.snoozed_until > datetime.now(UTC)


def is_for_people(line: Line) -> bool:
    """Whether nothing happens here until somebody of the team does something."""
    return line.waits_for in ("person", "nobody") or line.is_unseen


def is_with_agent(line: Line) -> bool:
    """Whether somebody waits, and the agent or the queue sees to it."""
    return line.waits_for is not None and not is_for_people(line)


@dataclass(frozen=True, slots=True)
class Box:
    """A part of what the team has to do or to know of."""

    label: str
    holds: Test


BOXES: Mapping[str, Box] = {
    "people": Box("For the team", lambda line, _: is_for_people(line) and not is_asleep(line)),
    "mine": Box("Mine", lambda line, me: line.assignee == me and not is_with_agent(line) and not is_asleep(line)),
    "unassigned": Box(
        "Nobody's", lambda line, _: line.assignee is None and is_for_people(line) and not is_asleep(line)
    ),
    "drafts": Box("Suggested answers", lambda line, _: line.draft is not None and not is_asleep(line)),
    "assistant": Box("With the assistant", lambda line, _: is_with_agent(line)),
    "snoozed": Box("Put aside", lambda line, _: is_for_people(line) and is_asleep(line)),
}
LANGUAGE = re.compile(r"[A-Za-z0-9-]{2,8}")
RECENT = {"waiting": "Answered", "resolved": "Resolved", "all": "All"}
"""Boxes of those who need not wait, by when they last changed."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows the list down; an empty text narrows nothing."""

    box: str = "people"
    channel: str = ""
    category: str = ""
    language: str = ""
    words: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Filters":
        """From the address of the page; what is not known there is left out."""
        given = {one.name: "".join(filter(str.isprintable, query.get(one.name, ""))).strip() for one in fields(cls)}
        named = {name: text[:200] for name, text in given.items() if text}
        if named.get("box") not in {*BOXES, *RECENT}:
            named.pop("box", None)
        if named.get("category") not in get_args(Category):
            named.pop("category", None)
        if not LANGUAGE.fullmatch(named.get("language", "")):
            named.pop("language", None)
        return cls(**named)

    def admits(self, line: Line) -> bool:
        """Whether channel, category and language are those asked for."""
        return (
            self.channel in ("", line.channel)
            and self.category in ("", line.category)
            and self.language in ("", line.language)
        )

    def path(self, **changes: str) -> str:
        """The address of the list with these filters and changes."""
        chosen = {one.name: getattr(self, one.name) for one in fields(self)} | changes
        query = urlencode(
            {name: value for name, value in chosen.items() if value and (name, value) != ("box", "people")}
        )
        return f"/inbox?{query}" if query else "/inbox"


def choose(lines: Sequence[Line], filters: Filters, me: str) -> list[Line]:
    """The lines of the box, in the order of the reading."""
    return [line for line in lines if filters.admits(line) and BOXES[filters.box].holds(line, me)]


def count(lines: Sequence[Line], filters: Filters, me: str) -> dict[str, int]:
    """How many lines each box has with these filters."""
    admitted = [line for line in lines if filters.admits(line)]
    return {name: sum(box.holds(line, me) for line in admitted) for name, box in BOXES.items()}
