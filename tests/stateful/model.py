"""What the test itself knows: who wrote what, who has which lane in hand, and what the vendor really took."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal
from uuid import uuid4

from db.deliveries import Absence, Outcome
from db.queue import ClaimedLane
from db.turns import OpenTurn

Row = dict[str, Any]
ARRIVED = ("sent", "delivered", "read")
UNSETTLED = ("pending", "sending", "unknown")
WINDOW = timedelta(hours=23, minutes=59)
Stage = Literal["claimed", "open", "ready", "sending", "asking", "ending"]


@dataclass(slots=True)
class Answer:
    """Words that were given an answer, and the messages it consists of; none where the turn closed without a word."""

    covers: int
    """The first so many words of the customer."""
    parts: list[str]
    by_person: bool
    counts: bool
    """An agent's answer that arrives after somebody took over does not end the wait."""


@dataclass(slots=True)
class Talk:
    """One customer on one channel."""

    channel: str
    thread_key: str
    absence: Absence | None
    """What a no of the vendor means; None: it cannot be asked."""
    words: list[str] = field(default_factory=list)
    """External ids of what was accepted, oldest first."""
    outbox: list[str] = field(default_factory=list)
    """Ids of our messages in the order of their commits."""
    answers: list[Answer] = field(default_factory=list)
    is_called: bool = False
    """The agent handed over, or a reply failed or is in doubt; and no person has answered since."""
    interventions: int = 0
    """Clicks and words of the team."""
    silenced: set[str] = field(default_factory=set)
    """The agent's messages that no vendor may be given any more."""
    is_stopped: bool = False
    """They wrote STOP, or the vendor said so; and not START since."""
    outbox_at_stop: set[str] = field(default_factory=set)
    """What was written before they last wrote STOP: nobody is owed it any more."""
    unread_at_stop: set[str] = field(default_factory=set)
    """Words that no turn had taken up when they wrote STOP: a person may see to them, and nobody has to."""
    unheard_for: timedelta = timedelta(days=36_500)
    """How long ago they last wrote something that is no reaction; so long means never."""

    @property
    def lane(self) -> str:
        return f"{self.channel}:{self.thread_key}"

    @property
    def is_page(self) -> bool:
        return self.channel == "web"

    @property
    def is_chat(self) -> bool:
        return self.channel == "whatsapp"

    @property
    def is_late(self) -> bool:
        """Whether only a template may go."""
        return self.is_chat and self.unheard_for >= WINDOW

    @property
    def is_closing(self) -> bool:
        return self.is_chat and WINDOW > self.unheard_for >= WINDOW - timedelta(hours=2)


@dataclass(slots=True, eq=False)
class Hand:
    """A claimed lane as one worker sees it, which may be wrong by now."""

    worker: int
    lane: ClaimedLane
    stage: Stage
    is_asleep: bool = False
    """Its lease ran out once: the worker itself notices, and hands nothing to a vendor any more."""
    turn: OpenTurn | None = None
    interventions: int = 0
    """Of the team, when the turn was opened."""
    place: int = 0
    """Which of the lane's jobs it is at."""
    tried: Row = field(default_factory=dict)
    outcome: Outcome = "done"
    vendor_id: str | None = None
    is_blocked: bool = False

    @property
    def is_turn(self) -> bool:
        return self.lane.jobs[0].kind == "inbound"

    @property
    def message_id(self) -> str:
        return str(self.lane.jobs[self.place].payload["message_id"])

    @property
    def is_at_last_job(self) -> bool:
        return self.place == len(self.lane.jobs) - 1


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The vendor took a message, and gave it an id."""

    channel: str
    token: str
    message_id: str
    vendor_id: str


@dataclass(slots=True)
class Vendor:
    """The oracle: what really left the house, in order."""

    taken: list[Acceptance] = field(default_factory=list)

    def take(self, channel: str, message: Row) -> str:
        accepted = Acceptance(channel, str(message["token"]), str(message["id"]), f"vendor-{uuid4().hex}")
        self.taken.append(accepted)
        return accepted.vendor_id

    def find(self, message_id: str) -> Acceptance | None:
        return next((one for one in self.taken if one.message_id == message_id), None)
