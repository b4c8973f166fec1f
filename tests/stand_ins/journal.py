"""What the vendor stand-in accepted, in order, and the knobs that decide how badly it behaves."""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Fault = Literal["drop", "lose", "accept_500", "fail_500", "refuse_429", "refuse_400"]
"""drop: taken, the connection ends before the answer. lose: the connection ends, not taken. accept_500: taken, answered
with 500. fail_500, refuse_429 (with Retry-After), refuse_400 (with a code): not taken, and said so."""

TAKEN: tuple[Fault | None, ...] = (None, "drop", "accept_500")
OUTSIDE_WINDOW = 63016


@dataclass(slots=True)
class Knobs:
    """How the stand-in behaves. Shares are 0 to 1 and independent of each other; every draw comes from the seed."""

    faults: dict[Fault, float] = field(default_factory=dict)
    """Share of the sends that meet each fault; the sum is at most 1."""
    script: list[Fault | Literal["ok"]] = field(default_factory=list)
    """What the next sends meet, one each, before the shares count."""
    refusal_code: int = 63016
    """The vendor's code in a refuse_400."""
    refused_to: dict[str, int] = field(default_factory=dict)
    """Numbers (E.164) that nothing can be sent to, and the code that says so: 21610 for one that has opted out."""
    outside_window: list[str] = field(default_factory=list)
    """Numbers whose last word is more than 24 hours old: free text does not reach them, a template does."""
    window_refuses_at_once: bool = False
    """Free text to them is refused with 63016. Else it is taken, and reported as undelivered with that code."""
    templates: dict[str, str] = field(default_factory=dict)
    """Approved templates by their SID; {{1}} stands for the one variable."""
    retry_after_seconds: float = 1
    delay_seconds: float = 0
    """Before a send is looked at."""
    index_lag_seconds: float = 0
    """How long after it was taken a message is missing from lists."""
    index_lag_is_random: bool = False
    """Each message lags by its own random time up to that."""
    callbacks: list[str] = field(default_factory=lambda: ["sent", "delivered"])
    """Statuses a send with a StatusCallback is reported in."""
    callback_error_code: int = 63024
    """The vendor's code in a report of failed or undelivered."""
    callback_delay_seconds: float = 0
    """Before the first, and between one and the next: a random time up to this."""
    callback_never_share: float = 0
    """Sends nothing is ever reported about."""
    callback_late_share: float = 0
    callback_late_seconds: float = 60
    callback_duplicate_share: float = 0
    callback_tries: int = 2
    """How often one report is posted at most when it is not answered with 2xx."""
    webhook_targets: list[str] = field(default_factory=list)
    """Origins (http://host:port) that webhooks really go to, in turn, as behind a load balancer; the signature is over
    the public address all the same. Empty: they go where they are addressed to."""


@dataclass(frozen=True, slots=True)
class Send:
    """One message as a client asked for it."""

    wire: Literal["twilio", "drafts", "mute"]
    to: str
    body: str
    token: str | None
    """The sender's idempotency token: o= of StatusCallback, X-Outbox-Id of a draft, token of the mute wire."""
    sender: str = ""
    subject: str = ""
    status_callback: str | None = None
    template_sid: str | None = None
    """Of the template whose text `body` then is, with the variable in it."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """One message the vendor has taken. `number` counts from 0 in the order of acceptance."""

    number: int
    id: str
    at: float
    """Seconds since the epoch."""
    seen_in_lists_at: float
    fault: Fault | None
    send: Send
    failure: int | None = None
    """The vendor's code when it cannot deliver what it took."""

    @property
    def taken_at(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def as_row(self) -> dict[str, Any]:
        """For the journal over HTTP."""
        return asdict(self) | asdict(self.send) | {"send": None}


@dataclass(slots=True)
class Journal:
    """The oracle: what a customer got is what is in here."""

    accepted: list[Accepted] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    """Sends asked for, by what they met: ok or a fault."""
    callbacks: Counter[str] = field(default_factory=Counter)
    """Status callbacks by how they ended: the status code of the answer, or lost."""
    looked_up: int = 0
    """How often a list or one message was read."""

    def list_to(self, address: str) -> list[Accepted]:
        """What one recipient got, in order; whatsapp: before a number may be left out."""
        return [one for one in self.accepted if one.send.to.removeprefix("whatsapp:") == address]

    def list_by_token(self) -> dict[str | None, list[Accepted]]:
        """What was accepted under each token, in order."""
        return group_by_token(self.accepted)


def group_by_token(accepted: Iterable[Accepted]) -> dict[str | None, list[Accepted]]:
    groups: dict[str | None, list[Accepted]] = defaultdict(list)
    for one in accepted:
        groups[one.send.token].append(one)
    return dict(groups)


@dataclass(slots=True)
class Gate:
    """Holds every send at one point, so that a test can kill whoever waits for the answer.

    `before`: the request has come, nothing is taken. `after`: it is taken, nothing is answered.
    """

    point: Literal["before", "after"] | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    is_forgetful: bool = False

    def close(self, point: Literal["before", "after"]) -> None:
        """From now on hold sends there; `await gate.reached.wait()` for the first."""
        self.point, self.is_forgetful = point, False
        self.reached, self.released = asyncio.Event(), asyncio.Event()

    def open(self, *, forget: bool = False) -> None:
        """Let the held ones go on. With `forget` their connections end there instead, so that what was held before is
        never taken."""
        self.point, self.is_forgetful = None, forget
        self.released.set()

    async def wait_at(self, point: str) -> bool:
        """Wait if sends are held here. False: the one that waited is to be forgotten."""
        if self.point != point:
            return True
        self.reached.set()
        await self.released.wait()
        return not self.is_forgetful


def draw_fault(knobs: Knobs, rng: random.Random) -> Fault | None:
    """What the next send meets."""
    if knobs.script:
        scripted = knobs.script.pop(0)
        return None if scripted == "ok" else scripted
    drawn = rng.random()
    for fault, share in knobs.faults.items():
        if drawn < share:
            return fault
        drawn -= share
    return None


def accept(
    journal: Journal, send: Send, *, message_id: str, fault: Fault | None, knobs: Knobs, rng: random.Random
) -> Accepted:
    """Write down that a message was taken."""
    now = time.time()
    lag = knobs.index_lag_seconds * (rng.random() if knobs.index_lag_is_random else 1)
    failure = OUTSIDE_WINDOW if is_outside_window(send, knobs) else None
    taken = Accepted(len(journal.accepted), message_id, now, now + lag, fault, send, failure)
    journal.accepted.append(taken)
    return taken


def is_outside_window(send: Send, knobs: Knobs) -> bool:
    """Whether it is free text to somebody who would get only a template."""
    return send.template_sid is None and send.to.removeprefix("whatsapp:") in knobs.outside_window
