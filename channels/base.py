"""What every channel agrees on: how a message waits on the queue, how a reply is laid out, and how it is sent once."""

import re
from asyncio import Semaphore
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from db.errors import DeskError, PermanentFailure, RetryLater

PAYLOAD_VERSION = 1
NEWER_CODE = timedelta(seconds=30)
NAME = re.compile(r"(?=.{1,40}$)[^\W\d_]+(?:['’-][^\W\d_]+)*")
"""What may be called a name in a mail to whoever a stranger says they are: no address, no link."""
GREETING_WORDS = ("{hello}", "{name}")
"""What a greeting of channel_configs may hold to be filled in; nothing is filled in in a signature."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that came with a message and still lies with the vendor."""

    url: str
    type: str
    """As the vendor declares it."""


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One message as it waits on the queue."""

    channel: str
    thread_key: str
    external_id: str
    """The vendor's id, or the form's: the same one twice is the same message."""
    body: str
    subject: str
    category: str | None
    """As the customer chose it in a form."""
    trust: int
    """0 claimed to 4 proven by a code: see conversations.trust."""
    sent_at: datetime
    customer: dict[str, Any] | None
    """{kind, value, proof, name, plan}; None when the conversation already knows who writes."""
    is_test: bool = False
    address: str | None = None
    """Where they wrote from, as the vendor has it; None: as in thread_key."""
    words: str = ""
    """What of `body` are the customer's own words: without the marks that stand for files."""
    attached: tuple[Attached, ...] = ()


def read_payload(payload: dict[str, Any]) -> InboundMessage:
    """The message in a queue row. PermanentFailure when it cannot be read; RetryLater when newer code wrote it, which
    is on its way to this process too."""
    if payload.get("version") != PAYLOAD_VERSION:
        raise RetryLater(f"payload version {payload.get('version')!r} is not known to this code", delay=NEWER_CODE)
    try:
        return InboundMessage(
            channel=payload["channel"],
            thread_key=payload["thread_key"],
            external_id=payload["external_id"],
            body=payload["body"],
            subject=payload["subject"] or "",
            category=payload["category"],
            trust=payload["trust"],
            sent_at=datetime.fromisoformat(payload["sent_at"]),
            customer=payload["customer"],
            is_test=bool(payload.get("is_test", False)),
            address=payload.get("address"),
            words=payload.get("words", payload["body"]),
            attached=tuple(Attached(one["url"], one["type"]) for one in payload.get("attached", ())),
        )
    except KeyError as error:
        raise PermanentFailure(f"payload cannot be read: KeyError at {error}") from error
    except (TypeError, ValueError) as error:  # its words may be the customer's
        raise PermanentFailure(f"payload cannot be read: {type(error).__name__}") from error


def lay_out_reply(body: str, *, greeting: str, signature: str, customer_name: str | None) -> str:
    """A reply as the customer reads it: greeting, body, signature, each in a paragraph of its own.

    `{name}` in the greeting is the first name; a greeting that needs one is left out when none is known.
    """
    first_name = (customer_name or "").split(" ")[0]
    first_name = first_name if NAME.fullmatch(first_name) else ""
    if "{name}" in greeting and not first_name:
        greeting = ""
    return "\n\n".join(part for part in (greeting.replace("{name}", first_name), body, signature) if part)


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message to a vendor; a long reply is several, one after the other."""

    id: UUID
    token: UUID
    """Drawn before the first try, the same for every try."""
    channel: str
    thread_key: str
    to: str
    """The customer's address as the channel writes it."""
    subject: str
    body: str
    part: int
    parts: int
    tries: int
    """This one included."""
    draft_id: str | None
    """The vendor's draft, when an earlier try made one."""
    first_try_at: datetime
    """By the database's clock."""
    in_reply_to: str | None
    """External id of the customer's newest message."""
    known_ids: tuple[str, ...] = ()
    """The vendor's ids of the same words sent to this customer before: finding one of them proves nothing."""
    author: str = "agent"
    """agent or person."""
    reference: str | None = None
    """Of the conversation's ticket."""
    mail_thread: str | None = None
    """Gmail's id of the thread the customer wrote in last."""
    is_late: bool = False
    """The customer's last word is older than the channel's reply_window: free text would not reach them."""
    references: tuple[str, ...] = ()
    """The mails of the conversation, oldest first: Message-IDs of theirs, tokens of ours."""


class InvalidSignature(DeskError):
    """Not from the vendor, or not meant for us. The reason is for the log; strangers are told nothing."""


class NotSent(RetryLater):
    """The vendor surely has not taken the message: no connection was made, or it said so. Try again after `delay`."""


class ChannelOff(NotSent):
    """Nothing can be sent here until somebody mends it or turns it on: no try counts meanwhile."""


class Refused(PermanentFailure):
    """The vendor will never take this message. The reason is the vendor's, without the customer's text."""


class Blocked(Refused):
    """The customer wants nothing more from us there: nothing else is tried either, until they say so."""


class Unfetchable(DeskError):
    """A file cannot be had from the vendor. The reason is for the team, without the address."""


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file as it was fetched."""

    content: bytes
    type: str
    """Media type by its content; application/octet-stream when nothing says it."""
    text: str | None
    """What it says, cut; None where it cannot be read."""


class MediaSource(Protocol):
    """Where the files of a channel are fetched from."""

    @property
    def slots(self) -> Semaphore:
        """Hold one while you fetch: as many files of all turns are in memory at once."""
        ...

    async def fetch(self, attached: Attached) -> FetchedFile:
        """One file, bounded in size and time. Raises Unfetchable, and nothing else but a cancellation."""
        ...


KeepDraft = Callable[[str], Awaitable[None]]
"""Stores the vendor's draft id. Await it before the draft is sent."""


class Channel(Protocol):
    """A vendor that messages are sent through."""

    @property
    def name(self) -> str:
        """As in channel_configs."""
        ...

    @property
    def index_lag(self) -> timedelta | None:
        """How long after a try the vendor may still say no although it took the message; None: it cannot be asked."""
        ...

    @property
    def absence_is_proof(self) -> bool:
        """Whether a no is certain once index_lag is over. Where it is not, the one further try is flagged."""
        ...

    def split(self, body: str) -> list[str]:
        """The messages a text has to be sent as, in order; none of them empty."""
        ...

    async def send(self, message: OutgoingMessage, keep_draft: KeepDraft) -> str:
        """Hand the message over and return the vendor's id for it. One try, with a time limit of its own.

        Raises NotSent or Refused when the vendor surely has not taken it. Whatever else is raised leaves that open.
        """
        ...

    async def look_up(self, message: OutgoingMessage) -> str | None:
        """Ask the vendor for a message that was tried: its id, or None when the vendor has no such message."""
        ...
