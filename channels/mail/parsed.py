"""What a mail is, once it is read. All text in here is safe for Postgres: no NUL, no half of a surrogate pair."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Address:
    """Somebody in From, To, Cc or Reply-To."""

    name: str
    """Decoded, empty when there is none."""
    address: str
    """Lower case, never empty."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a mail. It stays packed."""

    name: str
    """Decoded, without a path; empty when there is none."""
    type: str
    """By its content; application/octet-stream when that says nothing."""
    size: int
    """Bytes."""
    is_inline: bool
    text: str | None
    """Of text and PDF, cut; None where it cannot be read."""


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What a mail server says about a mail that it could not deliver."""

    status: str | None
    """RFC 3463, such as 5.1.1."""
    recipient: str | None
    about: str | None
    """Message-ID of the mail it is about, without < >."""


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """A mail that could be read."""

    message_id: str | None
    """Without < >, as are the other ids."""
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    senders: tuple[Address, ...]
    """From: normally one."""
    reply_to: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    subject: str
    sent_at: datetime | None
    """UTC, as the sender says."""
    text: str
    """Everything readable, HTML as text, hidden text dropped."""
    new_text: str
    """What the sender wrote now; the full text where that would leave nothing."""
    is_forwarded: bool
    """Words of a third party are in it."""
    attachments: tuple[Attachment, ...]
    headers: tuple[tuple[str, str], ...]
    """Lower-case name and decoded, cut value, topmost first."""
    report: DeliveryReport | None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A mail that a person has to look at in its raw form."""

    reason: str
    """One line for the team, without any of the sender's text."""
