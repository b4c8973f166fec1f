"""What the Gmail stand-in has sent, in order, and how badly it behaves, in the words Google itself uses."""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from typing import Any, Literal

from starlette.responses import JSONResponse, Response

GmailFault = Literal[
    "drop",
    "lose",
    "accept_500",
    "refuse_400",
    "refuse_401",
    "forbid_403",
    "quota_403",
    "quota_429",
    "miss_404",
    "fail_500",
    "fail_503",
]
"""drop: done, the connection ends before the answer. lose: the connection ends, not done. accept_500: done, answered
with 500. The others are not done and say so: forbid_403 is about scopes, quota_403 and quota_429 about speed."""

DONE: tuple[GmailFault | None, ...] = (None, "drop", "accept_500")

ERRORS: dict[str, tuple[str, str, str, str]] = {
    "refuse_400": ("global", "invalidArgument", "INVALID_ARGUMENT", "Invalid argument"),
    "refuse_401": ("global", "authError", "UNAUTHENTICATED", "Invalid Credentials"),
    "forbid_403": ("global", "insufficientPermissions", "PERMISSION_DENIED", "Insufficient Permission"),
    "quota_403": ("usageLimits", "rateLimitExceeded", "PERMISSION_DENIED", "Rate Limit Exceeded"),
    "quota_429": ("usageLimits", "rateLimitExceeded", "RESOURCE_EXHAUSTED", "User-rate limit exceeded."),
    "miss_404": ("global", "notFound", "NOT_FOUND", "Requested entity was not found."),
    "fail_500": ("global", "backendError", "INTERNAL", "Internal error encountered."),
    "accept_500": ("global", "backendError", "INTERNAL", "Internal error encountered."),
    "fail_503": ("global", "backendError", "UNAVAILABLE", "The service is currently unavailable."),
}
"""domain, reason, status and message of each answer that says no."""


@dataclass(slots=True)
class GmailKnobs:
    """How the stand-in behaves. Calls are named as in Google's reference: history.list, drafts.send, getProfile; the
    token endpoint is `token`."""

    script: dict[str, list[GmailFault | Literal["ok"]]] = field(default_factory=dict)
    """What the next calls of a name meet, one each: {"history.list": ["ok", "fail_500"]} fails the second page."""
    always: dict[str, GmailFault] = field(default_factory=dict)
    """What every call of a name meets once its script is through; "*" stands for all but the token endpoint."""
    page_size: int | None = None
    """Most rows on a page of any list, whatever the caller asks for."""
    delay_seconds: float = 0
    retry_after_seconds: int = 2
    """In a quota_429."""
    index_lag_seconds: float = 0
    """How long after it was sent a mail is not found by its Message-ID."""
    oldest_history_id: int = 0
    """A startHistoryId before this one has expired."""
    held: str = "drafts.send"
    """The call that the gate holds."""
    rewrites_message_id: bool = False
    """What is sent gets a Message-ID of Google's own in place of the sender's."""

    def draw_fault(self, call: str) -> GmailFault | None:
        """What this call meets."""
        if script := self.script.get(call):
            scripted = script.pop(0)
            return None if scripted == "ok" else scripted
        return self.always.get(call) or (self.always.get("*") if call != "token" else None)

    def refuse(self, fault: str) -> Response:
        """The answer that says no, as Google writes it."""
        domain, reason, status, message = ERRORS[fault]
        code, headers = int(fault[-3:]), {}
        if code == 429:
            wait = timedelta(seconds=self.retry_after_seconds)
            headers["Retry-After"] = str(self.retry_after_seconds)
            message += f"  Retry after {(datetime.now(UTC) + wait).isoformat(timespec='milliseconds')[:-6]}Z"
        one: dict[str, Any] = {"message": message, "domain": domain, "reason": reason}
        if code == 401:
            one |= {"location": "Authorization", "locationType": "header"}
            headers["WWW-Authenticate"] = 'Bearer realm="https://accounts.google.com/", error="invalid_token"'
        error = {"code": code, "message": message, "errors": [one], "status": status}
        return JSONResponse({"error": error}, code, headers)


