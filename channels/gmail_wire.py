"""What the google client speaks through, and what Google's answers mean.

Its usual transport, httplib2, repeats a request on its own when a connection ends without an answer: a draft that Gmail
had already sent would be sent again. Here a request goes out once.
"""

import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httplib2
import httpx2
from googleapiclient.errors import HttpError

from channels.base import NotSent, Refused
from channels.google_oauth import CONNECT_AGAIN, LONG_PAUSE, PAUSE, Grant, GrantExpired
from db.errors import DeskError, NotFound, PermanentFailure, RetryLater

MAX_ANSWER = 80_000_000  # bytes: the largest mail Gmail takes in, 50 MB, written as base64, with room
MAX_SECONDS = 60.0  # for an answer that comes in pieces, each within its own time limit
LONGEST_PAUSE = timedelta(hours=1)

QUOTA = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"})
SCOPE_TOO_SMALL = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})
REASON = re.compile(r"[A-Za-z_]{1,60}")
RETRY_AFTER = re.compile(r"Retry after (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z)")


class UnclearAnswer(DeskError):
    """Google answered neither yes nor no: what was asked for may have happened."""


class AnswerTooLarge(PermanentFailure):
    """More than any mail can be."""


class Wire:
    """The `http` of a google client: adds the access token, and renews it once when Google refuses it."""

    def __init__(self, client: httpx2.Client, grant: Grant) -> None:
        self.client = client
        self.grant = grant

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: str | bytes | None = None,
        headers: dict[str, str] | None = None,
        **_: Any,
    ) -> tuple[httplib2.Response, bytes]:
        """One try. A 401 is a no, so that trying again with a new token repeats nothing.

        Raises GrantExpired, NotSent, AnswerTooLarge, httpx2.RequestError.
        """
        token = self.grant.load_token()
        answer, content = self.ask(method, uri, body, headers or {}, token)
        if answer.status_code == 401:
            answer, content = self.ask(method, uri, body, headers or {}, self.grant.load_token(refused=token))
        if answer.status_code == 401:
            raise GrantExpired(CONNECT_AGAIN, delay=LONG_PAUSE)
        return httplib2.Response({**answer.headers, "status": str(answer.status_code)}), content

    def ask(
        self, method: str, uri: str, body: str | bytes | None, headers: dict[str, str], token: str
    ) -> tuple[httpx2.Response, bytes]:
        until, content = time.monotonic() + MAX_SECONDS, bytearray()
        sent = headers | {"authorization": f"Bearer {token}"}
        with self.client.stream(method, uri, content=body, headers=sent) as answer:
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > MAX_ANSWER:
                    raise AnswerTooLarge(f"more than {MAX_ANSWER} bytes")
                if time.monotonic() > until:
                    raise httpx2.ReadTimeout(f"more than {MAX_SECONDS} s")
        return answer, bytes(content)


def explain(error: HttpError) -> DeskError:
    """What an answer other than yes means. UnclearAnswer where it leaves open whether something happened."""
    status, reason = int(error.resp.status), read_reason(error.content)
    text = f"Gmail {status} {reason}".rstrip()
    if status == 403 and reason in SCOPE_TOO_SMALL:
        return GrantExpired(CONNECT_AGAIN, delay=LONG_PAUSE)
    if status in (409, 429) or (status == 403 and reason in QUOTA):
        return NotSent(text, delay=read_pause(error.resp.get("retry-after", ""), error.content))
    if status == 403:
        return NotSent(f"{text}: is the Gmail API switched on in the Google project?", delay=LONG_PAUSE)
    if status == 404:
        return NotFound(text)
    if 400 <= status < 500 and status != 408:
        return Refused(text)
    return UnclearAnswer(text)


def read_reason(content: bytes) -> str:
    """Google's word for an error, such as rateLimitExceeded; empty where there is none. Never its sentence, which may
    repeat an address."""
    try:
        error = json.loads(content)["error"]
        listed = [entry.get("reason") for entry in (*error.get("errors", ()), *error.get("details", ()))]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return next((word for word in listed if isinstance(word, str) and REASON.fullmatch(word)), "")


def read_pause(seconds: str, content: bytes) -> timedelta:
    """How long Google asks us to wait, in the header or, for a mailbox over its limit, in the sentence: from a second
    to an hour."""
    pause = PAUSE
    if seconds.isascii() and seconds.isdigit() and len(seconds) < 7:
        pause = timedelta(seconds=int(seconds))
    elif named := RETRY_AFTER.search(content.decode(errors="replace")):
        pause = read_time(named[1]) - datetime.now(UTC)
    return min(max(pause, timedelta(seconds=1)), LONGEST_PAUSE)


def read_time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # a month 13
        return datetime.min.replace(tzinfo=UTC)


def list_entries(answer: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of a list; none where Gmail leaves the list out, as it does with empty ones."""
    entries = answer.get(name) or []
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def list_added(page: dict[str, Any]) -> list[str]:
    return [
        read_text(entry.get("message") or {}, "id")
        for record in list_entries(page, "history")
        for entry in list_entries(record, "messagesAdded")
    ]


def read_text(answer: dict[str, Any], name: str) -> str:
    """A text of an answer. RetryLater without it."""
    text = answer.get(name)
    if not isinstance(text, str) or not text:
        raise RetryLater(f"Gmail's answer has no {name}", delay=PAUSE)
    return text


def read_number(answer: dict[str, Any], name: str) -> str:
    """A number of any length, as Gmail writes it: decimal text. RetryLater without it."""
    text = str(answer.get(name, ""))
    if not (text.isascii() and text.isdigit() and len(text) <= 100):
        raise RetryLater(f"Gmail's answer has no {name}", delay=PAUSE)
    return text
