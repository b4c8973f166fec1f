"""What became of a message of ours, as Twilio reports it."""

import re
from dataclasses import dataclass
from typing import Any

from channels.twilio.codes import explain_code, is_blocking
from channels.twilio.fields import Fields
from channels.twilio.messages import check_id

STATUSES = {
    "accepted": "sending", "scheduled": "sending", "queued": "sending", "sending": "sending", "sent": "sent",
    "delivered": "delivered", "read": "read", "undelivered": "failed", "failed": "failed", "canceled": "failed",
}  # fmt: skip
"""Twilio's words to ours."""
CODE = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """What became of one message. `status` is one of ours, or Twilio's own word where we do not know it."""

    vendor_id: str
    status: str
    error: str | None
    """Twilio's code and what it means."""
    is_blocked: bool
    """The customer wants nothing more from us there."""
    payload: dict[str, Any]


def read_status(fields: Fields) -> StatusUpdate:
    """What a status callback says. UnreadableWebhook without a message's id."""
    word = fields.line("MessageStatus", 40).lower()
    given = fields.first("ErrorCode")
    code = int(given) if CODE.fullmatch(given) else None
    return StatusUpdate(
        vendor_id=check_id(fields.only("MessageSid")),
        status=STATUSES.get(word, word or "unnamed"),
        error=None if code is None else explain_code(code),
        is_blocked=code is not None and is_blocking(code),
        payload={name: values[0] if len(values) == 1 else values for name, values in fields.items()},
    )
