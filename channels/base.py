"""What every channel agrees on: how a message waits on the queue, and how a reply is laid out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from db.errors import PermanentFailure, RetryLater

PAYLOAD_VERSION = 1
NEWER_CODE = timedelta(seconds=30)


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
        )
    except (KeyError, TypeError, ValueError) as error:
        raise PermanentFailure(f"payload cannot be read: {type(error).__name__} at {error}") from error


def lay_out_reply(body: str, *, greeting: str, signature: str, customer_name: str | None) -> str:
    """A reply as the customer reads it: greeting, body, signature, each in a paragraph of its own.

    `{name}` in the greeting is the first name; a greeting that needs one is left out when none is known.
    """
    first_name = (customer_name or "").split(" ")[0]
    if "{name}" in greeting and not first_name:
        greeting = ""
    return "\n\n".join(part for part in (greeting.replace("{name}", first_name), body, signature) if part)
