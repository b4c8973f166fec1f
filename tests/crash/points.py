"""Where a process can die: before, amid or after each thing the product calls on the way of a message."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Literal

Moment = Literal["before", "amid", "after"]
"""amid: it has begun and nobody knows how far it got; for a send, the vendor has it and the answer is not read."""

Way = Literal["crash", "kill", "stop", "sleep"]
"""crash: all that the process had in hand ends where it is, its connections are cut. kill: kill -9 of itself.
stop: SIGSTOP for longer than its lease, then SIGCONT. sleep: the same for one worker among others in this process."""

WORDS: dict[Way, str] = {
    "crash": "crash",
    "kill": "kill -9",
    "stop": "stopped beyond its lease",
    "sleep": "asleep beyond its lease",
}


@dataclass(frozen=True, slots=True)
class Point:
    """One place on the way of a message."""

    step: str
    moment: Moment
    words: str


def around(step: str, doing: str, done: str, *moments: Moment) -> Iterator[Point]:
    """The points around one step: before `doing`, while `doing`, after `done`."""
    words = {"before": f"before {doing}", "amid": f"while {doing}", "after": f"after {done}"}
    for moment in moments:
        yield Point(step, moment, words[moment])


TAKING_IN = (
    *around("enqueue", "storing the message", "storing the message", "before", "amid", "after"),
    *around("answer", "the 2xx", "the 2xx", "before", "after"),
)
"""In a web process."""

THINKING = (
    *around("claim", "claiming the lane", "claiming the lane", "before", "amid", "after"),
    *around("open_turn", "opening the turn", "opening the turn", "before", "amid", "after"),
    *around("model", "asking the model", "the model answered", "before", "after"),
    *around("tool", "searching", "searching", "before", "after"),
    *around("journal", "journalling a step", "journalling a step", "before", "amid", "after"),
    *around("commit", "committing the turn", "committing the turn", "before", "amid", "after"),
    *around("announce", "announcing it", "announcing it", "before", "after"),
    *around("release", "giving the lane back", "giving the lane back", "before", "amid", "after"),
)
"""In a worker, up to the answer."""

DRAFTING = tuple(around("draft", "keeping the draft's id", "keeping the draft's id", "before", "after"))
"""In a worker, where sending has two phases."""

SENDING = (
    *around("begin", "marking it as being sent", "marking it as being sent", "before", "amid", "after"),
    Point("send", "before", "before the request to the vendor"),
    Point("send", "amid", "after the vendor took it"),
    Point("send", "after", "after the vendor's answer"),
    *around("end", "recording that it was sent", "recording that it was sent", "before", "amid", "after"),
)
"""In a worker, from the answer to the vendor."""

REPORTING = tuple(
    around("report", "recording the vendor's report", "recording the vendor's report", "before", "amid", "after")
)
"""In a web process."""

RECOVERING = tuple(around("look_up", "looking it up", "looking it up", "before", "after"))
"""In a worker that found a try without an outcome."""

POINTS = {point.words: point for point in (*TAKING_IN, *THINKING, *DRAFTING, *SENDING, *REPORTING, *RECOVERING)}

UNTAKEN = {("begin", "amid"), ("begin", "after"), ("draft", "before"), ("draft", "after"), ("send", "before")}
"""Where it is written down that a send may be under way, and the vendor has nothing."""
ONCE = {("commit", "after"), ("announce", "before"), ("announce", "after")}
"""What is behind a turn that was committed never comes again."""
ONCE_A_PART = {("draft", "after"), ("send", "amid"), ("send", "after"), ("end", "after")}
"""What comes once for every message to the vendor; a reply in three parts passes it three times."""
TAKEN = {("send", "amid"), ("send", "after"), ("end", "before"), ("end", "amid")}
"""Where the vendor has it, and that is not written down."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One death, or one sleep, at a point."""

    step: str
    moment: Moment
    way: Way

    @property
    def place(self) -> tuple[str, Moment]:
        return self.step, self.moment


@dataclass(frozen=True, slots=True)
class Case:
    """One conversation on one channel and what happens to whoever works on it, in this order."""

    key: str
    name: str
    channel: str
    hits: tuple[Hit, ...]
    parts: int = 1
    """Messages to the vendor that the reply is."""

    def count(self, places: Container[tuple[str, str]]) -> int:
        """How many of the hits are at one of these places."""
        return sum(hit.place in places for hit in self.hits)

    @property
    def may_end_silent(self) -> bool:
        """Whether the vendor may end up with nothing, and a person with the case: it cannot be asked, or there were
        two tries whose fate it does not tell."""
        return self.count(UNTAKEN) >= {"mute": 1, "whatsapp": 2}.get(self.channel, 99)

    @property
    def may_be_parked(self) -> bool:
        """Whether a person may have to look although the vendor has it."""
        return self.may_end_silent or (self.channel == "mute" and self.count(UNTAKEN | TAKEN) > 0)

    @property
    def may_be_doubled(self) -> bool:
        """Whether two tries may both be taken: the first slept between the last look at its clock and the request."""
        slept = any(hit.place == ("send", "before") and hit.way in ("stop", "sleep") for hit in self.hits)
        return slept and self.channel == "whatsapp"


def make_case(key: str, channel: str, *hits: tuple[Point, Way], parts: int = 1) -> Case:
    """A case with its name: `kill -9 after the vendor took it, twice, whatsapp`."""
    words = [f"{WORDS[way]} {point.words}" for point, way in hits]
    times = {2: ", twice", 3: ", three times"}.get(len(words), "") if len(set(words)) == 1 else ""
    told = f"{words[0]}{times}" if times else ", then ".join(words)
    told = told if parts == 1 else f"{told}, {parts} parts"
    made = tuple(Hit(point.step, point.moment, way) for point, way in hits)
    return Case(key, f"{told or 'nothing happens'}, {channel}", channel, made, parts)


def at(words: str, way: Way = "crash") -> tuple[Point, Way]:
    """A hit by the words of its point."""
    return POINTS[words], way