@dataclass(frozen=True, slots=True)
class Sent:
    """One mail that Gmail has sent. `number` counts from 0 in the order of acceptance."""

    number: int
    at: float
    """Seconds since the epoch."""
    id: str
    thread_id: str
    draft_id: str | None
    """None when it was sent without a draft."""
    raw: bytes
    """As its sender wrote it."""
    message_id: str | None
    """As its sender wrote it, without < >."""
    outbox_id: str | None
    """X-Outbox-Id."""
    to: str
    subject: str


@dataclass(slots=True)
class GmailJournal:
    """The oracle: what a customer got from a program is what is in here. What a person types in Gmail is not."""

    sent: list[Sent] = field(default_factory=list)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Calls by their name and what they met: ok or a fault."""

    def add(self, raw: bytes, stored: dict[str, Any], draft_id: str | None) -> None:
        """Write down that a mail was sent. `stored` is the message as the API shows it."""
        head = read_head(raw)
        self.sent.append(
            Sent(
                number=len(self.sent),
                at=time.time(),
                id=stored["id"],
                thread_id=stored["threadId"],
                draft_id=draft_id,
                raw=raw,
                message_id=head.message_id,
                outbox_id=head.outbox_id,
                to=head.to,
                subject=head.subject,
            )
        )

    def list_by_message_id(self) -> dict[str | None, list[Sent]]:
        """What was sent under each Message-ID, in order."""
        return self.group(lambda sent: sent.message_id)

    def list_by_outbox_id(self) -> dict[str | None, list[Sent]]:
        """What was sent under each X-Outbox-Id, in order."""
        return self.group(lambda sent: sent.outbox_id)

    def list_doubled(self) -> list[Sent]:
        """All that was sent under a Message-ID or an X-Outbox-Id that something before it was sent under."""
        again = [*self.list_by_message_id().items(), *self.list_by_outbox_id().items()]
        numbers = {sent.number for key, group in again if key is not None for sent in group[1:]}
        return [self.sent[number] for number in sorted(numbers)]

    def group(self, key: Callable[[Sent], str | None]) -> dict[str | None, list[Sent]]:
        groups: dict[str | None, list[Sent]] = defaultdict(list)
        for one in self.sent:
            groups[key(one)].append(one)
        return dict(groups)


@dataclass(frozen=True, slots=True)
class Head:
    """The headers of a mail that decide where it goes. Ids are without < >."""

    message_id: str | None
    mentions: tuple[str, ...]
    """In-Reply-To and References."""
    outbox_id: str | None
    sender: str
    to: str
    recipients: str
    """To, Cc and Bcc."""
    subject: str


def read_head(raw: bytes) -> Head:
    """Any bytes will do."""
    mail = BytesHeaderParser().parsebytes(raw)
    said = {name.lower(): str(value) for name, value in reversed(mail.items())}
    own = find_ids(said.get("message-id", ""))
    return Head(
        message_id=own[0] if own else None,
        mentions=tuple(find_ids(f"{said.get('in-reply-to', '')} {said.get('references', '')}")),
        outbox_id=said.get("x-outbox-id", "").strip() or None,
        sender=said.get("from", ""),
        to=said.get("to", ""),
        recipients=" ".join(said.get(name, "") for name in ("to", "cc", "bcc")).strip(),
        subject=decode_words(said.get("subject", "")),
    )


def find_ids(header: str) -> list[str]:
    return re.findall(r"<([^<>\s]+)>", header)


def decode_words(header: str) -> str:
    """A header with its RFC 2047 words decoded; as it stands where they cannot be."""
    try:
        return str(make_header(decode_header(header)))
    except (ValueError, LookupError):
        return header


def trim_subject(subject: str) -> str:
    """A subject without what replying and forwarding put before it."""
    bare = re.sub(r"^(\s*(re|fwd?|aw|wg|sv|vs|rv|tr|antw)\s*:)+", "", " ".join(subject.split()), flags=re.IGNORECASE)
    return bare.strip().casefold()
